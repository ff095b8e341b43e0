// SPDX-License-Identifier: Apache-2.0
// RecordView, MessageView: read access to an encoded record without copying. The format is
// docs/formats/record.md.
//
// A record is one source's batch for one (data type, partition). All numbers little-endian; records
// and messages start at multiples of 8 bytes.
//   record  = header (88 bytes) principal source pad8 message*
//   header  = 0 crc32c:u32 (of bytes 4..length)   4 length:u32 (whole record, a multiple of 8)
//             8 version:u8 (1)  9 kind:u8  10 flags:u16  12 count:u32
//            16 tenant:u32 (0)  20 epoch:u32  24 received:i64 (ns)
//            32 producer:16 bytes  48 first_sequence:u64  56 last_sequence:u64
//            64 time_min:i64  72 time_max:i64  80 principal_bytes:u16  82 source_bytes:u16  84
//            messages_at:u32
//   message = 0 length:u32 (a multiple of 8)  4 sequence_delta:u32 (sequence = first_sequence +
//   delta, ascending)
//             8 time:i64  16 body_bytes:u32  20 id_bytes:u16  22 id_kind:u8  23 encoding:u8   24 id
//             body pad8
//   Threads:  pure views.   Lifetime: as long as the bytes.
//   Errors:   open() checks everything (checksum, every length, order of sequences), so that the
//   accessors need no checks.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/uuid.h"
#include "model/message.h"

namespace headrace::codec::record {

inline constexpr std::uint8_t kVersion = 1;
inline constexpr std::size_t kRecordHeaderBytes = 88;
inline constexpr std::size_t kMessageHeaderBytes = 24;
inline constexpr std::size_t kRecordBytesMax = 64u << 20;

// What a record says. Everything that changes a store is a record, so that a replay never undoes
// it.
enum class Kind : std::uint8_t {
  kMessages = 0,
  kSourceActive = 1,    // no messages; the source reports again
  kSourceInactive = 2,  // no messages; the source stopped reporting
  kErase = 3,           // body: what to delete, a document
  kSetTags = 4,         // body: tags of streams, a document
};

inline constexpr std::uint16_t kFlagRedelivered = 1;  // sent again from the dead letters

enum class IdKind : std::uint8_t {
  kSequence = 0,  // no bytes: the id is producer, epoch and sequence
  kUuid = 1,      // 16 bytes
  kText = 2,      // 1..65535 bytes of UTF-8
};

class MessageView {
 public:
  explicit MessageView(std::byte const* at) : at_(at) {}

  std::uint32_t bytes() const { return base::load<std::uint32_t>(at_); }
  std::uint32_t sequence_delta() const { return base::load<std::uint32_t>(at_ + 4); }
  base::Timestamp time() const { return {base::load<std::int64_t>(at_ + 8)}; }
  IdKind id_kind() const { return static_cast<IdKind>(at_[22]); }
  model::BodyEncoding encoding() const { return static_cast<model::BodyEncoding>(at_[23]); }
  base::Bytes id_bytes() const {
    return {at_ + kMessageHeaderBytes, base::load<std::uint16_t>(at_ + 20)};
  }
  base::Bytes body() const {
    return {at_ + kMessageHeaderBytes + base::load<std::uint16_t>(at_ + 20),
            base::load<std::uint32_t>(at_ + 16)};
  }
  MessageView next() const { return MessageView(at_ + bytes()); }

 private:
  std::byte const* at_;
};

class RecordView {
 public:
  RecordView() = default;
  // Checks all of `bytes` (exactly one record). corrupt: says at which byte and what was expected.
  static base::Result<RecordView> open(base::Bytes bytes);
  // For bytes that open() has accepted before.
  static RecordView trusted(base::Bytes bytes) { return RecordView(bytes.data()); }
  // Length of the record that starts here, from its header; nullopt when fewer than 8 bytes or an
  // impossible length.
  static std::optional<std::uint32_t> length_at(base::Bytes bytes);

  base::Bytes bytes() const { return {at_, base::load<std::uint32_t>(at_ + 4)}; }
  Kind kind() const { return static_cast<Kind>(at_[9]); }
  std::uint16_t flags() const { return base::load<std::uint16_t>(at_ + 10); }
  std::uint32_t count() const { return base::load<std::uint32_t>(at_ + 12); }
  std::uint32_t epoch() const { return base::load<std::uint32_t>(at_ + 20); }
  base::Timestamp received() const { return {base::load<std::int64_t>(at_ + 24)}; }
  base::Uuid producer() const;
  std::uint64_t first_sequence() const { return base::load<std::uint64_t>(at_ + 48); }
  std::uint64_t last_sequence() const { return base::load<std::uint64_t>(at_ + 56); }
  base::Timestamp time_min() const { return {base::load<std::int64_t>(at_ + 64)}; }
  base::Timestamp time_max() const { return {base::load<std::int64_t>(at_ + 72)}; }
  std::string_view principal() const {
    return {reinterpret_cast<char const*>(at_ + kRecordHeaderBytes),
            base::load<std::uint16_t>(at_ + 80)};
  }
  std::string_view source() const {
    return {reinterpret_cast<char const*>(at_ + kRecordHeaderBytes) +
                base::load<std::uint16_t>(at_ + 80),
            base::load<std::uint16_t>(at_ + 82)};
  }
  MessageView first() const {
    return MessageView(at_ + base::load<std::uint32_t>(at_ + 84));
  }  // count() > 0

 private:
  explicit RecordView(std::byte const* at) : at_(at) {}
  std::byte const* at_ = nullptr;
};

// The id as people and stores see it: the text; the uuid; or "<producer uuid>.<epoch>.<sequence>".
std::string message_id(RecordView record, MessageView message);
void append_message_id(std::string& out, RecordView record, MessageView message);

}  // namespace headrace::codec::record
