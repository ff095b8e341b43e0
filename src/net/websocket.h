// SPDX-License-Identifier: Apache-2.0
// WebSocket (RFC 6455), both roles: what a handler gets and what it can do. permessage-deflate is
// never negotiated.
//   Threads:  a WebSocket and its handler live on one IoThread; every call in both directions is
//   made there. Lifetime: the connection owns the handler. The WebSocket is valid from on_open
//   until on_closed returns; then the handler is
//             destroyed. A handler must not destroy itself; it may call anything on its WebSocket
//             from within any callback.
//   Cost:     an idle connection costs under 1 KB here. One socket read delivers all frames in it,
//   unmasked in place.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "net/address.h"
#include "net/http_types.h"
#include "net/io_threads.h"

namespace headrace::net {

enum class MessageKind : unsigned char { kText, kBinary };

// RFC 6455 7.4.1.
enum class CloseCode : std::uint16_t {
  kNormal = 1000,
  kGoingAway = 1001,
  kProtocolError = 1002,
  kUnsupportedData = 1003,
  kNoStatus = 1005,  // never sent: the peer's close had no code
  kAbnormal = 1006,  // never sent: the connection ended without a close
  kInvalidData = 1007,
  kPolicyViolation = 1008,
  kTooBig = 1009,
  kInternalError = 1011,
  kTryAgainLater = 1013,
};

struct WebSocketOptions {
  std::size_t message_bytes_max = 8u << 20;  // a larger one closes with 1009
  bool validate_utf8 = true;  // of text messages; false: the handler does it (and closes with 1007)
  std::chrono::milliseconds ping_interval{
      25'000};  // after so long without a byte from the peer a ping goes out; 0: none
  std::chrono::milliseconds idle_timeout{
      60'000};  // so long without a byte from the peer ends the connection; 0: never
  std::chrono::milliseconds close_timeout{5'000};  // for the peer's half of the close handshake
  std::size_t pending_bytes_max = 16u << 20;       // unsent bytes; send returns false beyond
};

class WebSocket {
 public:
  // One message, one frame. Sends made inside a callback leave together in one write when the
  // callbacks of that read have returned. False: nothing was taken, because the connection is
  // closing or pending_bytes_max would be passed.
  virtual bool send_text(std::string_view text) = 0;
  virtual bool send_binary(std::string_view bytes) = 0;
  // Starts the close handshake; frames already sent go first; no message is delivered after it.
  // Repeated calls do nothing.
  virtual void close(CloseCode code, std::string_view reason) = 0;
  // Ends the connection at once, without handshake. on_closed comes later, from the loop.
  virtual void abort() = 0;
  // Stops delivery (the kernel's window then holds the sender back). Takes effect at once: frames
  // of the current read that were not delivered yet are kept. Idle timeout and pings rest
  // meanwhile.
  virtual void pause_reading() = 0;
  virtual void resume_reading() = 0;
  virtual bool reading_paused() const = 0;
  // The bound of WebSocketOptions from the next frame on: small until the peer has said who it is.
  virtual void set_message_bytes_max(std::size_t bytes) = 0;
  virtual std::size_t pending_bytes() const = 0;  // taken by send and not yet taken by the kernel
  virtual IoThread& thread() const = 0;
  virtual SocketAddress const& peer() const = 0;
  virtual std::string_view subprotocol() const = 0;  // as agreed; "" when none

 protected:
  ~WebSocket() = default;
};

class WebSocketHandler {
 public:
  virtual ~WebSocketHandler() = default;
  virtual void on_open(WebSocket& socket) = 0;
  // A whole message. `payload` may be changed in place and is gone when the call returns; at least
  // 64 bytes after its end are readable, so that block-wise parsers need no copy.
  virtual void on_message(MessageKind kind, std::span<char> payload) = 0;
  // After the last message of one socket read, once, when there was at least one message.
  virtual void on_read_end() {}
  // Everything taken by send has been given to the kernel, after it had not been at some moment.
  virtual void on_drained() {}
  // Last call, once. `code` is the peer's, ours when we closed, kAbnormal when the connection
  // broke.
  virtual void on_closed(CloseCode code, std::string_view reason) = 0;
  // The server drains; from now on a peer has one second at most for its half of a close. The
  // default closes with 1001; an override may finish work first, until
  // stop()'s deadline.
  virtual void on_stopping(WebSocket& socket) {
    socket.close(CloseCode::kGoingAway, "server is stopping");
  }
};

// What an acceptor answers to an upgrade request.
struct Accepted {
  std::unique_ptr<WebSocketHandler> handler = {};
  std::string subprotocol = {};  // one that the client offered, or ""
  WebSocketOptions options = {};
};
// A Response refuses. Called on the connection's thread.
using WebSocketAcceptor =
    std::function<std::variant<Response, Accepted>(Request const& request, IoThread& thread)>;

// The first of `supported` that the request offers; "" when none.
std::string choose_subprotocol(RequestHead const& head,
                               std::span<std::string_view const> supported);

}  // namespace headrace::net
