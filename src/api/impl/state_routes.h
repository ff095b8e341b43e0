// SPDX-License-Identifier: Apache-2.0
// Routes that show state: receivers, sources, status, health, metrics. Threads: as net::Handler.
// Lifetime: as add_messages_route.
#pragma once

#include "api/impl/context.h"
#include "api/impl/status_board.h"
#include "net/http_server.h"

namespace headrace::api {

void add_receiver_routes(net::HttpServer& server, Context& context);
void add_source_routes(net::HttpServer& server, Context& context);
void add_status_route(net::HttpServer& server, Context& context, StatusBoard& board);
void add_health_routes(net::HttpServer& server, Context& context);
void add_metrics_route(net::HttpServer& server, Context& context);
void add_dead_letter_routes(net::HttpServer& server, Context& context);
void add_page_routes(net::HttpServer& server);

std::vector<receivers::live::LiveSource> list_live_sources(Context& context);

}  // namespace headrace::api
