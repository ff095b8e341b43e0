// SPDX-License-Identifier: Apache-2.0
// Transfer: brings what the spool holds to the backend: connects, speaks the session, waits and
//           tries again.
//   Threads:  made anywhere; everything else on its IoThread. counts() from any thread.
//   Lifetime: the spool and the IoThread outlive it; destroyed on the IoThread.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>

#include "agent/agent.h"
#include "agent/impl/backoff.h"
#include "agent/impl/session.h"
#include "agent/impl/spool.h"
#include "net/io_threads.h"
#include "net/websocket_client.h"

namespace headrace::agent {

struct TransferCounts {
  bool connected = false;
  std::uint64_t sent = 0, acknowledged = 0, refused = 0, connects = 0;
  std::string last_error;
};

class Transfer {
 public:
  Transfer(net::IoThread& thread, Spool& spool, AgentOptions options);
  ~Transfer();

  void start();
  void more_spooled() { pump(); }
  // Sends what is left, says bye and calls `done` when all is settled or the connection is not
  // there.
  void drain(std::function<void()> done);
  TransferCounts counts() const;

 private:
  class Handler;
  void connect();
  void on_open(net::WebSocket& socket);
  void on_text(std::string_view text);
  void on_closed(std::uint16_t code, std::string_view reason);
  void on_failed(base::Error const& error);
  void on_timeout();
  void on_event(Welcome const& welcome);
  void on_event(Ack const& ack);
  void on_event(Nack const& nack);
  void on_event(ServerError const& error);
  void on_event(Nothing) {}
  void settle(std::uint64_t up_to);
  void pump();
  bool send_some();
  void refuse(std::uint64_t sequence, std::string_view code, std::string_view message);
  void end_connection(std::string_view reason);
  void try_again(Retry retry, std::string const& why);
  void end_drain();
  void note_error(std::string const& why);

  net::IoThread& thread_;
  Spool& spool_;
  AgentOptions const options_;
  Backoff backoff_;
  std::unique_ptr<net::WebSocketClient> client_;
  net::WebSocket* socket_ = nullptr;
  std::unique_ptr<Session> session_;
  net::Timer reply_timer_;  // for the welcome
  net::ScheduledCall reconnect_;
  std::set<std::uint64_t> put_aside_;  // messages that the backend cannot read
  unsigned bad_frames_ = 0;            // closes for a bad frame since the last ack
  bool one_by_one_ = false;
  bool reported_away_ = false;
  std::function<void()> drained_;  // set while draining
  bool ended_ = false;             // drained: no further attempts
  mutable std::mutex mutex_;
  TransferCounts counts_;
};

}  // namespace headrace::agent
