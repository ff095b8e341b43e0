// SPDX-License-Identifier: Apache-2.0 Frames of the agent protocol beside data: reading control
// frames, writing what the server sends, in both encodings.
//   Threads: pure.   Errors: invalid_argument with key and byte offset.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/uuid.h"
#include "codec/tape/tape.h"
#include "model/data_type.h"
#include "model/limits.h"

namespace headrace::ingest::agent_websocket {

inline constexpr std::string_view kJsonSubprotocol = "headrace.v1.json";
inline constexpr std::string_view kMsgpackSubprotocol = "headrace.v1.msgpack";
inline constexpr std::int64_t kProtocolVersion = 1;

struct Control {
  enum class Kind : unsigned char { kHello, kPing, kBye };
  Kind kind = Kind::kHello;
  // hello
  std::string source, token, agent;
  base::Uuid session;
  std::uint32_t epoch = 0;
  // ping
  std::optional<std::uint64_t> id;
};
// An object without "seq".
base::Result<Control> read_control(codec::tape::Value root, model::Limits const& limits);

struct Welcome {
  base::Uuid session;
  std::uint32_t epoch = 0;
  std::string_view principal;
  std::uint64_t last_sequence = 0, highest_sequence = 0;
  model::Durability durability = model::Durability::kDisk;
  std::uint32_t window_messages = 0, window_bytes = 0;
  std::int64_t ping_ms = 0;
};

// Each replaces `out`, whose storage is used again.
void write_welcome(std::string& out, codec::tape::Encoding encoding, Welcome const& welcome,
                   model::Limits const& limits);
void write_ack(std::string& out, codec::tape::Encoding encoding, std::uint64_t sequence);
void write_nack(std::string& out, codec::tape::Encoding encoding, std::uint64_t first,
                std::uint64_t last, base::Error const& error);
void write_error(std::string& out, codec::tape::Encoding encoding, base::Error const& error);
void write_pong(std::string& out, codec::tape::Encoding encoding, std::optional<std::uint64_t> id);

// At most 123 bytes of UTF-8, as a close frame holds.
std::string_view close_reason(std::string_view text);

}  // namespace headrace::ingest::agent_websocket
