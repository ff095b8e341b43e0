// SPDX-License-Identifier: Apache-2.0
#include "api/impl/state_routes.h"

#include <fmt/format.h>

#include <functional>

#include "api/impl/parameters.h"
#include "api/impl/render.h"
#include "codec/json/json_write.h"

namespace headrace::api {
namespace {

constexpr std::string_view kReceivers = "/api/v1/receivers/", kSources = "/api/v1/sources/";
constexpr std::size_t kSourcesMax = 1000;

net::Response reply_or_error(base::Result<std::string> json) {
  return json ? net::json_response(200, std::move(*json)) : net::error_response(json.error());
}

// Everything the body of a list of sources needs.
std::string sources_json(Context& context, ingest::SourceQuery const& query) {
  auto const found = context.deps.ingest.sources().list(query, context.deps.ingest.types(),
                                                        context.deps.clock.now());
  std::string out = "{\"sources\":[";
  for (auto const& source : found) {
    if (out.back() != '[') out += ',';
    append_source(out, source);
  }
  out += "],\"next\":";
  if (found.size() == query.limit)
    codec::json::append_string(out, found.back().id);
  else
    out += "null";
  return out + "}";
}

base::Result<ingest::SourceQuery> read_source_query(net::RequestHead const& head) {
  HEADRACE_TRY(auto const parameters,
               Parameters::read(head, {"prefix", "type", "active", "limit", "cursor"}));
  ingest::SourceQuery query;
  HEADRACE_TRY(query.prefix, parameters.text("prefix"));
  HEADRACE_TRY(query.data_type, parameters.text("type"));
  HEADRACE_TRY(query.active, parameters.flag("active"));
  HEADRACE_TRY(query.limit, parameters.number("limit", 100, 1, kSourcesMax));
  HEADRACE_TRY(query.after, parameters.text("cursor"));
  return query;
}

void answer_source(Context& context, net::Request const& request, net::Responder responder) {
  auto const id = request.path.substr(kSources.size());
  auto const source =
      context.deps.ingest.sources().find(id, context.deps.ingest.types(), context.deps.clock.now());
  if (!source)
    return responder.send(
        net::error_response({base::ErrorCode::kNotFound,
                             fmt::format("source '{}' has not reported since the start", id)}));
  std::string out;
  append_source(out, *source);
  responder.send(net::json_response(200, std::move(out)));
}

}  // namespace

void add_receiver_routes(net::HttpServer& server, Context& context) {
  server.route(net::Method::kGet, "/api/v1/receivers",
               [&context](net::Request const&, net::Responder responder) {
                 answer_from_pool(context, std::move(responder), [&context] {
                   std::string out;
                   append_receivers(out, context);
                   return net::json_response(200, std::move(out));
                 });
               });
  server.route(net::Method::kGet, "/api/v1/receivers/*",
               [&context](net::Request const& request, net::Responder responder) {
                 std::string name(request.path.substr(kReceivers.size()));
                 answer_from_pool(context, std::move(responder), [&context, name] {
                   return reply_or_error(receiver_json(context, name));
                 });
               });
}

void add_source_routes(net::HttpServer& server, Context& context) {
  server.route(net::Method::kGet, "/api/v1/sources",
               [&context](net::Request const& request, net::Responder responder) {
                 auto query = read_source_query(request);
                 if (!query) return responder.send(net::error_response(query.error()));
                 answer_from_pool(context, std::move(responder), [&context, q = std::move(*query)] {
                   return net::json_response(200, sources_json(context, q));
                 });
               });
  server.route(net::Method::kGet, "/api/v1/sources/*",
               [&context](net::Request const& request, net::Responder responder) {
                 answer_source(context, request, std::move(responder));
               });
}

void add_status_route(net::HttpServer& server, Context& context, StatusBoard& board) {
  server.route(net::Method::kGet, "/api/v1/status",
               [&context, &board](net::Request const&, net::Responder responder) {
                 answer_from_pool(context, std::move(responder),
                                  [&board] { return net::json_response(200, board.json()); });
               });
}

void add_health_routes(net::HttpServer& server, Context& context) {
  net::RouteOptions const open{.authorize = false};
  server.route(
      net::Method::kGet, "/healthz",
      [](net::Request const&, net::Responder responder) {
        responder.send(net::text_response(200, "ok\n"));
      },
      open);
  server.route(
      net::Method::kGet, "/readyz",
      [&context](net::Request const&, net::Responder responder) {
        if (context.stopping.load()) return responder.send(net::text_response(503, "stopping\n"));
        auto const stats = context.deps.broker.stats();
        if (stats.fenced || stats.disk_full)
          return responder.send(
              net::text_response(503, "the broker takes nothing: " + stats.state + "\n"));
        responder.send(net::text_response(200, "ready\n"));
      },
      open);
}

void add_metrics_route(net::HttpServer& server, Context& context) {
  server.route(
      net::Method::kGet, "/metrics", [&context](net::Request const&, net::Responder responder) {
        answer_from_pool(context, std::move(responder), [&context] {
          auto response = net::text_response(200, context.deps.metrics.render());
          response.headers = {{"Content-Type", "text/plain; version=0.0.4; charset=utf-8"}};
          return response;
        });
      });
}

std::vector<receivers::live::LiveSource> list_live_sources(Context& context) {
  ingest::SourceQuery query;
  query.limit = kSourcesMax;
  std::vector<receivers::live::LiveSource> sources;
  for (auto const& info : context.deps.ingest.sources().list(query, context.deps.ingest.types(),
                                                             context.deps.clock.now())) {
    receivers::live::LiveSource source{.id = info.id, .stamp = 0, .json = {}};
    append_source(source.json, info);
    source.stamp = std::hash<std::string>{}(source.json);
    sources.push_back(std::move(source));
  }
  return sources;
}

}  // namespace headrace::api
