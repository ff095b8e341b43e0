// SPDX-License-Identifier: Apache-2.0
#include "app/wiring/service.h"

#include <fmt/format.h>

#include <algorithm>
#include <future>
#include <thread>

#include "agent/agent.h"
#include "api/api.h"
#include "api/users_routes.h"
#include "app/wiring/data_dir.h"
#include "app/wiring/make_agent.h"
#include "app/wiring/make_tls.h"
#include "base/assert.h"
#include "base/file_system.h"
#include "broker/log/log_broker.h"
#include "broker/memory/memory_broker.h"
#include "documents/sqlite/sqlite_documents.h"
#include "ingest/agent_websocket/agent_websocket.h"
#include "ingest/http_messages/http_messages.h"
#include "receivers/documents/documents_receiver.h"

namespace headrace::app {
namespace {

using std::chrono::milliseconds;

milliseconds in_ms(Span span) { return std::chrono::ceil<milliseconds>(span); }

// Keeps the log whole until the receivers have said what they need of it.
constexpr char kStartUpHolder[] = "start-up";

}  // namespace

std::string_view version() { return HEADRACE_VERSION; }

// In the order in which they are made; destroyed in reverse.
struct Service::Parts {
  Parts(Config c, ServiceOptions o) : config(std::move(c)), options(o) {}

  Config config;
  ServiceOptions options;
  base::Registry metrics;
  base::Clock& clock = base::system_clock();
  std::optional<DataDir> data;
  std::unique_ptr<identity::Identity> identity;
  std::unique_ptr<identity::Authenticator> authenticator;
  std::unique_ptr<net::IoThreads> threads;
  std::unique_ptr<broker::Broker> broker;
  std::unique_ptr<ingest::Ingest> ingest;
  std::unique_ptr<receivers::live::LiveFeed> live;
  std::vector<std::unique_ptr<documents::Documents>> stores;
  std::vector<api::Archive> archives;
  std::unique_ptr<dispatch::Dispatcher> dispatcher;
  std::unique_ptr<api::Api> api;
  std::unique_ptr<ingest::agent_websocket::AgentWebSocket> agent_websocket;
  std::unique_ptr<net::HttpServer> server;
  std::unique_ptr<agent::Agent> demo_agent;
  bool stopped = false;

  base::Result<void> make_data();
  base::Result<void> make_identity();
  base::Result<void> make_broker();
  base::Result<void> open_stores();
  base::Result<void> open_files();
  base::Result<void> make_ingest();
  base::Result<std::unique_ptr<dispatch::Receiver>> make_receiver(ReceiverConfig const& config);
  base::Result<void> make_dispatcher();
  void make_live();
  void make_api();
  base::Result<void> make_server();
  base::Result<void> make_demo();
  void await_receivers();
  base::Result<void> start();
  base::Result<void> stop(std::chrono::nanoseconds deadline);
};

base::Result<void> Service::Parts::make_data() {
  HEADRACE_TRY(auto dir, DataDir::open(config.data_dir));
  data.emplace(std::move(dir));
  return {};
}

base::Result<void> Service::Parts::make_identity() {
  identity::Options identity_options;
  identity_options.data_dir = config.data_dir;
  identity_options.claim_mode = identity::parse_claim_mode(config.identity_mode).value();
  identity_options.limits = config.limits;
  HEADRACE_TRY(identity, identity::Identity::open(std::move(identity_options), clock));
  identity::AuthenticatorOptions authenticator_options;
  authenticator_options.origin_policy = {.host_names = config.http.allowed_hosts,
                                         .origins = config.http.allowed_origins};
  authenticator =
      std::make_unique<identity::Authenticator>(*identity, clock, std::move(authenticator_options));
  for (auto const& address : config.http.listen) {
    if (is_loopback(address.host) || identity->has_users() || options.commands) continue;
    return base::Error{base::ErrorCode::kInvalidArgument,
                       fmt::format("http.listen: {} can be reached from other machines, and there "
                                   "is no user yet; add one first: "
                                   "headrace user add NAME --role admin --data {}",
                                   to_string(address), config.data_dir)};
  }
  return {};
}

base::Result<void> Service::Parts::make_broker() {
  auto const& b = config.broker;
  if (b.type == "memory") {
    broker = broker::memory::make_memory_broker({}, clock);
    return {};
  }
  broker::log::LogOptions log;
  log.directory = data->file("log");
  log.segment_bytes = b.segment_bytes;
  log.disk_budget_bytes = b.disk_budget;
  log.reserve_bytes = b.disk_reserve;
  log.group_bytes_max = b.group_bytes;
  log.group_bytes_large = std::min(log.group_bytes_large, b.group_bytes);
  log.group_delay = b.group_delay;
  log.unsettled_bytes_max = b.queue_bytes;
  log.cache_bytes_max = b.cache_bytes;
  log.direct_io = b.direct_io;
  log.hold_at_open = kStartUpHolder;
  HEADRACE_TRY(broker,
               broker::log::make_log_broker(std::move(log), base::real_file_system(), clock));
  return {};
}

base::Result<void> Service::Parts::open_stores() {
  for (auto const& receiver : config.receivers) {
    if (receiver.type != "documents") continue;
    auto path = receiver.path;
    if (path.empty()) {
      HEADRACE_TRY_VOID(base::real_file_system().make_directories(data->file("documents")));
      path = data->file(fmt::format("documents/{}.db", receiver.name));
    }
    HEADRACE_TRY(auto store, documents::open_sqlite_documents(path, {}));
    archives.push_back({.receiver = receiver.name, .documents = store.get()});
    stores.push_back(std::move(store));
  }
  return {};
}

// What waits for the disk and for nothing of each other, side by side. The first error is told.
base::Result<void> Service::Parts::open_files() {
  auto opened = std::async(std::launch::async, [this] { return open_stores(); });
  auto made = std::async(std::launch::async, [this] { return make_broker(); });
  auto const identity_made = make_identity();
  auto const broker_made = made.get();
  auto const stores_opened = opened.get();
  HEADRACE_TRY_VOID(identity_made);
  HEADRACE_TRY_VOID(broker_made);
  return stores_opened;
}

base::Result<void> Service::Parts::make_ingest() {
  ingest::Config ingest_config;
  ingest_config.limits = config.limits;
  ingest_config.sources.sources_max = config.sources_max;
  ingest_config.sources.active_for = config.inactive_after;
  ingest_config.gate.unsettled_bytes_max = config.broker.queue_bytes;
  HEADRACE_TRY(ingest, ingest::Ingest::make(std::move(ingest_config),
                                            {.broker = *broker,
                                             .authenticator = *authenticator,
                                             .metrics = metrics,
                                             .clock = clock,
                                             .threads = *threads},
                                            config.data_types));
  return {};
}

void Service::Parts::make_live() {
  receivers::live::LiveOptions live_options;
  live_options.readers_max = config.live.readers_max;
  live_options.queue_bytes = config.live.queue_bytes;
  live_options.frame_bytes_max =
      std::min<std::size_t>(live_options.frame_bytes_max, config.live.queue_bytes / 2);
  live_options.frame_every = config.live.frame_every;
  std::vector<std::string> names;
  for (auto const& type : config.data_types) names.push_back(type.name.text());
  live = std::make_unique<receivers::live::LiveFeed>(
      live_options, receivers::live::LiveDeps{.threads = *threads,
                                              .authenticator = *authenticator,
                                              .metrics = metrics,
                                              .data_types = std::move(names),
                                              .status = [this] { return api->status_json(); },
                                              .sources = [this] { return api->live_sources(); }});
}

base::Result<std::unique_ptr<dispatch::Receiver>> Service::Parts::make_receiver(
    ReceiverConfig const& receiver) {
  if (receiver.type == "live") return live->make_receiver();
  auto const at = std::find_if(archives.begin(), archives.end(),
                               [&](api::Archive const& a) { return a.receiver == receiver.name; });
  HEADRACE_ASSERT(at != archives.end(), "a receiver of documents without its store");
  return receivers::documents::make_documents_receiver(
      receiver.name, *stores[static_cast<std::size_t>(at - archives.begin())],
      {.body_bytes_max = receiver.body_bytes_max});
}

base::Result<void> Service::Parts::make_dispatcher() {
  std::vector<dispatch::Route> routes;
  for (auto const& receiver : config.receivers) {
    dispatch::Route route;
    route.name = receiver.name;
    HEADRACE_TRY(route.receiver, make_receiver(receiver));
    for (auto const& type : receiver.data_types) {
      auto const* entry = ingest->types().find(type);
      route.subscriptions.push_back({.topic = entry->topic, .type = entry->type});
    }
    route.options.required = receiver.required;
    route.options.from = receiver.type == "live" ? dispatch::From::kAlwaysEnd
                         : receiver.from_begin   ? dispatch::From::kBegin
                                                 : dispatch::From::kEnd;
    route.options.batch_bytes_max = receiver.batch_bytes_max;
    route.options.dead_letters_max = receiver.dead_letters_max;
    route.options.retry_min = receiver.retry_min;
    route.options.retry_max = receiver.retry_max;
    route.options.hang_after = receiver.hang_after;
    if (receiver.type == "live") route.options.checkpoint_interval = std::chrono::seconds(5);
    routes.push_back(std::move(route));
  }
  dispatcher = std::make_unique<dispatch::Dispatcher>(
      dispatch::Dispatcher::Dependencies{.broker = *broker,
                                         .clock = clock,
                                         .metrics = metrics,
                                         .directory = data->file("dispatch"),
                                         .seed = static_cast<std::uint64_t>(clock.now().ns)},
      std::move(routes));
  return {};
}

void Service::Parts::make_api() {
  std::vector<api::ReceiverType> types;
  for (auto const& receiver : config.receivers) types.push_back({receiver.name, receiver.type});
  api = std::make_unique<api::Api>(api::ApiOptions{.version = std::string(version()),
                                                   .broker_type = config.broker.type,
                                                   .query_threads = config.api.query_threads,
                                                   .query_queue = config.api.query_queue,
                                                   .query_timeout = config.api.query_timeout,
                                                   .fresh_wait = config.api.fresh_wait},
                                   api::ApiDeps{.threads = *threads,
                                                .authenticator = *authenticator,
                                                .broker = *broker,
                                                .dispatcher = *dispatcher,
                                                .ingest = *ingest,
                                                .metrics = metrics,
                                                .clock = clock,
                                                .archives = archives,
                                                .receiver_types = std::move(types),
                                                .live = live.get()});
}

base::Result<void> Service::Parts::make_server() {
  net::HttpServerOptions http;
  HEADRACE_TRY(auto const tls, make_tls(config, *data));
  for (auto const& address : config.http.listen) {
    if (options.commands)
      http.listeners = {{.address = "127.0.0.1", .port = 0, .tls = std::nullopt}};
    else
      http.listeners.push_back({.address = address.host, .port = address.port, .tls = tls});
  }
  http.authorize = [this](net::RequestHead const& head) { return authenticator->admit(head); };
  http.body_bytes_before_auth_max = config.anonymous_bytes_max;
  http.header_bytes_max = config.http.header_bytes_max;
  http.connections_max = http.connections_per_peer_max = config.http.connections_max;
  http.header_timeout = in_ms(config.http.header_timeout);
  http.idle_timeout = in_ms(config.http.idle_timeout);
  http.body_grace = in_ms(config.http.body_grace);
  server = std::make_unique<net::HttpServer>(*threads, std::move(http));
  if (api) api->add_routes(*server);
  api::add_users_routes(*server, *authenticator);
  if (!options.commands) {
    if (config.http_messages_enabled) ingest::http_messages::add_route(*server, *ingest);
    if (config.agent_websocket.enabled) {
      auto const& a = config.agent_websocket;
      agent_websocket = std::make_unique<ingest::agent_websocket::AgentWebSocket>(
          ingest::agent_websocket::Config{
              .path = a.path,
              .window_messages = static_cast<std::uint32_t>(a.window_messages),
              .window_bytes = static_cast<std::uint32_t>(a.window_bytes),
              .hello_timeout = in_ms(a.hello_timeout),
              .ping_interval = in_ms(a.ping_every)},
          *ingest);
      agent_websocket->add_route(*server);
    }
    server->websocket("/live", live->acceptor());
  }
  return server->start();
}

base::Result<void> Service::Parts::make_demo() {
  if (!options.demo) return {};
  auto agent_config = config;
  agent_config.agent.server = fmt::format("{}://127.0.0.1:{}{}", config.http.tls() ? "wss" : "ws",
                                          server->ports().front(), config.agent_websocket.path);
  agent_config.agent.tls_verify = false;  // our own listener
  if (identity->has_users()) {
    HEADRACE_TRY(auto const token,
                 base::read_file(base::real_file_system(), identity->admin_token_path(), 4096));
    agent_config.agent.token = token.substr(0, token.find_last_not_of(" \r\n") + 1);
  }
  if (agent_config.agent.spool_path.empty())
    agent_config.agent.spool_path = data->file("demo-agent");
  HEADRACE_TRY(demo_agent, make_agent(agent_config));
  return demo_agent->start();
}

// A command must find the receivers' state open; one that cannot start keeps nobody waiting long.
void Service::Parts::await_receivers() {
  auto const until = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  auto const starting = [](dispatch::ReceiverStatus const& s) {
    return s.state == dispatch::ReceiverState::kStarting;
  };
  while (std::chrono::steady_clock::now() < until) {
    auto const all = dispatcher->status();
    if (std::none_of(all.begin(), all.end(), starting)) return;
    std::this_thread::sleep_for(milliseconds(2));
  }
}

base::Result<void> Service::Parts::start() {
  HEADRACE_TRY_VOID(make_data());
  threads = std::make_unique<net::IoThreads>(static_cast<unsigned>(config.threads));
  if (options.users_only) {
    HEADRACE_TRY_VOID(make_identity());
    threads->start();
    return make_server();
  }
  HEADRACE_TRY_VOID(open_files());
  threads->start();
  HEADRACE_TRY_VOID(make_ingest());
  make_live();
  HEADRACE_TRY_VOID(make_dispatcher());
  make_api();
  HEADRACE_TRY_VOID(dispatcher->start());  // required receivers hold what they need from here on
  broker->release(kStartUpHolder);
  if (options.commands) await_receivers();
  api->start();
  live->start();
  HEADRACE_TRY_VOID(make_server());
  return make_demo();
}

base::Result<void> Service::Parts::stop(std::chrono::nanoseconds deadline) {
  if (std::exchange(stopped, true)) return {};
  auto const until = std::chrono::steady_clock::now() + deadline;
  auto const left = [until] {
    return std::max(milliseconds(0),
                    std::chrono::ceil<milliseconds>(until - std::chrono::steady_clock::now()));
  };
  if (api) api->stopping();
  if (demo_agent) demo_agent->stop();
  if (server) server->stop(left() / 2);
  if (api) api->stop();
  if (live) live->stop();
  base::Result<void> ended;
  if (dispatcher) ended = dispatcher->stop(until);
  if (broker) broker->stop();
  if (ingest) ingest->close();
  if (threads) threads->stop();
  if (identity) identity->close();
  return ended;
}

Service::Service(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Service::~Service() { static_cast<void>(parts_->stop(std::chrono::nanoseconds(0))); }

base::Result<std::unique_ptr<Service>> Service::start(Config config, ServiceOptions options) {
  std::unique_ptr<Service> service(
      new Service(std::make_unique<Parts>(std::move(config), options)));
  HEADRACE_TRY_VOID(service->parts_->start());
  if (!options.commands) HEADRACE_TRY_VOID(service->parts_->data->announce(service->url()));
  return service;
}

std::vector<std::uint16_t> Service::ports() const { return parts_->server->ports(); }

std::string Service::url() const {
  auto const& http = parts_->config.http;
  ListenAddress shown = http.listen.front();
  if (parts_->options.commands || shown.host == "0.0.0.0") shown.host = "127.0.0.1";
  if (shown.host == "::") shown.host = "::1";
  shown.port = ports().front();
  return fmt::format("{}://{}", http.tls() && !parts_->options.commands ? "https" : "http",
                     to_string(shown));
}

std::string Service::admin_token_path() const {
  return parts_->identity->admin_token_path().string();
}
base::Result<void> Service::reload_tls() { return parts_->server->reload_tls(); }
base::Result<void> Service::stop(std::chrono::nanoseconds deadline) {
  return parts_->stop(deadline);
}

}  // namespace headrace::app
