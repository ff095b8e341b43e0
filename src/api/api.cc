// SPDX-License-Identifier: Apache-2.0
#include "api/api.h"

#include "api/impl/context.h"
#include "api/impl/messages_route.h"
#include "api/impl/pages.h"
#include "api/impl/state_routes.h"
#include "api/impl/status_board.h"

namespace headrace::api {

class Api::Impl {
 public:
  Impl(ApiOptions options, ApiDeps deps)
      : context_(std::move(options), std::move(deps)), board_(context_) {}

  void add_routes(net::HttpServer& server) {
    add_messages_route(server, context_);
    add_receiver_routes(server, context_);
    add_source_routes(server, context_);
    add_status_route(server, context_, board_);
    add_dead_letter_routes(server, context_);
    add_health_routes(server, context_);
    add_metrics_route(server, context_);
    server.route(net::Method::kGet, "/api/v1/openapi.json",
                 [](net::Request const&, net::Responder responder) {
                   responder.send({.status = 200,
                                   .headers = {{"Content-Type", "application/json"},
                                               {"Cache-Control", "no-cache"}},
                                   .body = {},
                                   .static_body = openapi_json()});
                 });
    add_page_routes(server);
    add_server_metrics(server);
    add_broker_metrics();
  }

  void start() {
    context_.query_pool.start();
    context_.side_pool.start();
    board_.start();
  }

  void stopping() { context_.stopping = true; }

  void stop() {
    board_.stop();
    context_.query_pool.stop();
    context_.side_pool.stop();
  }

  std::string status_json() { return board_.json(); }
  std::vector<receivers::live::LiveSource> sources() { return list_live_sources(context_); }

 private:
  using Emit = base::Registry::Emit;

  template <class Stats>
  void collect(std::string_view name, std::string_view help, std::string_view kind,
               std::function<Stats()> stats, std::uint64_t Stats::* member) {
    context_.deps.metrics.collector(name, help, kind,
                                    [stats = std::move(stats), member](Emit const& emit) {
                                      emit({}, static_cast<double>(stats().*member));
                                    });
  }

  void add_server_metrics(net::HttpServer const& server) {
    using S = net::HttpServerStats;
    std::function<S()> const stats = [&server] { return server.stats(); };
    collect<S>("headrace_net_connections_open", "Open connections.", "gauge", stats,
               &S::connections_open);
    collect<S>("headrace_net_connections_total", "Connections accepted.", "counter", stats,
               &S::connections_total);
    collect<S>("headrace_net_connections_refused_total", "Connections refused at the bound.",
               "counter", stats, &S::connections_refused_total);
    collect<S>("headrace_net_websockets_open", "Open WebSockets.", "gauge", stats,
               &S::websockets_open);
    collect<S>("headrace_net_requests_total", "HTTP requests.", "counter", stats,
               &S::requests_total);
    collect<S>("headrace_net_responses_4xx_total", "Replies that refused a request.", "counter",
               stats, &S::responses_4xx_total);
    collect<S>("headrace_net_responses_5xx_total", "Replies that tell of a failure.", "counter",
               stats, &S::responses_5xx_total);
    collect<S>("headrace_net_timeouts_total", "Connections that were too slow.", "counter", stats,
               &S::timeouts_total);
    collect<S>("headrace_net_received_bytes_total", "Bytes received.", "counter", stats,
               &S::bytes_in_total);
    collect<S>("headrace_net_sent_bytes_total", "Bytes sent.", "counter", stats,
               &S::bytes_out_total);
  }

  void add_broker_metrics() {
    using S = broker::BrokerStats;
    std::function<S()> const stats = [&broker = context_.deps.broker] { return broker.stats(); };
    collect<S>("headrace_broker_stored_bytes", "What the log holds.", "gauge", stats,
               &S::stored_bytes);
    collect<S>("headrace_broker_disk_budget_bytes", "What the log may hold; 0: no budget.", "gauge",
               stats, &S::disk_budget_bytes);
    collect<S>("headrace_broker_unsettled_bytes", "Appended and not yet settled.", "gauge", stats,
               &S::unsettled_bytes);
    collect<S>("headrace_broker_groups_total", "Groups written.", "counter", stats,
               &S::groups_total);
    collect<S>("headrace_broker_records_total", "Records written.", "counter", stats,
               &S::records_total);
    collect<S>("headrace_broker_bytes_total", "Bytes written.", "counter", stats, &S::bytes_total);
    collect<S>("headrace_broker_syncs_total", "Syncs.", "counter", stats, &S::syncs_total);
    auto& metrics = context_.deps.metrics;
    metrics.collector("headrace_broker_fenced", "1: an I/O error stopped the log.", "gauge",
                      [stats](Emit const& emit) { emit({}, stats().fenced ? 1 : 0); });
    metrics.collector("headrace_broker_disk_full", "1: the disk is full.", "gauge",
                      [stats](Emit const& emit) { emit({}, stats().disk_full ? 1 : 0); });
  }

  Context context_;
  StatusBoard board_;
};

Api::Api(ApiOptions options, ApiDeps deps)
    : impl_(std::make_unique<Impl>(std::move(options), std::move(deps))) {}
Api::~Api() { impl_->stop(); }
void Api::add_routes(net::HttpServer& server) { impl_->add_routes(server); }
void Api::start() { impl_->start(); }
void Api::stopping() { impl_->stopping(); }
void Api::stop() { impl_->stop(); }
std::string Api::status_json() { return impl_->status_json(); }
std::vector<receivers::live::LiveSource> Api::live_sources() { return impl_->sources(); }

}  // namespace headrace::api
