// SPDX-License-Identifier: Apache-2.0
// WebSocketConnection: RFC 6455 on one Connection, in either role.   Threads: the connection's.
//   Lifetime: the Connection owns it, it owns the handler; the handler goes right after on_closed.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "net/impl/connection.h"
#include "net/impl/receiving_budget.h"
#include "net/impl/websocket_codec.h"
#include "net/websocket.h"

namespace headrace::net {

class WebSocketConnection final : public Protocol, public WebSocket {
 public:
  WebSocketConnection(Connection& connection, WebSocketRole role, Accepted accepted,
                      std::atomic<std::uint64_t>* open_count, ReceivingBudget* budget = nullptr);
  ~WebSocketConnection() override;
  // After the connection has become this.
  void open();
  // Ends without further callbacks of the handler, which is destroyed.
  void forsake();

  void on_bytes(std::span<char> bytes) override;
  void on_peer_end() override;
  void on_drained() override;
  void on_closed(std::string_view why) override;
  void on_stopping() override;

  bool send_text(std::string_view text) override { return send(opcode::kText, text); }
  bool send_binary(std::string_view bytes) override { return send(opcode::kBinary, bytes); }
  void close(CloseCode code, std::string_view reason) override;
  void abort() override;
  void pause_reading() override { connection_.pause_reading(); }
  void resume_reading() override;
  bool reading_paused() const override { return connection_.reading_paused(); }
  void set_message_bytes_max(std::size_t bytes) override { options_.message_bytes_max = bytes; }
  std::size_t pending_bytes() const override { return connection_.pending_bytes(); }
  IoThread& thread() const override { return connection_.thread(); }
  SocketAddress const& peer() const override { return connection_.peer(); }
  std::string_view subprotocol() const override { return subprotocol_; }

 private:
  enum class State : unsigned char {
    kOpen,
    kClosing,
    kClosed
  };  // closing: our close frame has gone out

  bool send(std::uint8_t op, std::string_view payload);
  void send_frame(std::uint8_t op, std::string_view payload);
  void read_frames(std::span<char> bytes);
  void account();
  bool take(FrameEvent event);
  void peer_closes(CloseCode code, std::string_view reason);
  void tell_closed(CloseCode code, std::string_view reason);
  void on_timer();
  void arm_timer();

  Connection& connection_;
  std::unique_ptr<WebSocketHandler> handler_;
  WebSocketOptions options_;
  FrameReader reader_;
  PaddedBuffer held_;  // bytes not looked at because reading was paused
  ReceivingShare receiving_;
  std::string subprotocol_;
  Timer timer_ = Timer::calling<&WebSocketConnection::on_timer>(this);
  std::chrono::steady_clock::time_point last_byte_;
  std::atomic<std::uint64_t>* open_count_;
  std::uint64_t mask_state_;
  CloseCode our_code_ = CloseCode::kNormal;
  State state_ = State::kOpen;
  bool client_, opened_ = false, pinged_ = false, resume_posted_ = false, got_message_ = false;
};

}  // namespace headrace::net
