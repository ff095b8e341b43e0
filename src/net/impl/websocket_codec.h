// SPDX-License-Identifier: Apache-2.0
// RFC 6455 frames, without sockets: FrameReader turns bytes that come in any pieces into messages
// and control frames; the
// append_ functions write frames.
//   Threads: one.   Cost: a frame that arrives whole is unmasked where it lies and delivered from
//            there; the incomplete tail of a
//   read is kept on the heap until its frame is whole, then freed.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "net/impl/padded_buffer.h"
#include "net/websocket.h"

namespace headrace::net {

enum class WebSocketRole : unsigned char { kServer, kClient };  // ours

enum class FrameEvent : unsigned char {
  kNeedMore,  // all input was taken or kept
  kMessage,   // kind(), payload()
  kPing,      // payload()
  kPong,      // payload()
  kClose,     // close_code(), payload() is the reason
  kFault,     // close_code() and fault(): close with them; every further call says the same
};

class FrameReader {
 public:
  explicit FrameReader(WebSocketRole role) : server_(role == WebSocketRole::kServer) {}

  // Takes bytes from the front of `input` and changes them; call again until kNeedMore or kFault.
  // payload() is valid until the
  // next call.
  FrameEvent next(std::span<char>& input, WebSocketOptions const& options);
  MessageKind kind() const { return kind_; }
  std::span<char> payload() const { return payload_; }
  CloseCode close_code() const { return close_code_; }
  std::string_view fault() const { return fault_; }
  std::size_t kept_bytes() const { return tail_.size() + message_.size(); }

 private:
  struct Frame {
    bool fin;
    std::uint8_t opcode;
    std::uint8_t header_bytes;
    std::uint32_t mask;
    std::uint64_t payload_bytes;
  };

  FrameEvent refuse(CloseCode code, char const* why);
  // The header at the front of `bytes`; nullopt: more is needed, or a fault.
  std::optional<Frame> parse_header(std::span<char const> bytes, WebSocketOptions const& options);
  char const* check_header(Frame const& frame, std::uint8_t first, bool masked) const;
  FrameEvent need_more_of(std::span<char>& input, WebSocketOptions const& options);
  FrameEvent accept(Frame const& frame, std::span<char> payload, WebSocketOptions const& options);
  FrameEvent accept_data(Frame const& frame, std::span<char> payload,
                         WebSocketOptions const& options);
  FrameEvent accept_close(std::span<char> payload);
  FrameEvent deliver(std::span<char> payload, WebSocketOptions const& options);

  bool server_;
  bool in_message_ = false;      // fragments of a message are under way
  bool tail_delivered_ = false;  // tail_ holds the payload handed out by the last call
  bool message_delivered_ = false;
  bool faulty_ = false;
  MessageKind kind_ = MessageKind::kText;
  CloseCode close_code_ = CloseCode::kNoStatus;
  char const* fault_ = "";
  std::span<char> payload_;
  PaddedBuffer tail_;     // an incomplete frame, header included
  PaddedBuffer message_;  // the fragments so far
};

// XORs `bytes` with the mask, whose bytes stand in memory order.
void apply_mask(std::span<char> bytes, std::uint32_t mask);

namespace opcode {
inline constexpr std::uint8_t kContinuation = 0, kText = 1, kBinary = 2, kClose = 8, kPing = 9,
                              kPong = 10;
}
void append_frame_header(std::string& out, std::uint8_t op, std::size_t payload_bytes,
                         std::optional<std::uint32_t> mask);
// Appends one final frame; `mask` for the client's role.
void append_frame(std::string& out, std::uint8_t op, std::string_view payload,
                  std::optional<std::uint32_t> mask);
// The payload of a close frame; the reason is cut to 123 bytes at a character's boundary. Empty for
// kNoStatus.
std::string close_payload(CloseCode code, std::string_view reason);
// RFC 6455 4.2.2: what the server answers to a Sec-WebSocket-Key.
std::string accept_key(std::string_view key);
// A fresh Sec-WebSocket-Key; true when `key` is base64 of 16 bytes.
std::string make_key();
bool is_key(std::string_view key);

}  // namespace headrace::net
