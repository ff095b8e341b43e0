// SPDX-License-Identifier: Apache-2.0
// GET /api/v1/messages. Threads: as net::Handler. Lifetime: `context` outlives the server.
#pragma once

#include "api/impl/context.h"
#include "net/http_server.h"

namespace headrace::api {

void add_messages_route(net::HttpServer& server, Context& context);

}  // namespace headrace::api
