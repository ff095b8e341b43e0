// SPDX-License-Identifier: Apache-2.0
#include "net/websocket_client.h"

#include <fmt/format.h>

#include <cstring>

#include "base/assert.h"
#include "net/impl/connection.h"
#include "net/impl/http_parser.h"
#include "net/impl/http_writer.h"
#include "net/impl/resolve.h"
#include "net/impl/socket.h"
#include "net/impl/websocket_connection.h"
#include "net/url.h"

namespace headrace::net {

namespace {

constexpr std::size_t kRefusalBytesMax = 512;  // of a refusal's body in the error text

// Waits until a connecting socket is decided.
class Connecting final : public Watch {
 public:
  using Decided = std::function<void(int fd, int error)>;
  Connecting(IoThread& thread, int fd, Decided decided)
      : Watch(thread.impl().loop, fd), decided_(std::move(decided)) {}
  void start() { want_write(); }
  void cancel() {
    decided_ = nullptr;
    close_fd();
  }

 private:
  ~Connecting() override = default;
  void on_readable() override {}
  void on_writable() override {
    auto const decided = std::exchange(decided_, nullptr);
    int const error = connect_error(fd());
    if (error != 0) close_fd();
    if (decided) decided(error == 0 ? release_fd() : -1, error);
  }
  Decided decided_;
};

}  // namespace

struct WebSocketClient::Impl : std::enable_shared_from_this<Impl> {
  Impl(IoThread& t, WebSocketClientOptions o, std::unique_ptr<WebSocketHandler> h, OnFailed f)
      : thread(t), options(std::move(o)), handler(std::move(h)), on_failed(std::move(f)) {}

  void start();
  void try_next();
  void connected(int fd);
  void fail(base::Error error);
  void give_up();
  base::Error unavailable(std::string_view why) const {
    return {base::ErrorCode::kUnavailable, fmt::format("{}: {}", options.url, why)};
  }

  IoThread& thread;
  WebSocketClientOptions options;
  Url url;
  std::unique_ptr<WebSocketHandler> handler;
  OnFailed on_failed;
  Addresses addresses;
  std::size_t next_address = 0;
  std::string last_error = "no address";
  Counted<Connecting> connecting;
  Counted<Connection> connection;
  WebSocketConnection* socket = nullptr;  // set when open; owned by the connection
  Timer timeout = Timer::calling<&Impl::on_timeout>(this);
  bool over = false;  // failed, opened or given up: nothing is reported any more

  void on_timeout() {
    fail({base::ErrorCode::kTimedOut, fmt::format("{}: no WebSocket within {} ms", options.url,
                                                  options.connect_timeout.count())});
  }
};

namespace {

// The upgrade request and its answer, then the exchange for a WebSocketConnection.
class ClientHandshake final : public Protocol {
 public:
  ClientHandshake(Connection& connection, std::shared_ptr<WebSocketClient::Impl> client)
      : connection_(connection), client_(std::move(client)), key_(make_key()) {}

  void send_request();
  void on_bytes(std::span<char> bytes) override;
  void on_peer_end() override {
    if (refused_) return finish_refusal();
    fail(client_->unavailable("the server closed the connection"));
  }
  void on_closed(std::string_view why) override { fail(client_->unavailable(why)); }
  void on_stopping() override {}

 private:
  void take_head(std::span<char>& bytes);
  std::string check_head() const;
  void finish_refusal();
  void fail(base::Error error) {
    auto const client = client_;
    client->fail(std::move(error));
  }

  Connection& connection_;
  std::shared_ptr<WebSocketClient::Impl> client_;
  std::string key_;
  HttpParser parser_{HttpRole::kResponse, {}};
  bool refused_ = false;
  int status_ = 0;
  std::string refusal_;
};

void ClientHandshake::send_request() {
  auto const& options = client_->options;
  std::string text = fmt::format(
      "GET {} HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {}\r\n",
      client_->url.target, client_->url.host_header(), key_);
  if (!options.subprotocols.empty()) {
    text += fmt::format("Sec-WebSocket-Protocol: {}\r\n", fmt::join(options.subprotocols, ", "));
  }
  for (auto const& [name, value] : options.headers) text += fmt::format("{}: {}\r\n", name, value);
  connection_.write(text += "\r\n");
}

void ClientHandshake::on_bytes(std::span<char> bytes) {
  while (!client_->over) {
    switch (parser_.next(bytes)) {
      case HttpEvent::kNeedMore: return;
      case HttpEvent::kFault: return fail(client_->unavailable(parser_.fault().message));
      case HttpEvent::kHead: take_head(bytes); break;
      case HttpEvent::kBody: {
        auto const piece = parser_.body_piece();
        auto const room = kRefusalBytesMax - std::min(refusal_.size(), kRefusalBytesMax);
        refusal_.append(piece.data(), std::min(room, piece.size()));
        if (refusal_.size() >= kRefusalBytesMax) return finish_refusal();
        break;
      }
      case HttpEvent::kEnd:
        if (refused_) return finish_refusal();
        break;
    }
  }
}

// "" when the answer is the one that RFC 6455 4.1 asks for.
std::string ClientHandshake::check_head() const {
  auto const& head = parser_.head();
  if (!list_has_token(head.header("upgrade").value_or(""), "websocket") ||
      !list_has_token(head.header("connection").value_or(""), "upgrade")) {
    return "the answer has no Upgrade: websocket";
  }
  if (head.header("sec-websocket-accept") != accept_key(key_))
    return "Sec-WebSocket-Accept is wrong";
  if (head.header("sec-websocket-extensions")) return "an extension was not asked for";
  auto const chosen = head.header("sec-websocket-protocol");
  auto const& offered = client_->options.subprotocols;
  if (chosen && std::find(offered.begin(), offered.end(), *chosen) == offered.end()) {
    return fmt::format("the subprotocol '{}' was not offered", *chosen);
  }
  return "";
}

void ClientHandshake::take_head(std::span<char>& bytes) {
  status_ = parser_.head().status;
  if (status_ == 101) {
    if (auto const wrong = check_head(); !wrong.empty()) return fail(client_->unavailable(wrong));
    auto const client = client_;
    client->over = true;
    client->timeout.cancel();
    Accepted accepted{std::move(client->handler),
                      std::string(parser_.head().header("sec-websocket-protocol").value_or("")),
                      client->options.socket};
    auto opened = std::make_unique<WebSocketConnection>(connection_, WebSocketRole::kClient,
                                                        std::move(accepted), nullptr);
    auto& socket = *opened;
    client->socket = &socket;
    connection_.become(std::move(opened), {});
    socket.open();
    if (!bytes.empty() && !connection_.closing()) socket.on_bytes(bytes);
    return;
  }
  refused_ = status_ >= 200;
}

void ClientHandshake::finish_refusal() {
  auto const code = status_ == 401   ? base::ErrorCode::kUnauthenticated
                    : status_ == 403 ? base::ErrorCode::kDenied
                    : status_ == 404 ? base::ErrorCode::kNotFound
                                     : base::ErrorCode::kUnavailable;
  fail({code, fmt::format("{}: the server answered {} {}: {}", client_->options.url, status_,
                          reason_phrase(status_), refusal_)});
}

}  // namespace

void WebSocketClient::Impl::start() {
  auto parsed = parse_url(options.url);
  for (auto const& [name, value] : options.headers) {
    if (!sendable(name, value))
      parsed =
          base::Error{base::ErrorCode::kInvalidArgument, "header '" + name + "' cannot be sent"};
  }
  if (!parsed) {
    thread.post([self = shared_from_this(), error = parsed.error()] { self->fail(error); });
    return;
  }
  url = *parsed;
  thread.arm(timeout, options.connect_timeout);
  resolve_later(thread, url.host, url.port,
                [weak = weak_from_this()](base::Result<Addresses> found) {
                  auto const self = weak.lock();
                  if (!self || self->over) return;
                  if (!found) return self->fail(self->unavailable(found.error().context));
                  self->addresses = *found;
                  self->try_next();
                });
}

void WebSocketClient::Impl::try_next() {
  if (next_address == addresses.size()) return fail(unavailable(last_error));
  auto const address = addresses[next_address++];
  auto fd = start_connect(address);
  if (!fd) {
    last_error = fd.error().context;
    return try_next();
  }
  connecting = Counted<Connecting>(
      new Connecting(thread, *fd, [weak = weak_from_this(), address](int socket_fd, int error) {
        auto const self = weak.lock();
        if (!self) return;
        self->connecting = {};
        if (error == 0) return self->connected(socket_fd);
        self->last_error =
            fmt::format("connect to {}: {}", to_string_with_port(address), std::strerror(error));
        self->try_next();
      }));
  connecting->start();
}

void WebSocketClient::Impl::connected(int fd) {
  std::unique_ptr<TlsEngine> tls;
  auto const address = addresses[next_address - 1];
  auto made = url.tls ? TlsEngine::client(options.tls, url.host)
                      : base::Result<std::unique_ptr<TlsEngine>>(nullptr);
  if (made) tls = std::move(*made);
  connection = Counted<Connection>(new Connection(thread, fd, address, std::move(tls), nullptr));
  if (!made) return fail(made.error());
  auto handshake = std::make_unique<ClientHandshake>(*connection, shared_from_this());
  auto& protocol = *handshake;
  connection->start(std::move(handshake));
  protocol.send_request();
}

void WebSocketClient::Impl::fail(base::Error error) {
  if (over) return;
  auto const keep = shared_from_this();
  auto const report = std::exchange(on_failed, nullptr);
  give_up();
  if (report) report(error);
}

void WebSocketClient::Impl::give_up() {
  over = true;
  timeout.cancel();
  if (connecting) connecting->cancel();
  connecting = {};
  if (connection && socket != nullptr && connection->protocol() == socket) {
    std::exchange(socket, nullptr)->forsake();
  } else if (connection && connection->protocol() != nullptr) {
    connection->abort("given up");
  }
  connection = {};
}

WebSocketClient::WebSocketClient(IoThread& thread, WebSocketClientOptions options,
                                 std::unique_ptr<WebSocketHandler> handler, OnFailed on_failed)
    : impl_(std::make_shared<Impl>(thread, std::move(options), std::move(handler),
                                   std::move(on_failed))) {
  HEADRACE_ASSERT(thread.is_current(), "a WebSocketClient is made on its io thread");
  impl_->start();
}

WebSocketClient::~WebSocketClient() { impl_->give_up(); }

}  // namespace headrace::net
