// SPDX-License-Identifier: Apache-2.0
// HttpServer: HTTP/1.1 and WebSocket over IoThreads. Connections are spread over the threads and
// stay where they are.
//   Threads:  construct, route, start, stop, stats, ports from one controlling thread, not an io
//   thread. Handlers, acceptors and
//             hooks are called on the connection's io thread, must not block, and must be callable
//             from all threads at once.
//   Lifetime: handlers live as long as the server. stop() before IoThreads::stop(). The destructor
//   stops at once. Bounds:   everything in HttpServerOptions; what exceeds a bound is answered
//   (413, 414, 431, 408, 503) and closed. Errors:   start(): invalid_argument (address,
//   certificate), io with address and errno (port in use). Bad requests are answered
//             with {"error":{"code","message"}}.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/error.h"
#include "net/http_types.h"
#include "net/io_threads.h"
#include "net/origin_check.h"
#include "net/tls.h"
#include "net/websocket.h"

namespace headrace::net {

class HttpConnection;

// A response in pieces, chunked (HTTP/1.0: until close). Move-only; on the connection's thread
// only. Destroying it without finish() breaks the connection, so that the client sees the response
// is not whole.
class ResponseWriter {
 public:
  ResponseWriter() = default;
  ResponseWriter(HttpConnection* connection, std::uint32_t exchange);
  ResponseWriter(ResponseWriter&&) noexcept;
  ResponseWriter& operator=(ResponseWriter&&) noexcept;
  ~ResponseWriter();
  // True: go on. False: enough is waiting (or the peer is gone): write again after on_drained. The
  // bytes were taken either way.
  bool write(std::string_view bytes);
  void on_drained(std::function<void()> call);  // replaces; called each time the output empties
                                                // after write returned false
  void on_closed(std::function<void()> call);   // the peer went away before finish()
  bool closed() const;
  void finish();

 private:
  void drop();
  HttpConnection* connection_ = nullptr;
  std::uint32_t exchange_ = 0;
};

// The right to answer one request, now or later. Move-only; on the connection's thread only
// (thread().post to get there). Destroying it without an answer sends 500.
class Responder {
 public:
  Responder() = default;
  Responder(HttpConnection* connection, std::uint32_t exchange);
  Responder(Responder&&) noexcept;
  Responder& operator=(Responder&&) noexcept;
  ~Responder();
  void send(Response response);  // once; does nothing when the peer has gone
  ResponseWriter begin(int status, HeaderFields const& headers);  // instead of send
  void on_closed(std::function<void()> call);  // the peer went away before the answer
  bool closed() const;
  IoThread& thread() const;

 private:
  void drop();
  HttpConnection* connection_ = nullptr;
  std::uint32_t exchange_ = 0;
};

using Handler = std::function<void(Request const&, Responder)>;

struct RouteOptions {
  std::size_t body_bytes_max = 1u << 20;  // as sent, and again after unpacking; more is 413
  bool unpack_body = false;  // accept Content-Encoding gzip and zstd; otherwise any encoding is 415
  bool authorize = true;     // false: the server's authorize hook is not asked (health, pages)
};

// What an authorize hook answers.
struct Admission {
  enum class Kind : unsigned char { kAllowed, kUndecided, kRefused };
  Kind kind = Kind::kAllowed;
  std::optional<Response> refusal;

  static Admission allowed() { return {}; }
  // The handler will decide (a password that takes a worker thread to check): the body is held to
  // body_bytes_before_auth_max.
  static Admission undecided() { return {Kind::kUndecided, {}}; }
  static Admission refused(Response response) { return {Kind::kRefused, std::move(response)}; }
};
using AuthorizeHook = std::function<Admission(RequestHead const&)>;

struct Listener {
  std::string address = "127.0.0.1";  // literal, or "localhost"
  std::uint16_t port = 0;             // 0: any free one; see ports()
  std::optional<TlsFiles> tls = {};
};

struct HttpServerOptions {
  std::vector<Listener> listeners = {};
  std::optional<OriginPolicy> origin_policy = {};  // checked for every request and upgrade
  // Asked once per request of an authorizing route, after its headers and before more than one read
  // of its body. Not asked for WebSocket upgrades: the acceptor decides there.
  AuthorizeHook authorize = {};
  std::size_t body_bytes_before_auth_max = 256u << 10;
  // Of bodies and WebSocket messages that are still coming in, over all connections of one io
  // thread: who holds more than 64 KiB when it is passed gets 503, or the close code 1013.
  std::size_t receiving_bytes_max = 128u << 20;
  std::size_t header_bytes_max =
      16u << 10;  // request line and all headers; more is 431 (414 when the target alone is)
  std::size_t header_count_max = 100;
  std::size_t connections_max = 20'000;              // per listener; excess gets 503 and is closed
  std::size_t connections_per_peer_max = 20'000;     // per listener and address
  std::chrono::milliseconds header_timeout{10'000};  // for the whole head; 408
  std::chrono::milliseconds idle_timeout{60'000};    // between requests
  std::chrono::milliseconds body_grace{
      10'000};  // the body may be slower than the rate for so long; 408
  std::size_t body_bytes_per_second_min = 1'000;
  std::chrono::milliseconds write_timeout{
      30'000};                               // so long without the peer taking a byte of a reply
  std::size_t pending_bytes_max = 1u << 20;  // of a streamed response: write returns false above
  std::string server_name = {};              // "Server" header; empty: none
};

struct HttpServerStats {
  std::uint64_t connections_open = 0, connections_total = 0, connections_refused_total = 0;
  std::uint64_t websockets_open = 0, websockets_total = 0;
  std::uint64_t requests_total = 0, responses_4xx_total = 0, responses_5xx_total = 0,
                timeouts_total = 0;
  std::uint64_t bytes_in_total = 0, bytes_out_total = 0;
};

class HttpServer {
 public:
  HttpServer(IoThreads& threads, HttpServerOptions options);
  ~HttpServer();
  HttpServer(HttpServer const&) = delete;
  HttpServer& operator=(HttpServer const&) = delete;

  // Before start(). `path` is exact ("/healthz") or, ending in "/*", a prefix
  // ("/api/v1/receivers/*" has everything below
  // "/api/v1/receivers/"; "/*" has all). Exact wins, then the longest prefix. Several methods may
  // share a path: others get 405 with Allow. HEAD is answered by the GET handler, without the body.
  // The same method and path twice is a bug: asserts.
  void route(Method method, std::string path, Handler handler, RouteOptions options = {});
  void websocket(std::string path, WebSocketAcceptor acceptor);

  base::Result<void> start();  // binds all listeners, or none
  // Ports in the order of the listeners.
  std::vector<std::uint16_t> ports() const;
  // Certificates from their files again; see TlsServerContext::reload.
  base::Result<void> reload_tls();
  // Stops accepting, closes idle connections, lets requests in flight finish and WebSockets close
  // (on_stopping); what is left at the deadline is cut. Returns when all connections are gone.
  // Idempotent.
  void stop(std::chrono::milliseconds deadline);
  HttpServerStats stats() const;  // any thread

  struct Impl;

 private:
  std::shared_ptr<Impl> impl_;
};

}  // namespace headrace::net
