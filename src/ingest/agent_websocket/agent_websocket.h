// SPDX-License-Identifier: Apache-2.0
// The agent protocol over WebSocket: docs/protocols/agent-websocket.md.
//   Threads:  as net::WebSocketHandler. Sessions are shared by all io threads.
//   Lifetime: `ingest` outlives the server that has the route; the AgentWebSocket too.
//   Cost:     per idle connection under 600 bytes beside the socket's own.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "ingest/ingest.h"
#include "net/http_server.h"

namespace headrace::ingest::agent_websocket {

struct Config {
  std::string path = "/agent";
  std::uint32_t window_messages = 8192;
  std::uint32_t window_bytes = 256 * 1024;
  std::chrono::milliseconds hello_timeout{10'000};
  std::chrono::milliseconds ping_interval{30'000};
  // of whom the last settled number is remembered; the oldest go first
  std::size_t sessions_max = 100'000;
};

class AgentWebSocket {
 public:
  AgentWebSocket(Config config, Ingest& ingest);
  ~AgentWebSocket();
  void add_route(net::HttpServer& server);
  std::size_t open_sessions() const;

  struct Shared;

 private:
  std::shared_ptr<Shared> shared_;
};

}  // namespace headrace::ingest::agent_websocket
