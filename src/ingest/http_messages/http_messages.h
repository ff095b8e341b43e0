// SPDX-License-Identifier: Apache-2.0 POST /api/v1/messages: one message, an array of them, or
// {"messages":[...]}, as JSON or MessagePack, plain, gzip or zstd. docs/protocols/http-messages.md
// has requests, replies and every refusal.
//   Threads:  the handler runs on the connection's io thread and never blocks; the reply leaves
//             when the log has settled.
//   Lifetime: `ingest` outlives the server that has the route.
#pragma once

#include "ingest/ingest.h"
#include "net/http_server.h"

namespace headrace::ingest::http_messages {

inline constexpr std::string_view kPath = "/api/v1/messages";

// Adds the route, with its options (size, unpacking). Authenticates by itself; works with or
// without an authorize hook.
void add_route(net::HttpServer& server, Ingest& ingest);

}  // namespace headrace::ingest::http_messages
