// SPDX-License-Identifier: Apache-2.0
#include "net/http_server.h"

#include <unistd.h>

#include <cerrno>

#include "base/assert.h"
#include "base/log.h"
#include "net/impl/server_impl.h"
#include "net/impl/socket.h"

namespace headrace::net {

namespace {

constexpr int kAcceptsPerTurn = 64;
constexpr std::chrono::milliseconds kAcceptRetry{100};

// A connection above a bound gets one answer, at once and without state.
void refuse_connection(int fd, bool tls) {
  if (!tls) {
    static constexpr std::string_view kReply =
        "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nContent-Length: "
        "73\r\n"
        "Retry-After: 1\r\nConnection: close\r\n\r\n"
        R"({"error":{"code":"overloaded","message":"too many connections are open"}})";
    char scratch[4096];
    // What has come is taken, because closing with unread bytes would reset the connection and lose
    // the answer.
    while (::recv(fd, scratch, sizeof scratch, MSG_DONTWAIT) == sizeof scratch) {
    }
    (void)!::send(fd, kReply.data(), kReply.size(), MSG_NOSIGNAL);
    ::shutdown(fd, SHUT_WR);
  }
  ::close(fd);
}

}  // namespace

bool Admittance::enter(SocketAddress const& peer) {
  std::lock_guard const lock(mutex_);
  if (open_ >= max_) return false;
  auto& count = by_peer_[peer.ip];
  if (count >= per_peer_max_) {
    if (count == 0) by_peer_.erase(peer.ip);
    return false;
  }
  ++count;
  ++open_;
  return true;
}

void Admittance::leave(SocketAddress const& peer) {
  std::lock_guard const lock(mutex_);
  --open_;
  auto const at = by_peer_.find(peer.ip);
  if (at != by_peer_.end() && --at->second == 0) by_peer_.erase(at);
}

void ListenSocket::on_readable() {
  for (int i = 0; i < kAcceptsPerTurn; ++i) {
    SocketAddress peer;
    int const fd = accept_one(this->fd(), peer);
    if (fd >= 0) {
      server_.accepted(fd, peer, listener_);
      continue;
    }
    if (errno == EAGAIN || errno == EWOULDBLOCK) break;
    if (errno == EINTR || errno == ECONNABORTED) continue;
    // Out of descriptors or memory: asking again at once would spin.
    base::log_warn("cannot accept connections", {{"errno", errno}});
    retry_ = server_.io.at(0).schedule(kAcceptRetry, [this] { want_read(); });
    return;
  }
  want_read();
}

ServerThread::ServerThread(HttpServer::Impl& server, IoThread& thread)
    : counters(server.options.receiving_bytes_max), server_(server), thread_(thread) {}

void ServerThread::add(int fd, SocketAddress const& peer, std::uint32_t listener) {
  auto& state = *server_.listeners[listener];
  auto tls = state.tls ? TlsEngine::server(*state.tls) : nullptr;
  auto* const connection = new Connection(thread_, fd, peer, std::move(tls), this);
  connection->listener = listener;
  connection->next_in_owner = first_;
  if (first_ != nullptr) first_->previous_in_owner = connection;
  first_ = connection;
  connection->start(std::make_unique<HttpConnection>(*connection, server_.options, server_.router,
                                                     counters, state.address.port));
  if (server_.stopping) connection->stopping();
}

void ServerThread::on_gone(Connection& connection) {
  if (connection.previous_in_owner != nullptr)
    connection.previous_in_owner->next_in_owner = connection.next_in_owner;
  if (connection.next_in_owner != nullptr)
    connection.next_in_owner->previous_in_owner = connection.previous_in_owner;
  if (first_ == &connection) first_ = connection.next_in_owner;
  server_.connection_gone(connection.peer(), connection.listener);
}

// The calls only mark connections; they leave the list later, from the loop.
template <class Call>
void ServerThread::for_each(Call call) {
  for (auto* c = first_; c != nullptr; c = c->next_in_owner) call(*c);
}

void ServerThread::begin_stop() {
  for_each([](Connection& c) { c.stopping(); });
}
void ServerThread::cut_all() {
  for_each([](Connection& c) { c.abort("the server stopped"); });
}

HttpServer::Impl::Impl(IoThreads& t, HttpServerOptions o) : io(t), options(std::move(o)) {
  for (auto const& l : options.listeners)
    listeners.push_back(std::make_unique<ListenerState>(l, options));
  for (unsigned i = 0; i < io.count(); ++i)
    threads.push_back(std::make_unique<ServerThread>(*this, io.at(i)));
}

base::Result<void> HttpServer::Impl::open_listeners(std::vector<int>& sockets) {
  for (auto& l : listeners) {
    HEADRACE_TRY(l->address, parse_address(l->options.address, l->options.port));
    if (l->options.tls) {
      HEADRACE_TRY(l->tls, TlsServerContext::load(*l->options.tls));
    }
    HEADRACE_TRY(int const fd, listen_on(l->address));
    sockets.push_back(fd);
    l->address.port = local_port(fd);
  }
  return {};
}

void HttpServer::Impl::watch_listeners(std::vector<int> const& sockets) {
  io.run_on(0, [&] {
    for (std::uint32_t i = 0; i < sockets.size(); ++i) {
      listeners[i]->socket = Counted<ListenSocket>(new ListenSocket(*this, sockets[i], i));
      listeners[i]->socket->start();
    }
  });
}

void HttpServer::Impl::accepted(int fd, SocketAddress const& peer, std::uint32_t listener) {
  auto& state = *listeners[listener];
  if (!state.admittance.enter(peer)) {
    refused.fetch_add(1, std::memory_order_relaxed);
    return refuse_connection(fd, state.tls != nullptr);
  }
  total.fetch_add(1, std::memory_order_relaxed);
  {
    std::lock_guard const lock(mutex);
    ++open;
  }
  auto& target = *threads[next_thread++ % threads.size()];
  if (target.thread().is_current()) return target.add(fd, peer, listener);
  target.thread().post([&target, fd, peer, listener] { target.add(fd, peer, listener); });
}

void HttpServer::Impl::connection_gone(SocketAddress const& peer, std::uint32_t listener) {
  listeners[listener]->admittance.leave(peer);
  std::lock_guard const lock(mutex);
  if (--open == 0) emptied.notify_all();
}

bool HttpServer::Impl::wait_until_empty(std::chrono::steady_clock::time_point deadline) {
  std::unique_lock lock(mutex);
  return emptied.wait_until(lock, deadline, [&] { return open == 0; });
}

void HttpServer::Impl::wait_until_empty() {
  std::unique_lock lock(mutex);
  emptied.wait(lock, [&] { return open == 0; });
}

HttpServer::HttpServer(IoThreads& threads, HttpServerOptions options)
    : impl_(std::make_shared<Impl>(threads, std::move(options))) {}

HttpServer::~HttpServer() { stop(std::chrono::milliseconds(0)); }

void HttpServer::route(Method method, std::string path, Handler handler, RouteOptions options) {
  HEADRACE_ASSERT(!impl_->started, "routes are added before start");
  impl_->router.add(method, std::move(path), std::move(handler), options);
}

void HttpServer::websocket(std::string path, WebSocketAcceptor acceptor) {
  HEADRACE_ASSERT(!impl_->started, "routes are added before start");
  impl_->router.add_websocket(std::move(path), std::move(acceptor));
}

base::Result<void> HttpServer::start() {
  HEADRACE_ASSERT(!impl_->started, "HttpServer started twice");
  std::vector<int> sockets;
  if (auto opened = impl_->open_listeners(sockets); !opened) {
    for (int const fd : sockets) ::close(fd);
    return opened;
  }
  impl_->started = true;
  impl_->watch_listeners(sockets);
  return {};
}

std::vector<std::uint16_t> HttpServer::ports() const {
  std::vector<std::uint16_t> out;
  for (auto const& l : impl_->listeners) out.push_back(l->address.port);
  return out;
}

base::Result<void> HttpServer::reload_tls() {
  for (auto& l : impl_->listeners) {
    if (l->tls) HEADRACE_TRY_VOID(l->tls->reload());
  }
  return {};
}

void HttpServer::stop(std::chrono::milliseconds deadline) {
  if (!impl_->started || impl_->stopping.exchange(true)) return;
  auto const until = std::chrono::steady_clock::now() + deadline;
  impl_->io.run_on(0, [&] {
    for (auto& l : impl_->listeners) {
      l->socket->stop();
      l->socket = {};
    }
  });
  for (auto& t : impl_->threads) impl_->io.run_on(t->thread().index(), [&] { t->begin_stop(); });
  if (!impl_->wait_until_empty(until)) {
    for (auto& t : impl_->threads) impl_->io.run_on(t->thread().index(), [&] { t->cut_all(); });
    impl_->wait_until_empty();
  }
  // What the last connections still do on their threads is over then, too.
  for (auto& t : impl_->threads) impl_->io.run_on(t->thread().index(), [] {});
}

HttpServerStats HttpServer::stats() const {
  HttpServerStats out;
  out.connections_total = impl_->total.load(std::memory_order_relaxed);
  out.connections_refused_total = impl_->refused.load(std::memory_order_relaxed);
  {
    std::lock_guard const lock(impl_->mutex);
    out.connections_open = impl_->open;
  }
  auto const get = [](std::atomic<std::uint64_t> const& a) {
    return a.load(std::memory_order_relaxed);
  };
  for (auto const& t : impl_->threads) {
    out.websockets_open += get(t->counters.websockets_open);
    out.websockets_total += get(t->counters.websockets);
    out.requests_total += get(t->counters.requests);
    out.responses_4xx_total += get(t->counters.responses_4xx);
    out.responses_5xx_total += get(t->counters.responses_5xx);
    out.timeouts_total += get(t->counters.timeouts);
    out.bytes_in_total += get(t->bytes_in);
    out.bytes_out_total += get(t->bytes_out);
  }
  return out;
}

}  // namespace headrace::net
