// SPDX-License-Identifier: Apache-2.0
// HttpConnection: the server's side of HTTP/1.1 on one Connection: one request at a time, in order;
// what is pipelined waits.
//   Threads: the connection's.   Lifetime: the Connection owns it; Responders hold the Connection.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "net/http_server.h"
#include "net/impl/connection.h"
#include "net/impl/http_parser.h"
#include "net/impl/http_writer.h"
#include "net/impl/receiving_budget.h"
#include "net/impl/router.h"

namespace headrace::net {

struct ServerCounters {
  explicit ServerCounters(std::size_t receiving_bytes_max) : receiving(receiving_bytes_max) {}
  std::atomic<std::uint64_t> requests{0}, responses_4xx{0}, responses_5xx{0}, timeouts{0};
  std::atomic<std::uint64_t> websockets_open{0}, websockets{0};
  ReceivingBudget receiving;
};

class HttpConnection final : public Protocol {
 public:
  HttpConnection(Connection& connection, HttpServerOptions const& options, Router const& router,
                 ServerCounters& counters, std::uint16_t local_port);

  void on_bytes(std::span<char> bytes) override;
  void on_peer_end() override;
  void on_drained() override;
  void on_closed(std::string_view why) override;
  void on_stopping() override;

  // For Responder and ResponseWriter.
  bool live(std::uint32_t exchange) const {
    return exchange == exchange_ && !gone_ && stage_ != Stage::kReading;
  }
  void reply(std::uint32_t exchange, Response response);
  bool begin(std::uint32_t exchange, int status, HeaderFields const& headers);
  bool stream(std::uint32_t exchange, std::string_view bytes);
  void finish_stream(std::uint32_t exchange);
  void break_stream(std::uint32_t exchange);
  void set_drained_call(std::uint32_t exchange, std::function<void()> call);
  void set_closed_call(std::uint32_t exchange, std::function<void()> call);
  Connection& connection() { return connection_; }

 private:
  enum class Stage : unsigned char { kReading, kHandling, kStreaming };
  enum class Phase : unsigned char { kFirst, kIdle, kHead, kBody, kHandling };

  void process(std::span<char> bytes);
  bool take(HttpEvent event, std::span<char>& bytes);
  void hold(std::span<char> bytes);
  void accept_head();
  std::optional<Response> describe_request();
  std::optional<Response> check_request();
  std::optional<Response> check_route();
  std::optional<Response> check_body_head();
  std::optional<Response> admit();
  void refuse_head(Response response);
  void accept_body(std::span<char> piece);
  void refuse_now(Response response);  // and close
  void dispatch();
  void call_handler(std::span<char> body);
  std::optional<Response> unpack_body(std::span<char>& body, PaddedBuffer& unpacked);
  std::optional<Response> check_upgrade() const;
  void upgrade(std::span<char>& bytes);
  void send_response(Response const& response);
  void send_head(ReplyHead head);
  void complete();
  void set_phase(Phase phase);
  void update_phase();
  std::chrono::nanoseconds phase_limit() const;
  void on_timer();
  void phase_over();
  bool wants_upgrade() const;
  bool keeps_alive() const;

  Connection& connection_;
  HttpServerOptions const& options_;
  Router const& router_;
  ServerCounters& counters_;
  HttpParser parser_;
  Request request_;
  std::string decoded_path_;
  RoutedPath const* routed_ = nullptr;
  Route const* route_ = nullptr;
  std::optional<Response> refusal_;  // of the request whose body is being read off
  PaddedBuffer body_;                // of a body that came in pieces
  ReceivingShare receiving_;
  std::span<char> whole_body_;  // of one that came whole, where it lies
  std::size_t body_bytes_max_ = 0;
  std::uint64_t body_received_ = 0;
  PaddedBuffer held_;  // pipelined bytes while a request is handled
  std::function<void()> drained_call_, closed_call_;
  Timer timer_ = Timer::calling<&HttpConnection::on_timer>(this);
  std::chrono::steady_clock::time_point phase_since_, progress_since_;
  std::uint64_t progress_mark_ = 0;
  std::uint32_t exchange_ = 0;
  std::uint16_t local_port_;
  Stage stage_ = Stage::kReading;
  Phase phase_ = Phase::kFirst;
  bool processing_ = false, gone_ = false, draining_ = false, peer_ended_ = false;
  bool close_after_ = false, chunked_reply_ = false, bodiless_reply_ = false,
       wants_drained_ = false;
  bool upgraded_ = false;
};

}  // namespace headrace::net
