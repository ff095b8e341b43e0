// SPDX-License-Identifier: Apache-2.0
// AgentConnection: one agent of docs/protocols/agent-websocket.md over JSON, as cheap for the
// client as can be.
//   Threads: one.
#pragma once

#include <cstdint>
#include <deque>
#include <string>

#include "load/options.h"
#include "load/tcp.h"

namespace headrace::bench {

class AgentConnection {
 public:
  // Blocks until the server's welcome.
  AgentConnection(Options const& options, int number);

  // Queues `count` messages as one frame; `due` is when they should have left. They leave with the
  // next tcp().flush().
  void report(int count, Steady::time_point due);
  // Reads what came. Calls settle for each frame acknowledged: (messages, when they were due).
  template <typename Settle>
  void receive(Settle settle) {
    tcp_.read();
    handle_frames();
    while (!open_.empty() && open_.front().last <= acked_) {
      settle(open_.front().count, open_.front().due);
      outstanding_ -= open_.front().count;
      open_.pop_front();
    }
  }
  int outstanding() const { return outstanding_; }
  std::uint64_t nacked() const { return nacked_; }
  Tcp& tcp() { return tcp_; }

 private:
  struct Frame {
    std::uint64_t last;
    int count;
    Steady::time_point due;
  };
  void upgrade(Options const& options);
  void say_hello(Options const& options, int number);
  void handle_frames();
  void handle_text(std::string_view text);
  void append_body();
  void send_frame(std::uint8_t opcode);

  Tcp tcp_;
  std::string type_, padding_;
  std::string text_, frame_;  // kept for their capacity
  std::uint64_t next_ = 1, acked_ = 0, nacked_ = 0;
  int outstanding_ = 0;
  bool welcome_ = false;
  std::deque<Frame> open_;
};

}  // namespace headrace::bench
