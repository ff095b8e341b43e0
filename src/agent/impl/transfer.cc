// SPDX-License-Identifier: Apache-2.0
#include "agent/impl/transfer.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/log.h"

namespace headrace::agent {
namespace {

constexpr auto kReplyTimeout = std::chrono::seconds(15);
constexpr std::size_t kReadBytesMax = 1u << 20;  // read from the spool at a time

std::uint64_t random_seed() {
  std::array<std::byte, 8> bytes{};
  base::random_bytes(bytes);
  return base::load<std::uint64_t>(bytes.data());
}

std::string hint(std::uint16_t code) {
  switch (code) {
    case 4401: return " (the token is missing or not good)";
    case 4403: return " (not allowed to report, or the source belongs to another)";
    case 4409: return " (another agent uses this session: is the spool directory a copy?)";
    case 4503: return " (the backend cannot keep data now)";
    default: return "";
  }
}

}  // namespace

// The connection owns it; it outlives neither the transfer nor the connection, so it may forward
// without asking.
class Transfer::Handler final : public net::WebSocketHandler {
 public:
  explicit Handler(Transfer& transfer) : transfer_(transfer) {}
  void on_open(net::WebSocket& socket) override { transfer_.on_open(socket); }
  void on_message(net::MessageKind, std::span<char> payload) override {
    transfer_.on_text({payload.data(), payload.size()});
  }
  void on_read_end() override { transfer_.pump(); }
  void on_drained() override { transfer_.pump(); }
  void on_closed(net::CloseCode code, std::string_view reason) override {
    transfer_.on_closed(static_cast<std::uint16_t>(code), reason);
  }

 private:
  Transfer& transfer_;
};

Transfer::Transfer(net::IoThread& thread, Spool& spool, AgentOptions options)
    : thread_(thread),
      spool_(spool),
      options_(std::move(options)),
      backoff_(options_.backoff_min, options_.backoff_max, random_seed()),
      reply_timer_(net::Timer::calling<&Transfer::on_timeout>(this)) {}

Transfer::~Transfer() = default;

void Transfer::start() { connect(); }

void Transfer::connect() {
  net::WebSocketClientOptions o;
  o.url = options_.server;
  if (!options_.token.empty()) o.headers.emplace_back("Authorization", "Bearer " + options_.token);
  o.subprotocols = {"headrace.v1.json"};
  o.tls.verify = options_.tls_verify;
  o.tls.ca_file = options_.tls_ca_file;
  session_ = std::make_unique<Session>(
      SessionIdentity{options_.source, spool_.session(), spool_.epoch(), "headrace agent"},
      options_.batch_messages_max, one_by_one_);
  client_ = std::make_unique<net::WebSocketClient>(
      thread_, std::move(o), std::make_unique<Handler>(*this),
      [this](base::Error const& error) { on_failed(error); });
}

void Transfer::on_open(net::WebSocket& socket) {
  socket_ = &socket;
  socket.send_text(session_->hello());
  thread_.arm(reply_timer_, kReplyTimeout);
}

void Transfer::on_text(std::string_view text) {
  if (!socket_) return;
  auto const event = session_->on_frame(text);
  if (!event) {
    note_error(base::to_string(event.error()));
    end_connection("not understood");
    return;
  }
  std::visit([this](auto const& e) { on_event(e); }, *event);
}

void Transfer::on_event(Welcome const& welcome) {
  reply_timer_.cancel();
  {
    std::lock_guard const guard(mutex_);
    counts_.connected = true;
    ++counts_.connects;
    counts_.last_error.clear();
  }
  if (auto const numbered = spool_.number_above(welcome.highest); !numbered) {
    note_error(base::to_string(numbered.error()));
    end_connection("spool");
    return;
  }
  settle(welcome.settled);
  auto const stats = spool_.stats();
  base::log_info("the agent is connected", {{"server", options_.server},
                                            {"source", options_.source},
                                            {"durability", welcome.durability},
                                            {"spooled", stats.messages}});
  reported_away_ = false;
}

void Transfer::on_event(Ack const& ack) {
  bad_frames_ = 0;
  backoff_.reset();
  settle(ack.settled);
}

void Transfer::on_event(Nack const& nack) {
  base::log_warn(
      "the backend refused messages; they are dropped",
      {{"first", nack.first}, {"last", nack.last}, {"code", nack.code}, {"reason", nack.message}});
  std::lock_guard const guard(mutex_);
  counts_.refused += nack.last - nack.first + 1;
}

void Transfer::on_event(ServerError const& error) { note_error(error.code + ": " + error.message); }

void Transfer::settle(std::uint64_t up_to) {
  auto const count = spool_.acknowledge(up_to);
  put_aside_.erase(put_aside_.begin(), put_aside_.upper_bound(up_to));
  {
    std::lock_guard const guard(mutex_);
    counts_.acknowledged += count;
  }
  if (spool_.stats().messages == 0) one_by_one_ = false;  // from the next connection on
}

void Transfer::pump() {
  while (socket_ && !ended_ && send_some()) {
  }
  bool const all_sent = socket_ && session_->ready() && session_->outstanding() == 0;
  if (drained_ && (!socket_ || all_sent)) end_drain();
}

bool Transfer::send_some() {
  auto const room = session_->room();
  if (room.messages == 0) return false;
  auto messages = spool_.read(session_->sent_up_to(), std::max<std::size_t>(room.messages, 1),
                              std::min(room.bytes, kReadBytesMax));
  if (!messages) {
    note_error(base::to_string(messages.error()));
    end_connection("spool");
    return false;
  }
  std::size_t passed = 0;
  for (; passed < messages->size() && put_aside_.contains((*messages)[passed].sequence); ++passed) {
    session_->pass_over((*messages)[passed].sequence);
  }
  messages->erase(messages->begin(), messages->begin() + static_cast<std::ptrdiff_t>(passed));
  auto const next_aside = std::find_if(messages->begin(), messages->end(), [this](auto const& m) {
    return put_aside_.contains(m.sequence);
  });
  messages->erase(next_aside, messages->end());
  std::string frame;
  auto const taken = session_->take(*messages, frame);
  if (taken.unsendable) {
    refuse(messages->front().sequence, "too_large", "larger than the backend's frames");
    put_aside_.insert(messages->front().sequence);
  }
  if (frame.empty()) return taken.messages + passed > 0;
  if (!socket_->send_text(frame)) {
    end_connection("not taking data");
    return false;
  }
  std::lock_guard const guard(mutex_);
  counts_.sent += taken.messages;
  return true;
}

void Transfer::refuse(std::uint64_t sequence, std::string_view code, std::string_view message) {
  base::log_warn("a message cannot be reported; it is put aside",
                 {{"sequence", sequence}, {"code", code}, {"reason", message}});
  std::lock_guard const guard(mutex_);
  ++counts_.refused;
}

void Transfer::end_connection(std::string_view reason) {
  if (socket_) socket_->close(net::CloseCode::kPolicyViolation, reason);
}

void Transfer::on_timeout() {
  note_error("no welcome from the backend in time");
  if (socket_) socket_->abort();
}

void Transfer::on_closed(std::uint16_t code, std::string_view reason) {
  socket_ = nullptr;
  reply_timer_.cancel();
  auto const retry = retry_after_close(code);
  if (retry.frame_was_bad) {
    ++bad_frames_;
    if (auto const sequence = session_->only_outstanding(); one_by_one_ && sequence != 0) {
      refuse(sequence, "invalid_argument", reason);
      put_aside_.insert(sequence);
    }
    if (bad_frames_ >= 2) one_by_one_ = true;
  }
  try_again(retry, fmt::format("the connection was closed with {}{}{}{}", code, hint(code),
                               reason.empty() ? "" : ": ", reason));
}

void Transfer::on_failed(base::Error const& error) {
  bool const who =
      error.code == base::ErrorCode::kUnauthenticated || error.code == base::ErrorCode::kDenied;
  try_again(who ? retry_after_close(4401) : Retry{}, base::to_string(error));
}

void Transfer::try_again(Retry retry, std::string const& why) {
  {
    std::lock_guard const guard(mutex_);
    counts_.connected = false;
  }
  if (drained_ || ended_) return end_drain();
  note_error(why);
  if (retry.renew_session) {
    if (auto const renewed = spool_.renew_session(); !renewed)
      note_error(base::to_string(renewed.error()));
  }
  auto const delay = backoff_.next(retry.floor);
  if (!std::exchange(reported_away_, true)) {
    base::log_warn("the agent is not connected; messages are spooled",
                   {{"server", options_.server},
                    {"error", why},
                    {"next_attempt_ms", delay.count() / 1'000'000}});
  }
  reconnect_ = thread_.schedule(delay, [this] { connect(); });
}

void Transfer::drain(std::function<void()> done) {
  drained_ = std::move(done);
  if (!socket_ || !session_->ready()) return end_drain();
  pump();
}

void Transfer::end_drain() {
  if (socket_ && !std::exchange(ended_, true)) {
    socket_->send_text(Session::bye());
    socket_->close(net::CloseCode::kNormal, "bye");
  }
  ended_ = true;
  if (auto const done = std::exchange(drained_, {})) done();
}

void Transfer::note_error(std::string const& why) {
  std::lock_guard const guard(mutex_);
  counts_.last_error = why;
}

TransferCounts Transfer::counts() const {
  std::lock_guard const guard(mutex_);
  return counts_;
}

}  // namespace headrace::agent
