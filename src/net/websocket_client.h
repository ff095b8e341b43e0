// SPDX-License-Identifier: Apache-2.0
// WebSocketClient: connects to a WebSocket server; the handler is the same as on the server's side.
//   Threads:  made, used and destroyed on its IoThread. Name service is asked on a thread of its
//   own. Lifetime: the client object holds the connection: destroying it aborts, without further
//   callbacks. Errors:   on_failed, once, instead of on_open: invalid_argument (URL), unavailable
//   (name, refused, TLS, not a WebSocket),
//             timed_out, denied or unauthenticated (403, 401); context names the address and, for a
//             refusal, status and body.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "net/http_types.h"
#include "net/io_threads.h"
#include "net/tls.h"
#include "net/websocket.h"

namespace headrace::net {

struct WebSocketClientOptions {
  std::string url = {};  // ws://host:port/path or wss://
  HeaderFields headers = {};
  std::vector<std::string> subprotocols = {};         // offered, in order of preference
  std::chrono::milliseconds connect_timeout{10'000};  // until the upgrade is answered
  TlsClientOptions tls = {};
  WebSocketOptions socket = {};
};

class WebSocketClient {
 public:
  using OnFailed = std::function<void(base::Error const&)>;
  // Returns at once; on_open or on_failed comes later, from the loop.
  WebSocketClient(IoThread& thread, WebSocketClientOptions options,
                  std::unique_ptr<WebSocketHandler> handler, OnFailed on_failed);
  ~WebSocketClient();
  WebSocketClient(WebSocketClient const&) = delete;
  WebSocketClient& operator=(WebSocketClient const&) = delete;

  struct Impl;

 private:
  std::shared_ptr<Impl> impl_;
};

}  // namespace headrace::net
