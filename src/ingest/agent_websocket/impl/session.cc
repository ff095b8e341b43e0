// SPDX-License-Identifier: Apache-2.0
#include "ingest/agent_websocket/impl/session.h"

#include <algorithm>

namespace headrace::ingest::agent_websocket {

using base::Error;
using base::ErrorCode;
using codec::tape::Encoding;
using codec::tape::Value;

bool send(net::WebSocket& socket, Encoding encoding, std::string_view frame) {
  return encoding == Encoding::kJson ? socket.send_text(frame) : socket.send_binary(frame);
}

void close_with_error(net::WebSocket& socket, std::string& scratch, Encoding encoding,
                      std::uint16_t code, Error const& error) {
  write_error(scratch, encoding, error);
  send(socket, encoding, scratch);
  socket.close(static_cast<net::CloseCode>(code), close_reason(error.context));
}

Session::Session(std::shared_ptr<Shared> shared, net::WebSocket& socket, Encoding encoding,
                 identity::PrincipalPtr principal, SourcePtr source, base::Uuid const& session)
    : shared_(std::move(shared)),
      worker_(*shared_->workers.at(socket.thread().index())),
      socket_(&socket),
      principal_(std::move(principal)),
      source_(std::move(source)),
      id_(session),
      producer_(producer_of(source_->id())),
      generation_(shared_->ingest.deps().authenticator.identity().generation()),
      encoding_(encoding) {
  shared_->open_sessions.fetch_add(1, std::memory_order_relaxed);
  source_->connected(Protocol::kAgentWebSocket, shared_->ingest.deps().clock.now());
}

Session::~Session() = default;

void Session::on_gone() {
  flush();
  socket_ = nullptr;
  source_->disconnected();
  shared_->open_sessions.fetch_sub(1, std::memory_order_relaxed);
}

// ---- reading

void Session::begin_read() {
  if (read_open_) return;
  read_open_ = true;
  worker_.reading = {};
  worker_.records_messages = 0;
  auto const now = shared_->ingest.deps().clock.now();
  auto& identity = shared_->ingest.deps().authenticator.identity();
  if (auto const generation = identity.generation();
      generation != generation_ || principal_->expires <= now) {
    generation_ = generation;
    if (!identity.valid(*principal_))
      return fail(kCloseUnauthenticated, {ErrorCode::kUnauthenticated,
                                          "the credentials of this connection no longer hold"});
  }
  worker_.intake.begin(principal_, now);
  worker_.read_since = shared_->ingest.deps().clock.steady();
}

void Session::on_data(Value root, std::size_t frame_bytes) {
  std::size_t count = 0;
  if (!open_frame(root, count)) return;
  auto const first = worker_.outer.seq;
  last_received_ = first + count - 1;
  worker_.reading.last_sequence = last_received_;
  worker_.reading.messages += static_cast<std::uint32_t>(count);
  worker_.reading.bytes += static_cast<std::uint32_t>(
      std::min<std::size_t>(frame_bytes, UINT32_MAX / 2 - worker_.reading.bytes));
  if (!worker_.outer.messages) {
    Resolved resolved;
    if (first <= state_->settled())
      return shared_->ingest.accounting().repeated(Protocol::kAgentWebSocket, 1);
    if (!worker_.intake.resolve(worker_.outer, {nullptr, source_->id(), {}}, {}, resolved) ||
        !add(first, worker_.outer, resolved))
      nack(first, first, worker_.intake.decoder().error(), worker_.outer.type);
    return;
  }
  worker_.default_source =
      worker_.outer.source.empty() ? std::string_view(source_->id()) : worker_.outer.source;
  Defaults const defaults{
      worker_.outer.type, worker_.default_source,
      worker_.outer.has(Field::kTime) ? std::optional(worker_.outer.time) : std::nullopt};
  std::size_t index = 0;
  for (auto const message : worker_.outer.messages->elements()) {
    take(message, first + index, {Place::Root::kMessages, index}, defaults);
    ++index;
    if (failed_) return;  // the log took no more
  }
}

// Reads the frame's own keys. False: it was nacked as a whole, or the connection failed.
bool Session::open_frame(Value root, std::size_t& count) {
  constexpr auto kFrameFields = kMessageFields | fields({Field::kSeq, Field::kMessages});
  auto& outer = worker_.outer;
  auto& decoder = worker_.intake.decoder();
  bool const good = decoder.decode(root, kFrameFields, {}, worker_.intake.received(), outer);
  auto const refusal = good ? Error{} : decoder.error();
  auto const seq_value = outer.has(Field::kSeq) ? std::nullopt : root.find("seq");
  if (seq_value)
    outer.seq =
        static_cast<std::uint64_t>(std::max<std::int64_t>(0, seq_value->as_int64().value_or(0)));
  auto const messages = outer.messages ? outer.messages : root.find("messages");
  if (messages)
    for (auto it = messages->elements().begin(); it != messages->elements().end(); ++it) ++count;
  else
    count = 1;
  auto const most = shared_->ingest.config().limits.batch_messages_max;
  auto const bad_frame = [&](std::string why) {
    fail(kCloseBadFrame, {ErrorCode::kInvalidArgument, std::move(why)});
    return false;
  };
  constexpr std::uint64_t kSequenceMax = INT64_MAX;
  if (outer.seq == 0) return bad_frame(good ? "seq: missing" : refusal.context);
  if (outer.seq <= last_received_)
    return bad_frame(
        fmt::format("seq: {} is not above {}, which came before it", outer.seq, last_received_));
  if (count == 0) return bad_frame("messages: expected 1 or more");
  if (count > most)
    return bad_frame(
        fmt::format("messages: {} messages, at most {} are taken in one frame", count, most));
  if (outer.seq > kSequenceMax - (count - 1))
    return bad_frame("seq: the numbers of this frame pass 2^63-1");
  bool const mixed = good && outer.messages && (outer.has(Field::kBody) || outer.has(Field::kId));
  if (mixed)
    decoder.refuse({}, outer.has(Field::kBody) ? "body" : "id", ErrorCode::kInvalidArgument,
                   "not beside 'messages'");
  if (good && !mixed) return true;
  last_received_ = outer.seq + count - 1;
  worker_.reading.last_sequence = last_received_;
  worker_.reading.messages += static_cast<std::uint32_t>(count);
  nack(outer.seq, last_received_, mixed ? decoder.error() : refusal, outer.type);
  return false;
}

void Session::take(Value message, std::uint64_t sequence, Place place, Defaults const& defaults) {
  if (sequence <= state_->settled())
    return shared_->ingest.accounting().repeated(Protocol::kAgentWebSocket, 1);
  Resolved resolved;
  if (!worker_.intake.decoder().decode(message, kMessageFields, place, worker_.intake.received(),
                                       worker_.envelope) ||
      !worker_.intake.resolve(worker_.envelope, defaults, place, resolved) ||
      !add(sequence, worker_.envelope, resolved))
    nack(sequence, sequence, worker_.intake.decoder().error(), worker_.envelope.type);
}

bool Session::add(std::uint64_t sequence, Envelope const& envelope, Resolved const& resolved) {
  auto& records = worker_.gate.records();
  Origin const origin{principal_->id.text(), worker_.intake.received(), state_->epoch()};
  auto const& source = *resolved.source;
  auto const place = [&] {
    return records.place(origin, *resolved.type, source, envelope.id.size(), envelope.body.size(),
                         [&] { return source == source_ ? producer_ : producer_of(source->id()); });
  };
  auto slot = place();
  if (!slot) {
    flush();
    if (failed_) return true;  // not a fault of the message: it will be sent again
    slot = place();
    if (!slot)
      return worker_.intake.decoder().refuse({}, "body", ErrorCode::kTooLarge,
                                             "larger than a record can be");
  }
  records.add(*slot, {.sequence = sequence,
                      .time = resolved.time,
                      .id_kind = envelope.id.empty() ? codec::record::IdKind::kSequence
                                                     : codec::record::IdKind::kText,
                      .id = base::as_bytes(envelope.id),
                      .encoding = envelope.encoding,
                      .body = envelope.body});
  ++worker_.records_messages;
  return true;
}

void Session::nack(std::uint64_t first, std::uint64_t last, Error const& error,
                   TypeEntry const* type) {
  shared_->ingest.accounting().refused(type, Protocol::kAgentWebSocket, error.code,
                                       last - first + 1);
  if (!socket_) return;
  write_nack(worker_.out, encoding_, first, last, error);
  send(*socket_, encoding_, worker_.out);
}

void Session::on_read_end() {
  if (!read_open_) return;
  flush();
  read_open_ = false;
  if (failed_ || !socket_) return;
  state_->saw(last_received_);
  hold_back();
}

// Gives what was read so far to the log.
void Session::flush() {
  if (!read_open_) return;
  if (failed_) return worker_.gate.records().abandon();
  auto const appended = worker_.gate.append(Protocol::kAgentWebSocket);
  auto const group = std::exchange(worker_.reading, {});
  auto const messages = std::exchange(worker_.records_messages, 0);
  if (appended.error) return fail(kCloseUnavailable, *appended.error);
  if (group.last_sequence == 0) return;
  outstanding_messages_ += group.messages;
  outstanding_bytes_ += group.bytes;
  if (!appended.tickets.any()) {
    // Repeats and nacks alone: acked with what is still on its way, or at once.
    if (groups_begin_ < groups_.size()) {
      auto& last = groups_.back();
      last = {group.last_sequence, last.messages + group.messages, last.bytes + group.bytes};
    } else {
      outstanding_messages_ = outstanding_bytes_ = 0;
      ack(group.last_sequence);
    }
    return;
  }
  groups_.push_back(group);
  Gate::Wait wait;
  wait.tickets = appended.tickets;
  wait.who = shared_from_this();
  wait.messages = messages;
  wait.since = worker_.read_since;
  wait.protocol = Protocol::kAgentWebSocket;
  worker_.gate.wait(std::move(wait));
}

// ---- the window

void Session::hold_back() {
  auto const& config = shared_->config;
  if (worker_.gate.saturated() && !awaiting_room_) {
    awaiting_room_ = true;
    worker_.gate.await_room(shared_from_this());
  }
  if (awaiting_room_ || outstanding_bytes_ >= config.window_bytes ||
      outstanding_messages_ >= config.window_messages)
    socket_->pause_reading();
}

void Session::on_room() {
  awaiting_room_ = false;
  resume();
}

void Session::resume() {
  auto const& config = shared_->config;
  if (!socket_ || failed_ || finishing_ || awaiting_room_ || !socket_->reading_paused()) return;
  if (outstanding_bytes_ <= config.window_bytes / 2 &&
      outstanding_messages_ <= config.window_messages / 2)
    socket_->resume_reading();
}

// ---- settling

bool Session::on_settled(Settlement const& settlement) {
  auto const group = groups_[groups_begin_++];
  if (groups_begin_ == groups_.size()) {
    std::vector<Group>().swap(groups_);
    groups_begin_ = 0;
  }
  outstanding_messages_ -= group.messages;
  outstanding_bytes_ -= group.bytes;
  if (settlement.error) {
    broken_ = true;
    fail(kCloseUnavailable, *settlement.error);
  }
  if (broken_) return false;
  state_->settle(group.last_sequence);
  // One ack for all groups of a poll.
  return std::exchange(ack_due_, group.last_sequence) == 0;
}

void Session::on_settle_end() {
  if (auto const sequence = std::exchange(ack_due_, 0); sequence != 0 && !failed_) ack(sequence);
  close_if_finished();
  resume();
}

void Session::ack(std::uint64_t sequence) {
  state_->settle(sequence);
  if (!socket_) return;
  write_ack(worker_.out, encoding_, sequence);
  // An agent that does not read would learn nothing any more: it must come back.
  if (!send(*socket_, encoding_, worker_.out) && socket_->pending_bytes() != 0) socket_->abort();
}

// ---- ending

void Session::fail(std::uint16_t close_code, Error const& error) {
  if (failed_) return;
  if (close_code != kCloseUnavailable) flush();
  if (failed_) return;  // while flushing
  failed_ = true;
  if (read_open_) worker_.gate.records().abandon();
  if (socket_) close_with_error(*socket_, worker_.out, encoding_, close_code, error);
}

void Session::finish(std::uint16_t close_code, char const* reason) {
  if (failed_ || finishing_ || !socket_) return;
  finishing_ = true;
  finish_code_ = close_code;
  finish_reason_ = reason;
  flush();
  if (socket_ && !failed_) close_if_finished();
}

void Session::close_if_finished() {
  if (finishing_ && !failed_ && socket_ && groups_begin_ == groups_.size())
    socket_->close(static_cast<net::CloseCode>(finish_code_), finish_reason_);
}

void Session::replaced() {
  worker_.gate.thread().post([self = shared_from_this()] {
    self->fail(kCloseReplaced,
               {ErrorCode::kCancelled, "a newer connection of this session took over"});
  });
}

}  // namespace headrace::ingest::agent_websocket
