// SPDX-License-Identifier: Apache-2.0
#include "ingest/agent_websocket/impl/frames.h"

#include <charconv>

#include "codec/json/json_write.h"
#include "codec/msgpack/msgpack_write.h"
#include "ingest/type_table.h"
#include "model/names.h"

namespace headrace::ingest::agent_websocket {

using base::Error;
using base::ErrorCode;
using codec::json::JsonWriter;
using codec::msgpack::MsgpackWriter;
using codec::tape::Encoding;
using codec::tape::Value;

namespace {

constexpr std::size_t kTokenBytesMax = 512;
constexpr std::size_t kAgentBytesMax = 200;

Error bad(std::string_view key, std::size_t offset, std::string_view why) {
  return {ErrorCode::kInvalidArgument, fmt::format("{}: {} (byte {})", key, why, offset)};
}

// The members of one control object: each known key once.
class ControlReader {
 public:
  ControlReader(Value root, model::Limits const& limits) : root_(root), limits_(limits) {}

  base::Result<Control> read() {
    if (auto const twice = codec::tape::find_duplicate_key(root_))
      return bad(twice->text(scratch_), twice->offset(), "is there twice");
    auto const type = root_.find("type");
    if (!type)
      return Error{ErrorCode::kInvalidArgument,
                   "neither 'seq' (data) nor 'type' (hello, ping, bye) is there"};
    auto const text = type->text(scratch_);
    if (text == "hello") return hello();
    if (text == "ping") return ping();
    if (text == "bye") {
      Control bye;
      bye.kind = Control::Kind::kBye;
      return only({"type"}, std::move(bye));
    }
    return bad("type", type->offset(), "expected hello, ping or bye; data needs 'seq'");
  }

 private:
  base::Result<Control> only(std::vector<std::string_view> const& known, Control control) {
    for (auto const [key, value] : root_.members()) {
      auto const text = key.text(scratch_);
      if (std::find(known.begin(), known.end(), text) != known.end()) continue;
      auto const near = nearest(text, known);
      return bad(text.substr(0, 64), key.offset(),
                 near.empty() ? std::string("unknown key")
                              : fmt::format("unknown key; did you mean '{}'?", near));
    }
    return control;
  }

  base::Result<Control> ping() {
    Control control;
    control.kind = Control::Kind::kPing;
    if (auto const id = root_.find("id")) {
      control.id = id->as_uint64();
      if (!control.id) return bad("id", id->offset(), "expected an unsigned integer");
    }
    return only({"type", "id"}, std::move(control));
  }

  base::Result<Control> hello() {
    HEADRACE_TRY(auto control,
                 only({"type", "version", "source", "session", "epoch", "token", "agent"}, {}));
    auto const version = root_.find("version");
    if (!version) return bad("version", root_.offset(), "missing");
    if (version->as_int64() != kProtocolVersion)
      return bad("version", version->offset(), "expected 1");
    HEADRACE_TRY(control.source, text_of("source", limits_.source_bytes_max, true));
    if (auto const checked = model::check_source(control.source, limits_); !checked)
      return checked.error();
    HEADRACE_TRY(auto const session, text_of("session", 64, true));
    auto const uuid = base::parse_uuid(session);
    if (!uuid) return bad("session", root_.find("session")->offset(), "expected a uuid");
    control.session = *uuid;
    HEADRACE_TRY(control.token, text_of("token", kTokenBytesMax, false));
    HEADRACE_TRY(control.agent, text_of("agent", kAgentBytesMax, false));
    if (auto const epoch = root_.find("epoch")) {
      auto const number = epoch->as_uint64();
      if (!number || *number > UINT32_MAX)
        return bad("epoch", epoch->offset(), "expected an integer from 0 to 2^32-1");
      control.epoch = static_cast<std::uint32_t>(*number);
    }
    return control;
  }

  base::Result<std::string> text_of(std::string_view key, std::size_t bytes_max, bool required) {
    auto const value = root_.find(key);
    if (!value) {
      if (required) return bad(key, root_.offset(), "missing");
      return std::string();
    }
    auto const text = value->as_string(scratch_);
    if (!text)
      return bad(key, value->offset(),
                 fmt::format("expected a string, found {}", codec::tape::name(value->kind())));
    if (text->size() > bytes_max)
      return bad(key, value->offset(), fmt::format("longer than {} bytes", bytes_max));
    return std::string(*text);
  }

  Value root_;
  model::Limits const& limits_;
  std::string scratch_;
};

}  // namespace

base::Result<Control> read_control(Value root, model::Limits const& limits) {
  if (!root.is_object())
    return Error{ErrorCode::kInvalidArgument,
                 fmt::format("expected an object, found {}", codec::tape::name(root.kind()))};
  return ControlReader(root, limits).read();
}

namespace {

// The same members for both writers; MsgpackWriter wants their number first.
template <class W>
void welcome_members(W& w, Welcome const& welcome) {
  w.member("type", "welcome")
      .member("version", kProtocolVersion)
      .member("session", base::to_string(welcome.session));
  w.member("epoch", welcome.epoch).member("principal", welcome.principal);
  w.member("last_sequence", welcome.last_sequence)
      .member("highest_sequence", welcome.highest_sequence);
  w.member("durability", model::name(welcome.durability));
}
constexpr std::uint32_t kWelcomeMembers = 9;  // with limits

template <class W>
void limit_members(W& w, Welcome const& welcome, model::Limits const& limits) {
  w.member("window_messages", welcome.window_messages).member("window_bytes", welcome.window_bytes);
  w.member("frame_bytes", limits.request_bytes_max)
      .member("batch_messages", limits.batch_messages_max);
  w.member("body_bytes", limits.body_bytes_max).member("nesting", limits.nesting_max);
  w.member("future_ms", limits.future_max.count() / 1'000'000).member("ping_ms", welcome.ping_ms);
}
constexpr std::uint32_t kLimitMembers = 8;

template <class W>
void nack_members(W& w, std::uint64_t first, std::uint64_t last, Error const& error) {
  w.member("type", "nack").member("sequence", first).member("last", last);
  w.member("code", base::name(error.code)).member("message", error.context).member("retry", false);
}

}  // namespace

void write_welcome(std::string& out, Encoding encoding, Welcome const& welcome,
                   model::Limits const& limits) {
  out.clear();
  if (encoding == Encoding::kJson) {
    JsonWriter w(out);
    w.begin_object();
    welcome_members(w, welcome);
    w.key("limits").begin_object();
    limit_members(w, welcome, limits);
    w.end_object().end_object();
  } else {
    MsgpackWriter w(out);
    w.map(kWelcomeMembers);
    welcome_members(w, welcome);
    w.value("limits").map(kLimitMembers);
    limit_members(w, welcome, limits);
  }
}

void write_ack(std::string& out, Encoding encoding, std::uint64_t sequence) {
  out.clear();
  if (encoding == Encoding::kJson) {
    out += R"({"type":"ack","sequence":)";
    codec::json::append_integer(out, sequence);
    out += '}';
  } else {
    MsgpackWriter(out).map(2).member("type", "ack").member("sequence", sequence);
  }
}

void write_nack(std::string& out, Encoding encoding, std::uint64_t first, std::uint64_t last,
                Error const& error) {
  out.clear();
  if (encoding == Encoding::kJson) {
    JsonWriter w(out);
    w.begin_object();
    nack_members(w, first, last, error);
    w.end_object();
  } else {
    MsgpackWriter w(out);
    w.map(6);
    nack_members(w, first, last, error);
  }
}

void write_error(std::string& out, Encoding encoding, Error const& error) {
  out.clear();
  if (encoding == Encoding::kJson) {
    JsonWriter w(out);
    w.begin_object()
        .member("type", "error")
        .member("code", base::name(error.code))
        .member("message", error.context);
    w.end_object();
  } else {
    MsgpackWriter(out)
        .map(3)
        .member("type", "error")
        .member("code", base::name(error.code))
        .member("message", error.context);
  }
}

void write_pong(std::string& out, Encoding encoding, std::optional<std::uint64_t> id) {
  out.clear();
  if (encoding == Encoding::kJson) {
    JsonWriter w(out);
    w.begin_object().member("type", "pong");
    if (id) w.member("id", *id);
    w.end_object();
  } else {
    MsgpackWriter w(out);
    w.map(id ? 2 : 1).member("type", "pong");
    if (id) w.member("id", *id);
  }
}

std::string_view close_reason(std::string_view text) {
  constexpr std::size_t kBytesMax = 123;
  if (text.size() <= kBytesMax) return text;
  auto end = kBytesMax;
  // not within a character
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return text.substr(0, end);
}

}  // namespace headrace::ingest::agent_websocket
