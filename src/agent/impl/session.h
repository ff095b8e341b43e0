// SPDX-License-Identifier: Apache-2.0
// Session: the agent's side of one connection of the agent protocol
//          (docs/protocols/agent-websocket.md, subprotocol
// headrace.v1.json) as a state machine over whole frames, without sockets, clock or disk.
//   Threads:  one.   Lifetime: one connection; a reconnect makes a new one.
//   Errors:   of on_frame(): invalid_argument for what the protocol does not allow; the caller
//             closes the connection.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "agent/impl/spool.h"
#include "base/error.h"
#include "codec/json/json.h"

namespace headrace::agent {

struct SessionIdentity {
  std::string source;
  base::Uuid session;
  std::uint32_t epoch = 0;
  std::string software;  // name and version, for people
};

struct Welcome {
  std::uint64_t settled = 0;  // everything up to here may be forgotten
  std::uint64_t highest = 0;  // new messages are numbered above
  std::string durability;
};
struct Ack {
  std::uint64_t settled = 0;
};
struct Nack {
  std::uint64_t first = 0, last = 0;
  std::string code, message;
};
struct ServerError {
  std::string code, message;
};
struct Nothing {};  // pong, and frames that a later version may add
using SessionEvent = std::variant<Nothing, Welcome, Ack, Nack, ServerError>;

// What to do after a connection has ended.
struct Retry {
  std::chrono::nanoseconds floor{0};  // wait at least about so long
  bool renew_session = false;         // the numbering belongs to another now
  bool frame_was_bad = false;         // the backend could not read a frame
};
Retry retry_after_close(std::uint16_t code);

class Session {
 public:
  // `messages_max`: messages in one frame. `one_by_one`: no batches, one outstanding (section 7 of
  // the protocol).
  Session(SessionIdentity identity, std::uint32_t messages_max, bool one_by_one);

  std::string hello() const;  // the first frame
  static std::string bye();
  base::Result<SessionEvent> on_frame(std::string_view text);

  struct Room {
    std::size_t messages = 0, bytes = 0;  // 0 messages: nothing may be sent now
  };
  Room room() const;
  // The number behind which to go on reading the spool.
  std::uint64_t sent_up_to() const { return sent_up_to_; }
  // Takes messages from the front of `messages` (ascending, above sent_up_to()) and writes one
  // frame to `frame` ("" when none of them can be sent). `unsendable`: the first message alone is
  // larger than the backend takes; it was passed over.
  struct Taken {
    std::size_t messages = 0;
    bool unsendable = false;
  };
  Taken take(std::span<SpooledMessage const> messages, std::string& frame);

  // Leaves a message out; a later ack covers its number.
  void pass_over(std::uint64_t sequence) { sent_up_to_ = std::max(sent_up_to_, sequence); }

  bool ready() const { return ready_; }
  std::size_t outstanding() const { return outstanding_messages_; }
  // The only message that is outstanding, when it is one; 0 otherwise.
  std::uint64_t only_outstanding() const {
    return outstanding_messages_ == 1 ? outstanding_.front().last : 0;
  }

 private:
  struct Frame {
    std::uint64_t last = 0;
    std::size_t messages = 0, bytes = 0;
  };
  base::Result<SessionEvent> on_welcome(codec::json::Value const& root);
  base::Result<SessionEvent> on_ack(codec::json::Value const& root);
  base::Result<SessionEvent> on_nack(codec::json::Value const& root);
  void append_message(std::string& out, SpooledMessage const& message,
                      SpooledMessage const& first) const;

  SessionIdentity const identity_;
  bool ready_ = false;
  std::uint64_t sent_up_to_ = 0;
  std::deque<Frame> outstanding_;
  std::size_t outstanding_messages_ = 0, outstanding_bytes_ = 0;
  std::size_t window_messages_ = 1, window_bytes_ = 1, frame_bytes_ = 64u << 10, batch_messages_;
  bool const one_by_one_;
  codec::json::Parser parser_;
};

}  // namespace headrace::agent
