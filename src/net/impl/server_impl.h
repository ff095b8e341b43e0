// SPDX-License-Identifier: Apache-2.0
// The inside of HttpServer: listeners and, per io thread, the connections that live there.
//   Threads: as marked.
#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "net/http_server.h"
#include "net/impl/connection.h"
#include "net/impl/http_connection.h"
#include "net/impl/router.h"

namespace headrace::net {

class ListenSocket;

// Counts connections of one listener, in all and by address. Any thread.
class Admittance {
 public:
  Admittance(std::size_t connections_max, std::size_t per_peer_max)
      : max_(connections_max), per_peer_max_(per_peer_max) {}
  bool enter(SocketAddress const& peer);
  void leave(SocketAddress const& peer);

 private:
  std::mutex mutex_;
  std::size_t const max_, per_peer_max_;
  std::size_t open_ = 0;
  std::map<std::array<std::uint8_t, 16>, std::size_t> by_peer_;
};

struct ListenerState {
  ListenerState(Listener o, HttpServerOptions const& server)
      : options(std::move(o)),
        admittance(server.connections_max, server.connections_per_peer_max) {}
  Listener options;
  SocketAddress address;  // with the port that was bound
  std::shared_ptr<TlsServerContext> tls;
  Admittance admittance;
  Counted<ListenSocket> socket;  // io thread 0
};

// The connections of one server on one io thread. Its lists belong to that thread; the counters may
// be read from any.
class ServerThread final : public ConnectionOwner {
 public:
  ServerThread(HttpServer::Impl& server, IoThread& thread);
  void add(int fd, SocketAddress const& peer, std::uint32_t listener);
  void on_gone(Connection& connection) override;
  void begin_stop();
  void cut_all();
  IoThread& thread() { return thread_; }
  ServerCounters counters;

 private:
  template <class Call>
  void for_each(Call call);

  HttpServer::Impl& server_;
  IoThread& thread_;
  Connection* first_ = nullptr;
};

struct HttpServer::Impl {
  Impl(IoThreads& t, HttpServerOptions o);

  base::Result<void> open_listeners(std::vector<int>& sockets);
  void watch_listeners(std::vector<int> const& sockets);
  void accepted(int fd, SocketAddress const& peer, std::uint32_t listener);  // io thread 0
  void connection_gone(SocketAddress const& peer, std::uint32_t listener);   // any thread
  bool wait_until_empty(std::chrono::steady_clock::time_point deadline);
  void wait_until_empty();

  IoThreads& io;
  HttpServerOptions options;
  Router router;
  std::vector<std::unique_ptr<ListenerState>> listeners;
  std::vector<std::unique_ptr<ServerThread>> threads;
  std::atomic<std::uint64_t> total{0}, refused{0};
  std::atomic<bool> stopping{false};
  unsigned next_thread = 0;  // io thread 0
  bool started = false;
  mutable std::mutex mutex;
  std::condition_variable emptied;
  std::size_t open = 0;  // under mutex
};

// Accepts on io thread 0.
class ListenSocket final : public Watch {
 public:
  ListenSocket(HttpServer::Impl& server, int fd, std::uint32_t listener)
      : Watch(server.io.at(0).impl().loop, fd), server_(server), listener_(listener) {}
  void start() { want_read(); }
  void stop() {
    retry_.cancel();
    close_fd();
  }

 private:
  ~ListenSocket() override = default;
  void on_readable() override;
  void on_writable() override {}

  HttpServer::Impl& server_;
  std::uint32_t listener_;
  ScheduledCall retry_;
};

}  // namespace headrace::net
