// SPDX-License-Identifier: Apache-2.0
// Responder and ResponseWriter, the streaming part of HttpConnection, and its timers.
#include <utility>

#include "net/http_server.h"
#include "net/impl/http_connection.h"

namespace headrace::net {

// Both hold the Connection, and with it the HttpConnection.
Responder::Responder(HttpConnection* connection, std::uint32_t exchange)
    : connection_(connection), exchange_(exchange) {
  connection_->connection().ref();
}
Responder::Responder(Responder&& other) noexcept
    : connection_(std::exchange(other.connection_, nullptr)), exchange_(other.exchange_) {}
Responder& Responder::operator=(Responder&& other) noexcept {
  if (this != &other) {
    drop();
    connection_ = std::exchange(other.connection_, nullptr);
    exchange_ = other.exchange_;
  }
  return *this;
}
Responder::~Responder() { drop(); }

void Responder::drop() {
  if (connection_ != nullptr)
    send(error_response(500, "internal", "the request was dropped without an answer"));
}

void Responder::send(Response response) {
  if (connection_ == nullptr) return;
  auto* const connection = std::exchange(connection_, nullptr);
  connection->reply(exchange_, std::move(response));
  connection->connection().unref();
}

ResponseWriter Responder::begin(int status, HeaderFields const& headers) {
  if (connection_ == nullptr) return {};
  auto* const connection = std::exchange(connection_, nullptr);
  ResponseWriter writer;
  if (connection->begin(exchange_, status, headers)) writer = ResponseWriter(connection, exchange_);
  connection->connection().unref();
  return writer;
}

void Responder::on_closed(std::function<void()> call) {
  if (connection_ != nullptr) connection_->set_closed_call(exchange_, std::move(call));
}
bool Responder::closed() const { return connection_ == nullptr || !connection_->live(exchange_); }
IoThread& Responder::thread() const { return connection_->connection().thread(); }

ResponseWriter::ResponseWriter(HttpConnection* connection, std::uint32_t exchange)
    : connection_(connection), exchange_(exchange) {
  connection_->connection().ref();
}
ResponseWriter::ResponseWriter(ResponseWriter&& other) noexcept
    : connection_(std::exchange(other.connection_, nullptr)), exchange_(other.exchange_) {}
ResponseWriter& ResponseWriter::operator=(ResponseWriter&& other) noexcept {
  if (this != &other) {
    drop();
    connection_ = std::exchange(other.connection_, nullptr);
    exchange_ = other.exchange_;
  }
  return *this;
}
ResponseWriter::~ResponseWriter() { drop(); }

void ResponseWriter::drop() {
  if (connection_ == nullptr) return;
  auto* const connection = std::exchange(connection_, nullptr);
  connection->break_stream(exchange_);
  connection->connection().unref();
}

bool ResponseWriter::write(std::string_view bytes) {
  return connection_ != nullptr && connection_->stream(exchange_, bytes);
}
void ResponseWriter::on_drained(std::function<void()> call) {
  if (connection_ != nullptr) connection_->set_drained_call(exchange_, std::move(call));
}
void ResponseWriter::on_closed(std::function<void()> call) {
  if (connection_ != nullptr) connection_->set_closed_call(exchange_, std::move(call));
}
bool ResponseWriter::closed() const {
  return connection_ == nullptr || !connection_->live(exchange_);
}

void ResponseWriter::finish() {
  if (connection_ == nullptr) return;
  auto* const connection = std::exchange(connection_, nullptr);
  connection->finish_stream(exchange_);
  connection->connection().unref();
}

bool HttpConnection::begin(std::uint32_t exchange, int status, HeaderFields const& headers) {
  if (!live(exchange)) return false;
  stage_ = Stage::kStreaming;
  bodiless_reply_ = request_.method == Method::kHead;
  chunked_reply_ = !request_.http10;
  if (request_.http10 || draining_ || peer_ended_) close_after_ = true;
  send_head({status,
             headers,
             chunked_reply_ ? ReplyFraming::kChunked : ReplyFraming::kUntilClose,
             0,
             close_after_,
             request_.http10,
             options_.server_name,
             {}});
  if (peer_ended_) connection_.abort("the peer closed within a response");
  return true;
}

bool HttpConnection::stream(std::uint32_t exchange, std::string_view bytes) {
  if (!live(exchange) || connection_.closing()) return false;
  if (!bodiless_reply_ && !bytes.empty()) {
    std::string piece;
    piece.reserve(bytes.size() + 24);
    if (chunked_reply_) append_chunk_head(piece, bytes.size());
    piece += bytes;
    if (chunked_reply_) piece += "\r\n";
    connection_.write(piece);
  }
  bool const room = connection_.pending_bytes() <= options_.pending_bytes_max;
  if (!room) {
    wants_drained_ = true;
    connection_.notify_when_drained();
  }
  return room;
}

void HttpConnection::finish_stream(std::uint32_t exchange) {
  if (!live(exchange)) return;
  connection_.within([&] {
    if (chunked_reply_ && !bodiless_reply_) connection_.write("0\r\n\r\n");
    complete();
  });
}

void HttpConnection::break_stream(std::uint32_t exchange) {
  if (!live(exchange)) return;
  closed_call_ = nullptr;
  connection_.abort("a response was not finished");
}

void HttpConnection::set_drained_call(std::uint32_t exchange, std::function<void()> call) {
  if (live(exchange)) drained_call_ = std::move(call);
}
void HttpConnection::set_closed_call(std::uint32_t exchange, std::function<void()> call) {
  if (live(exchange)) closed_call_ = std::move(call);
}

void HttpConnection::on_drained() {
  if (!std::exchange(wants_drained_, false) || !drained_call_) return;
  auto const call = drained_call_;  // it may replace itself
  call();
}

void HttpConnection::set_phase(Phase phase) {
  phase_ = phase;
  phase_since_ = progress_since_ = connection_.thread().now();
  progress_mark_ = connection_.sent_total();
  connection_.thread().arm(
      timer_, std::min<std::chrono::nanoseconds>(phase_limit(), options_.write_timeout));
}

void HttpConnection::update_phase() {
  if (connection_.closing()) return;
  Phase next = Phase::kHandling;
  if (stage_ == Stage::kReading) {
    bool const in_body = parser_.in_body();
    next = parser_.between_messages() ? Phase::kIdle : in_body ? Phase::kBody : Phase::kHead;
  }
  // The head's deadline runs from its first byte, a connection's first one from the start.
  if (phase_ == Phase::kFirst && next == Phase::kHead) return;
  if (next != phase_ || next == Phase::kIdle) set_phase(next);
}

std::chrono::nanoseconds HttpConnection::phase_limit() const {
  switch (phase_) {
    case Phase::kFirst:
    case Phase::kHead: return options_.header_timeout;
    case Phase::kIdle: return options_.idle_timeout;
    case Phase::kBody:
      return options_.body_grace +
             std::chrono::milliseconds(
                 body_received_ * 1000 /
                 std::max<std::size_t>(options_.body_bytes_per_second_min, 1));
    case Phase::kHandling: break;
  }
  return std::chrono::hours(24 * 365);  // the handler's own affair
}

void HttpConnection::on_timer() {
  auto const now = connection_.thread().now();
  if (connection_.pending_bytes() == 0 || connection_.sent_total() != progress_mark_) {
    progress_mark_ = connection_.sent_total();
    progress_since_ = now;
  } else if (now - progress_since_ >= options_.write_timeout) {
    counters_.timeouts.fetch_add(1, std::memory_order_relaxed);
    return connection_.abort("the peer does not read");
  }
  if (connection_.closing()) return connection_.thread().arm(timer_, options_.write_timeout);
  auto const elapsed = now - phase_since_;
  if (elapsed >= phase_limit()) return phase_over();
  connection_.thread().arm(
      timer_, std::min<std::chrono::nanoseconds>(phase_limit() - elapsed, options_.write_timeout));
}

void HttpConnection::phase_over() {
  if (phase_ == Phase::kIdle || parser_.between_messages()) return connection_.close_idle();
  counters_.timeouts.fetch_add(1, std::memory_order_relaxed);
  char const* const what =
      phase_ == Phase::kBody ? "the body came too slowly" : "the request's head came too slowly";
  refuse_now(error_response(408, "timed_out", what));
}

}  // namespace headrace::net
