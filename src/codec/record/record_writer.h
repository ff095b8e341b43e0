// SPDX-License-Identifier: Apache-2.0
// RecordWriter: builds one record in a buffer that is used again and again. Format: record_view.h,
// docs/formats/record.md.
//   Use:     begin(); add() per message, in ascending sequence; finish() -> the bytes, valid until
//   the next begin().
//   Threads: one thread. Cost: one copy of each body, one CRC32C over the whole.
//   The caller has validated bodies, names and ids; impossible lengths and a record over
//   kRecordBytesMax are asserts, so ask fits() first.
#pragma once

#include <vector>

#include "codec/record/record_view.h"

namespace headrace::codec::record {

struct RecordHeader {
  Kind kind = Kind::kMessages;
  std::uint16_t flags = 0;
  std::string_view principal{};
  std::string_view source{};
  base::Uuid producer{};  // who numbers the sequences: a session or a connection
  std::uint32_t epoch = 0;
  base::Timestamp received{};
};

struct MessageParts {
  std::uint64_t sequence = 0;
  base::Timestamp time{};
  IdKind id_kind = IdKind::kSequence;
  base::Bytes id{};
  model::BodyEncoding encoding = model::BodyEncoding::kJson;
  base::Bytes body{};
};

class RecordWriter {
 public:
  void begin(RecordHeader const& header);
  bool open() const { return open_; }
  std::uint32_t count() const { return count_; }
  std::size_t bytes() const { return used_; }
  // Whether one more message with this many id and body bytes keeps the record within
  // kRecordBytesMax.
  bool fits(std::size_t id_bytes, std::size_t body_bytes) const;
  void add(MessageParts const& message);
  base::Bytes finish();
  void abandon() { open_ = false; }

 private:
  std::byte* grow(std::size_t bytes);

  std::vector<std::byte> buffer_;
  std::size_t used_ = 0;
  std::uint32_t count_ = 0;
  std::uint64_t first_sequence_ = 0, last_sequence_ = 0;
  std::int64_t time_min_ = 0, time_max_ = 0;
  bool open_ = false;
};

}  // namespace headrace::codec::record
