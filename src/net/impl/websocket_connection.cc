// SPDX-License-Identifier: Apache-2.0
#include "net/impl/websocket_connection.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/uuid.h"

namespace headrace::net {

namespace {

// For the peer's half of the close once the server stops: a peer that is gone must not hold it up.
constexpr std::chrono::milliseconds kStoppingCloseTimeout{1'000};

// Masks only have to be unpredictable for what runs inside the client (RFC 6455 10.3); a generator
// per connection, seeded by
// the operating system, gives that without a system call per frame.
std::uint64_t random_seed() {
  std::array<std::byte, 8> bytes;
  base::random_bytes(bytes);
  return base::load<std::uint64_t>(bytes.data());
}

std::uint32_t next_mask(std::uint64_t& state) {
  std::uint64_t z = (state += 0x9E3779B97F4A7C15ull);
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
  return static_cast<std::uint32_t>(z >> 32);
}

}  // namespace

WebSocketConnection::WebSocketConnection(Connection& connection, WebSocketRole role,
                                         Accepted accepted, std::atomic<std::uint64_t>* open_count,
                                         ReceivingBudget* budget)
    : connection_(connection),
      handler_(std::move(accepted.handler)),
      options_(accepted.options),
      reader_(role),
      receiving_(budget),
      subprotocol_(std::move(accepted.subprotocol)),
      last_byte_(connection.thread().now()),
      open_count_(open_count),
      mask_state_(role == WebSocketRole::kClient ? random_seed() : 0),
      client_(role == WebSocketRole::kClient) {
  if (open_count_ != nullptr) open_count_->fetch_add(1, std::memory_order_relaxed);
}

WebSocketConnection::~WebSocketConnection() = default;

void WebSocketConnection::open() {
  opened_ = true;
  arm_timer();
  handler_->on_open(*this);
}

void WebSocketConnection::forsake() {
  state_ = State::kClosed;
  timer_.cancel();
  connection_.abort("given up");
  if (!connection_.in_callback()) return handler_.reset();
  // The caller may be one of the handler's own functions: it goes when they have returned.
  thread().post([handler = std::shared_ptr<WebSocketHandler>(std::move(handler_))] {});
}

void WebSocketConnection::on_bytes(std::span<char> bytes) {
  last_byte_ = connection_.thread().now();
  pinged_ = false;
  if (!held_.empty()) {
    held_.append(bytes.data(), bytes.size());
  } else {
    read_frames(bytes);
  }
  account();
}

void WebSocketConnection::account() {
  if (state_ == State::kClosed) return receiving_.release();
  if (receiving_.hold(reader_.kept_bytes() + held_.size())) return;
  constexpr std::string_view kWhy = "too much is being received; try again";
  if (state_ == State::kOpen)
    send_frame(opcode::kClose, close_payload(CloseCode::kTryAgainLater, kWhy));
  connection_.close_when_sent();
  tell_closed(CloseCode::kTryAgainLater, kWhy);
  reader_ = FrameReader(client_ ? WebSocketRole::kClient : WebSocketRole::kServer);
  receiving_.release();
}

// Delivers all whole frames; what is left when the handler pauses is kept.
void WebSocketConnection::read_frames(std::span<char> bytes) {
  while (state_ != State::kClosed && !connection_.closing()) {
    if (connection_.reading_paused() && state_ == State::kOpen) {
      held_.append(bytes.data(), bytes.size());
      break;
    }
    if (!take(reader_.next(bytes, options_))) break;
  }
  if (std::exchange(got_message_, false) && handler_ != nullptr) handler_->on_read_end();
}

bool WebSocketConnection::take(FrameEvent event) {
  switch (event) {
    case FrameEvent::kNeedMore: return false;
    case FrameEvent::kMessage:
      if (state_ != State::kOpen) return true;
      got_message_ = true;
      handler_->on_message(reader_.kind(), reader_.payload());
      return true;
    case FrameEvent::kPing: {
      // A peer that asks faster than it reads answers gets none: its frames are bounded by ours
      // that wait.
      auto const payload = reader_.payload();
      if (state_ == State::kOpen && connection_.pending_bytes() <= options_.pending_bytes_max) {
        send_frame(opcode::kPong, {payload.data(), payload.size()});
      }
      return true;
    }
    case FrameEvent::kPong: return true;
    case FrameEvent::kClose:
      peer_closes(reader_.close_code(), {reader_.payload().data(), reader_.payload().size()});
      return false;
    case FrameEvent::kFault: {
      auto const code = reader_.close_code();
      if (state_ == State::kOpen) send_frame(opcode::kClose, close_payload(code, reader_.fault()));
      connection_.close_when_sent();
      tell_closed(code, reader_.fault());
      return false;
    }
  }
  return false;
}

void WebSocketConnection::peer_closes(CloseCode code, std::string_view reason) {
  bool const ours_first = state_ == State::kClosing;
  if (!ours_first) send_frame(opcode::kClose, close_payload(code, ""));
  std::string const text(reason);
  connection_.close_when_sent();
  tell_closed(ours_first ? our_code_ : code, text);
}

void WebSocketConnection::tell_closed(CloseCode code, std::string_view reason) {
  state_ = State::kClosed;
  timer_.cancel();
  held_.release();
  // Its own, so that a handler that gives up the connection within on_closed does not destroy
  // itself.
  auto const handler = std::move(handler_);
  if (handler == nullptr) return;
  if (std::exchange(got_message_, false)) handler->on_read_end();
  handler->on_closed(code, reason);
}

bool WebSocketConnection::send(std::uint8_t op, std::string_view payload) {
  if (state_ != State::kOpen || connection_.closing()) return false;
  if (connection_.pending_bytes() + payload.size() > options_.pending_bytes_max) return false;
  send_frame(op, payload);
  return true;
}

void WebSocketConnection::send_frame(std::uint8_t op, std::string_view payload) {
  if (!client_) {
    // Header and payload are joined in the connection's output, not here.
    std::string head;
    append_frame_header(head, op, payload.size(), std::nullopt);
    connection_.within([&] {
      connection_.write(head);
      connection_.write(payload);
    });
    return;
  }
  std::string frame;
  append_frame(frame, op, payload, next_mask(mask_state_));
  connection_.write(frame);
}

void WebSocketConnection::close(CloseCode code, std::string_view reason) {
  if (state_ != State::kOpen || connection_.closing()) return;
  state_ = State::kClosing;
  our_code_ = code;
  held_.release();
  send_frame(opcode::kClose, close_payload(code, reason));
  if (connection_.reading_paused()) connection_.resume_reading();  // the peer's close is to be read
  connection_.thread().arm(timer_, options_.close_timeout);
}

void WebSocketConnection::abort() { connection_.abort("aborted"); }

void WebSocketConnection::resume_reading() {
  if (!connection_.reading_paused()) return;
  connection_.resume_reading();
  last_byte_ = connection_.thread().now();
  if (held_.empty() || std::exchange(resume_posted_, true)) return;
  // From the loop: the handler may be in the middle of on_message.
  thread().post([this, keep = Counted<Connection>(&connection_)] {
    resume_posted_ = false;
    if (state_ == State::kClosed || connection_.reading_paused()) return;
    connection_.within([&] {
      auto held = std::exchange(held_, {});
      read_frames(held.span());
      account();
    });
  });
}

void WebSocketConnection::on_peer_end() {
  connection_.abort("the peer closed the connection without a close frame");
}

void WebSocketConnection::on_drained() {
  if (state_ == State::kOpen && handler_ != nullptr) handler_->on_drained();
}

void WebSocketConnection::on_closed(std::string_view why) {
  timer_.cancel();
  receiving_.release();
  if (open_count_ != nullptr) open_count_->fetch_sub(1, std::memory_order_relaxed);
  if (state_ == State::kClosed) return;
  tell_closed(state_ == State::kClosing ? our_code_ : CloseCode::kAbnormal, why);
}

void WebSocketConnection::on_stopping() {
  options_.close_timeout = std::min(options_.close_timeout, kStoppingCloseTimeout);
  if (state_ == State::kClosing) connection_.thread().arm(timer_, options_.close_timeout);
  if (state_ == State::kOpen && handler_ != nullptr) handler_->on_stopping(*this);
}

void WebSocketConnection::arm_timer() {
  auto const none = std::chrono::milliseconds(0);
  auto const now = connection_.thread().now();
  std::chrono::nanoseconds next = std::chrono::hours(24 * 365);
  auto const silent = now - last_byte_;
  if (options_.idle_timeout != none)
    next = std::min<std::chrono::nanoseconds>(next, options_.idle_timeout - silent);
  if (options_.ping_interval != none && !pinged_) {
    next = std::min<std::chrono::nanoseconds>(next, options_.ping_interval - silent);
  }
  connection_.thread().arm(timer_,
                           std::max<std::chrono::nanoseconds>(next, std::chrono::milliseconds(1)));
}

void WebSocketConnection::on_timer() {
  if (state_ == State::kClosing) return connection_.abort("the peer did not answer the close");
  if (connection_.reading_paused()) last_byte_ = connection_.thread().now();
  auto const silent = connection_.thread().now() - last_byte_;
  auto const none = std::chrono::milliseconds(0);
  if (options_.idle_timeout != none && silent >= options_.idle_timeout) {
    return connection_.abort("nothing came from the peer within the idle timeout");
  }
  if (options_.ping_interval != none && silent >= options_.ping_interval &&
      !std::exchange(pinged_, true)) {
    send_frame(opcode::kPing, "");
  }
  arm_timer();
}

}  // namespace headrace::net
