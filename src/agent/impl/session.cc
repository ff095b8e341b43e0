// SPDX-License-Identifier: Apache-2.0
#include "agent/impl/session.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/assert.h"
#include "codec/json/json_write.h"

namespace headrace::agent {
namespace {

using codec::json::JsonWriter;
using codec::json::Value;

constexpr std::size_t kFrameOverheadMax =
    1024;  // of a frame beside its messages: brackets, seq, type and source
constexpr std::size_t kMessageOverheadMax =
    64;  // of a message beside its names and body: keys and time

base::Error wrong(std::string_view frame, std::string_view expected) {
  return {base::ErrorCode::kInvalidArgument,
          fmt::format("{} from the backend: expected {}", frame, expected)};
}

std::optional<std::uint64_t> number(Value const& object, std::string_view key) {
  auto const value = object.find(key);
  return value ? value->as_uint64() : std::nullopt;
}

std::string text(Value const& object, std::string_view key) {
  std::string scratch;
  auto const value = object.find(key);
  return value ? std::string(value->text(scratch)) : std::string();
}

std::size_t size_of(SpooledMessage const& m) {
  return m.body.size() + m.data_type.size() + 6 * m.source.size() + kMessageOverheadMax;
}

}  // namespace

Retry retry_after_close(std::uint16_t code) {
  using std::chrono::seconds;
  switch (code) {
    case 1002:
    case 1003:
    case 1007:
    case 1009:
    case 4400: return {seconds(0), false, true};
    case 4401:
    case 4403: return {seconds(20), false, false};
    case 4409: return {seconds(1), true, false};
    case 4429: return {seconds(60), false, false};
    case 4503: return {seconds(1), false, false};
    default: return {};
  }
}

Session::Session(SessionIdentity identity, std::uint32_t messages_max, bool one_by_one)
    : identity_(std::move(identity)),
      batch_messages_(one_by_one ? 1 : std::max(1u, messages_max)),
      one_by_one_(one_by_one) {}

std::string Session::hello() const {
  std::string out;
  JsonWriter w(out);
  w.begin_object().member("type", "hello").member("version", 1).member("source", identity_.source);
  w.member("session", base::to_string(identity_.session)).member("epoch", identity_.epoch);
  w.member("agent", identity_.software).end_object();
  return out;
}

std::string Session::bye() { return R"({"type":"bye"})"; }

base::Result<SessionEvent> Session::on_frame(std::string_view frame) {
  HEADRACE_TRY(auto const root, parser_.parse(frame));
  if (!root.is_object()) return wrong("a frame", "an object");
  auto const type = text(root, "type");
  if (type == "welcome") return on_welcome(root);
  if (type == "error") return SessionEvent(ServerError{text(root, "code"), text(root, "message")});
  if (type == "ack") return on_ack(root);
  if (type == "nack") return on_nack(root);
  return SessionEvent(Nothing{});
}

base::Result<SessionEvent> Session::on_welcome(Value const& root) {
  if (ready_) return wrong("a second welcome", "one");
  if (number(root, "version") != 1) return wrong("welcome.version", "1");
  auto const settled = number(root, "last_sequence");
  if (!settled) return wrong("welcome.last_sequence", "an unsigned integer");
  auto const limits = root.find("limits");
  auto const limit = [&](std::string_view key, std::size_t& to) {
    auto const value = limits ? number(*limits, key) : std::nullopt;
    if (value && *value > 0) to = *value;
  };
  window_messages_ = batch_messages_;  // when the backend does not say
  window_bytes_ = frame_bytes_;
  limit("window_messages", window_messages_);
  limit("window_bytes", window_bytes_);
  limit("frame_bytes", frame_bytes_);
  auto batch_messages = batch_messages_;
  limit("batch_messages", batch_messages);
  batch_messages_ = std::min(batch_messages_, batch_messages);
  if (one_by_one_) window_messages_ = 1;
  ready_ = true;
  sent_up_to_ = *settled;
  return SessionEvent(Welcome{*settled,
                              std::max(*settled, number(root, "highest_sequence").value_or(0)),
                              text(root, "durability")});
}

base::Result<SessionEvent> Session::on_ack(Value const& root) {
  auto const sequence = number(root, "sequence");
  if (!ready_) return wrong("an ack before the welcome", "the welcome");
  if (!sequence) return wrong("ack.sequence", "an unsigned integer");
  if (*sequence > sent_up_to_)
    return wrong("ack.sequence", fmt::format("at most {}, the last that was sent", sent_up_to_));
  while (!outstanding_.empty() && outstanding_.front().last <= *sequence) {
    outstanding_messages_ -= outstanding_.front().messages;
    outstanding_bytes_ -= outstanding_.front().bytes;
    outstanding_.pop_front();
  }
  return SessionEvent(Ack{*sequence});
}

base::Result<SessionEvent> Session::on_nack(Value const& root) {
  auto const first = number(root, "sequence");
  if (!ready_) return wrong("a nack before the welcome", "the welcome");
  if (!first || *first > sent_up_to_)
    return wrong("nack.sequence", "the number of a message that was sent");
  auto const last = std::clamp(number(root, "last").value_or(*first), *first, sent_up_to_);
  return SessionEvent(Nack{*first, last, text(root, "code"), text(root, "message")});
}

Session::Room Session::room() const {
  if (!ready_) return {};
  if (outstanding_.empty())
    return {batch_messages_, window_bytes_};  // one frame may always be outstanding
  if (outstanding_messages_ >= window_messages_ || outstanding_bytes_ >= window_bytes_) return {};
  return {std::min(batch_messages_, window_messages_ - outstanding_messages_),
          window_bytes_ - outstanding_bytes_};
}

Session::Taken Session::take(std::span<SpooledMessage const> messages, std::string& frame) {
  frame.clear();
  auto const may = room();
  if (messages.empty() || may.messages == 0) return {};
  HEADRACE_ASSERT(messages.front().sequence > sent_up_to_, "numbers ascend on a connection");
  auto const& first = messages.front();
  if (size_of(first) + kFrameOverheadMax > frame_bytes_) {
    sent_up_to_ = first.sequence;
    return {1, true};
  }
  auto const bytes_max =
      std::min(frame_bytes_, std::max(may.bytes, size_of(first) + kFrameOverheadMax));
  std::size_t count = 0, bytes = kFrameOverheadMax;
  while (count < messages.size() && count < may.messages &&
         messages[count].sequence == first.sequence + count) {
    bytes += size_of(messages[count]);
    if (count > 0 && bytes > bytes_max) break;
    ++count;
  }
  JsonWriter w(frame);
  w.begin_object().member("seq", first.sequence).member("type", first.data_type);
  if (first.source != identity_.source) w.member("source", first.source);
  if (count == 1) {
    w.member("time", first.time.ns).key("body").raw(first.body).end_object();
  } else {
    w.key("messages").begin_array();
    for (auto const& m : messages.first(count)) append_message(frame, m, first);
    w.end_array().end_object();
  }
  sent_up_to_ = first.sequence + count - 1;
  outstanding_.push_back({sent_up_to_, count, frame.size()});
  outstanding_messages_ += count;
  outstanding_bytes_ += frame.size();
  return {count, false};
}

void Session::append_message(std::string& out, SpooledMessage const& message,
                             SpooledMessage const& first) const {
  if (out.back() != '[') out += ',';
  JsonWriter w(out);
  out += '{';
  if (message.data_type != first.data_type) w.member("type", message.data_type);
  if (message.source != first.source) w.member("source", message.source);
  w.member("time", message.time.ns).key("body").raw(message.body).end_object();
}

}  // namespace headrace::agent
