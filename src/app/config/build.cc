// SPDX-License-Identifier: Apache-2.0
#include "app/config/build.h"

#include <fmt/format.h>

#include <algorithm>
#include <thread>

#include "base/assert.h"
#include "base/file_system.h"

namespace headrace::app {
namespace {

// Typed access. Every value has passed check_value, so the parsers cannot fail.
class Values {
 public:
  explicit Values(Settings const& settings) : settings_(settings) {}

  std::string text(std::string_view path) const { return settings_.value(path); }
  bool flag(std::string_view path) const { return parse_bool(text(path)).value(); }
  std::size_t number(std::string_view path) const {
    return static_cast<std::size_t>(parse_integer(text(path)).value());
  }
  std::size_t size(std::string_view path) const { return parse_size(text(path)).value(); }
  Span span(std::string_view path) const { return parse_time_span(text(path)).value(); }
  std::vector<std::string> list(std::string_view path) const { return settings_.items(path); }

 private:
  Settings const& settings_;
};

void add(std::vector<Problem>& problems, Origin where, std::string what) {
  problems.push_back({std::move(where), std::move(what)});
}

std::string hint(std::string_view name, std::vector<std::string> const& known) {
  if (auto const near = nearest(name, known)) return fmt::format("; nearest: '{}'", *near);
  return known.empty() ? std::string("; there are none")
                       : fmt::format("; there are {}", fmt::join(known, ", "));
}

HttpConfig build_http(Settings const& settings, std::vector<Problem>& problems) {
  Values const v(settings);
  HttpConfig http{.listen = {},
                  .tls_cert = v.text("http.tls.cert"),
                  .tls_key = v.text("http.tls.key"),
                  .tls_self_signed = v.flag("http.tls.self_signed"),
                  .allowed_hosts = v.list("http.allowed_hosts"),
                  .allowed_origins = v.list("http.allowed_origins"),
                  .connections_max = v.number("http.connections_max"),
                  .header_bytes_max = v.size("http.header_bytes_max"),
                  .idle_timeout = v.span("http.idle_timeout"),
                  .header_timeout = v.span("http.header_timeout"),
                  .body_grace = v.span("http.body_grace")};
  for (auto const& text : v.list("http.listen")) http.listen.push_back(parse_listen(text).value());
  if (http.listen.empty())
    add(problems, settings.origin("http.listen"), "http.listen: expected at least one host:port");
  auto const* listen = settings.find("http.listen");
  for (std::size_t i = 0; i < http.listen.size(); ++i)
    for (std::size_t j = 0; j < i; ++j)
      if (clashes(http.listen[i], http.listen[j]))
        add(problems, listen->item_origins[i],
            fmt::format("http.listen: {} clashes with {}", to_string(http.listen[i]),
                        to_string(http.listen[j])));
  if (http.tls_cert.empty() != http.tls_key.empty())
    add(problems, settings.origin(http.tls_cert.empty() ? "http.tls.key" : "http.tls.cert"),
        fmt::format("http.tls: cert and key go together; {} is missing",
                    http.tls_cert.empty() ? "cert" : "key"));
  if (http.tls_self_signed && !http.tls_cert.empty())
    add(problems, settings.origin("http.tls.self_signed"),
        "http.tls: expected either self_signed or cert and key, not both");
  return http;
}

std::vector<model::DataType> build_types(Settings const& settings, std::vector<Problem>& problems) {
  Values const v(settings);
  std::vector<model::DataType> types;
  for (auto const& name : settings.names("data_types")) {
    auto const at = "data_types." + name;
    if (auto const good = model::check_data_type(name, {}); !good) {
      add(problems, settings.origin(at), fmt::format("{}: {}", at, good.error().context));
      continue;
    }
    auto durability = v.text(at + ".durability");
    if (durability.empty()) durability = v.text("broker.durability");
    if (v.text("broker.type") == "memory") durability = "memory";
    types.push_back({.name = model::DataTypeName::trusted(name),
                     .body = v.text(at + ".body") == "points" ? model::BodyKind::kPoints
                                                              : model::BodyKind::kDocument,
                     .durability = model::parse_durability(durability).value(),
                     .retention = v.span(at + ".retention"),
                     .partition_count = static_cast<std::uint32_t>(v.number(at + ".partitions"))});
  }
  return types;
}

ReceiverConfig build_receiver(Settings const& settings, std::string const& name,
                              std::vector<Problem>& problems) {
  Values const v(settings);
  auto const at = "receivers." + name;
  ReceiverConfig r{
      .name = name,
      .type = v.text(at + ".type"),
      .store = v.text(at + ".store"),
      .path = v.text(at + ".path"),
      .required = false,
      .from_begin = v.text(at + ".from") == "begin",
      .body_bytes_max = v.size(v.text(at + ".body_bytes_max").empty() ? "limits.body_bytes"
                                                                      : at + ".body_bytes_max"),
      .batch_bytes_max = v.size(at + ".batch_bytes_max"),
      .dead_letters_max = v.number(at + ".dead_letters_max"),
      .retry_min = v.span(at + ".retry_min"),
      .retry_max = v.span(at + ".retry_max"),
      .hang_after = v.span(at + ".hang_after"),
      .data_types = {}};
  auto const required = v.text(at + ".required");
  r.required = required.empty() ? r.type == "documents" : required == "true";
  Key const name_key{at, KeyKind::kName, "", "", ""};
  if (auto const good = check_value(name_key, name); !good)
    add(problems, settings.origin(at), fmt::format("{}: {}", at, good.error().context));
  // One that says a type which is not good was told so already.
  bool const refused = std::any_of(problems.begin(), problems.end(), [&](Problem const& p) {
    return p.what.starts_with(at + ".type: ");
  });
  if (r.type.empty() && !refused)
    add(problems, settings.origin(at),
        fmt::format("{}.type: must be given; expected one of documents, live", at));
  if (r.type == "live")
    for (auto const* key : {"store", "path", "required", "from", "body_bytes_max"})
      if (settings.find(at + "." + key) != nullptr)
        add(problems, settings.origin(at + "." + key),
            fmt::format("{}.{}: a receiver of type live has no store", at, key));
  if (r.retry_min > r.retry_max)
    add(problems, settings.origin(at + ".retry_max"),
        fmt::format("{}: expected retry_min <= retry_max", at));
  return r;
}

void build_subscriptions(Settings const& settings, Config& config, std::vector<Problem>& problems) {
  auto const types = settings.names("data_types");
  std::vector<std::string> receivers;
  for (auto const& r : config.receivers) receivers.push_back(r.name);
  for (auto const& type : settings.names("subscriptions")) {
    auto const at = "subscriptions." + type;
    if (std::find(types.begin(), types.end(), type) == types.end())
      add(problems, settings.origin(at),
          fmt::format("{}: unknown data type '{}'{}", at, type, hint(type, types)));
    auto const* setting = settings.find(at);
    for (std::size_t i = 0; setting && i < setting->items.size(); ++i) {
      auto const& name = setting->items[i];
      auto const to = std::find_if(config.receivers.begin(), config.receivers.end(),
                                   [&](ReceiverConfig const& r) { return r.name == name; });
      if (to == config.receivers.end())
        add(problems, setting->item_origins[i],
            fmt::format("{}: unknown receiver '{}'{}", at, name, hint(name, receivers)));
      else if (std::find(to->data_types.begin(), to->data_types.end(), type) !=
               to->data_types.end())
        add(problems, setting->item_origins[i],
            fmt::format("{}: receiver '{}' is named twice", at, name));
      else
        to->data_types.push_back(type);
    }
  }
}

void check_live(Settings const& settings, Config const& config, std::vector<Problem>& problems) {
  std::string first;
  for (auto const& r : config.receivers) {
    if (r.type != "live") continue;
    if (!first.empty())
      add(problems, settings.origin("receivers." + r.name),
          fmt::format("receivers.{}: there is one live feed, and receiver '{}' is it", r.name,
                      first));
    first = r.name;
  }
}

void check_stores(Settings const& settings, Config const& config, std::vector<Problem>& problems) {
  for (std::size_t i = 0; i < config.receivers.size(); ++i)
    for (std::size_t j = 0; j < i; ++j) {
      auto const& [a, b] = std::tie(config.receivers[i], config.receivers[j]);
      if (!a.path.empty() && a.path == b.path)
        add(problems, settings.origin("receivers." + a.name + ".path"),
            fmt::format("receivers.{}.path: '{}' is the store of receiver '{}' already", a.name,
                        a.path, b.name));
    }
}

void build_agent_websocket(Settings const& settings, Config& config,
                           std::vector<Problem>& problems) {
  Values const v(settings);
  std::string const at = "handlers.agent_websocket.";
  config.agent_websocket = {.enabled = v.flag(at + "enabled"),
                            .path = v.text(at + "path"),
                            .window_messages = v.number(at + "window_messages"),
                            .window_bytes = v.size(at + "window_bytes"),
                            .ping_every = v.span(at + "ping_every"),
                            .hello_timeout = v.span(at + "hello_timeout")};
  auto const& path = config.agent_websocket.path;
  if (!path.starts_with('/') || path.find_first_of(" ?#") != std::string::npos)
    add(problems, settings.origin(at + "path"),
        fmt::format("{}path: '{}': expected a path that begins with /", at, path));
  for (std::string_view taken : {"/", "/live", "/metrics", "/healthz", "/readyz"})
    if (path == taken)
      add(problems, settings.origin(at + "path"), fmt::format("{}path: '{}' is taken", at, path));
  if (path.starts_with("/api/"))
    add(problems, settings.origin(at + "path"),
        fmt::format("{}path: '{}': /api/ is taken", at, path));
}

BrokerConfig build_broker(Values const& v) {
  return {.type = v.text("broker.type"),
          .durability = model::parse_durability(v.text("broker.durability")).value(),
          .segment_bytes = v.size("broker.segment_bytes"),
          .disk_budget = v.size("broker.disk_budget"),
          .disk_reserve = v.size("broker.disk_reserve"),
          .queue_bytes = v.size("broker.queue_bytes"),
          .group_bytes = v.size("broker.group_bytes"),
          .cache_bytes = v.size("broker.cache_bytes"),
          .group_delay = v.span("broker.group_delay"),
          .direct_io = v.flag("broker.direct_io")};
}

void check_broker(Settings const& settings, Config const& config, std::vector<Problem>& problems) {
  auto const& b = config.broker;
  auto const check_promise = [&](std::string const& key) {
    auto const* said = settings.find(key);
    if (b.type == "memory" && said != nullptr && said->value != "memory")
      add(problems, said->origin,
          fmt::format("{}: a broker of type memory keeps no '{}'; expected memory", key,
                      said->value));
  };
  check_promise("broker.durability");
  for (auto const& type : settings.names("data_types"))
    check_promise(fmt::format("data_types.{}.durability", type));
  if (b.type == "log" && b.disk_budget != 0 && b.disk_budget < 4 * b.segment_bytes)
    add(problems, settings.origin("broker.disk_budget"),
        fmt::format("broker.disk_budget: expected at least four segments ({} bytes), or 0 for none",
                    4 * b.segment_bytes));
}

model::Limits build_limits(Settings const& settings, std::vector<Problem>& problems) {
  Values const v(settings);
  model::Limits limits;
  limits.id_bytes_max = v.size("limits.id_bytes");
  limits.source_bytes_max = v.size("limits.source_bytes");
  limits.body_bytes_max = v.size("limits.body_bytes");
  limits.request_bytes_max = v.size("limits.request_bytes");
  limits.batch_messages_max = v.number("limits.batch_messages");
  limits.nesting_max = v.number("limits.nesting");
  limits.future_max = v.span("limits.future");
  if (limits.body_bytes_max > limits.request_bytes_max)
    add(problems, settings.origin("limits.body_bytes"),
        "limits: expected body_bytes <= request_bytes");
  return limits;
}

AgentConfig build_agent(Settings const& settings, std::vector<Problem>& problems) {
  Values const v(settings);
  AgentConfig agent{.server = v.text("agent.server"),
                    .token = v.text("agent.token"),
                    .source = v.text("agent.source"),
                    .tls_verify = v.flag("agent.tls.verify"),
                    .tls_ca_file = v.text("agent.tls.ca_file"),
                    .spool_path = v.text("agent.spool.path"),
                    .spool_bytes_max = v.size("agent.spool.bytes_max"),
                    .spool_sync = v.text("agent.spool.sync"),
                    .batch_messages_max = v.number("agent.batch_messages_max"),
                    .retry_min = v.span("agent.retry_min"),
                    .retry_max = v.span("agent.retry_max"),
                    .system_enabled = v.flag("agent.collectors.system.enabled"),
                    .system_period = v.span("agent.collectors.system.period"),
                    .system_data_type = v.text("agent.collectors.system.data_type")};
  if (!agent.server.starts_with("ws://") && !agent.server.starts_with("wss://"))
    add(problems, settings.origin("agent.server"),
        "agent.server: expected an address that begins with ws:// or wss://");
  auto const file = v.text("agent.token_file");
  if (file.empty()) return agent;
  if (!agent.token.empty())
    add(problems, settings.origin("agent.token_file"),
        "agent: expected token or token_file, not both");
  auto const text = base::read_file(base::real_file_system(), file, 4096);
  if (!text)
    add(problems, settings.origin("agent.token_file"),
        fmt::format("agent.token_file: cannot be read: {}", text.error().context));
  else
    agent.token = text->substr(0, text->find_last_not_of(" \t\r\n") + 1);
  return agent;
}

template <class T, std::size_t kCount>
T chosen(std::string const& text, std::pair<std::string_view, T> const (&choices)[kCount]) {
  for (auto const& [name, value] : choices)
    if (name == text) return value;
  return choices[0].second;
}

void build_log(Values const& v, Config& config) {
  using enum base::LogLevel;
  using enum base::LogFormat;
  config.log_level = chosen<base::LogLevel>(
      v.text("log.level"),
      {{"info", kInfo}, {"debug", kDebug}, {"warn", kWarn}, {"error", kError}, {"off", kOff}});
  config.log_format = chosen<base::LogFormat>(v.text("log.format"),
                                              {{"auto", kAuto}, {"text", kText}, {"json", kJson}});
}

}  // namespace

Config build_config(Settings const& settings, std::vector<Problem>& problems) {
  Values const v(settings);
  Config config;
  config.data_dir = v.text("data_dir");
  if (config.data_dir.empty())
    add(problems, settings.origin("data_dir"), "data_dir: expected a path");
  config.threads = v.number("threads");
  if (config.threads == 0)
    config.threads = std::clamp<std::size_t>(std::thread::hardware_concurrency(), 1, 8);
  config.stop_deadline = v.span("stop_deadline");
  config.http = build_http(settings, problems);
  config.data_types = build_types(settings, problems);
  for (auto const& name : settings.names("receivers"))
    config.receivers.push_back(build_receiver(settings, name, problems));
  build_subscriptions(settings, config, problems);
  check_stores(settings, config, problems);
  check_live(settings, config, problems);
  build_agent_websocket(settings, config, problems);
  config.http_messages_enabled = v.flag("handlers.http_messages.enabled");
  config.broker = build_broker(v);
  check_broker(settings, config, problems);
  config.limits = build_limits(settings, problems);
  config.anonymous_bytes_max = v.size("limits.anonymous_bytes");
  config.identity_mode = v.text("identity.mode");
  config.sources_max = v.number("sources.known_max");
  config.inactive_after = v.span("sources.inactive_after");
  config.api = {.query_threads = v.number("api.query_threads"),
                .query_queue = v.number("api.query_queue"),
                .query_timeout = v.span("api.query_timeout"),
                .fresh_wait = v.span("api.fresh_wait")};
  config.live = {.readers_max = v.number("live.readers_max"),
                 .queue_bytes = v.size("live.queue_bytes"),
                 .frame_every = v.span("live.frame_every")};
  config.agent = build_agent(settings, problems);
  build_log(v, config);
  return config;
}

}  // namespace headrace::app
