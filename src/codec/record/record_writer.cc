// SPDX-License-Identifier: Apache-2.0
#include "codec/record/record_writer.h"

#include <algorithm>
#include <cstring>

#include "base/assert.h"
#include "base/crc32c.h"

namespace headrace::codec::record {
namespace {

constexpr std::size_t kLengthBytesMax = 65'535;  // principal, source and id

std::size_t padded(std::size_t bytes) { return (bytes + 7) & ~std::size_t{7}; }

void copy(std::byte*& to, std::string_view text) {
  if (!text.empty()) std::memcpy(to, text.data(), text.size());
  to += text.size();
}

}  // namespace

// Room for `bytes` more, which may hold anything. What was there before may have moved.
std::byte* RecordWriter::grow(std::size_t bytes) {
  std::size_t const at = used_;
  used_ += bytes;
  if (used_ > buffer_.size()) buffer_.resize(std::max(used_, buffer_.size() * 2));
  return buffer_.data() + at;
}

void RecordWriter::begin(RecordHeader const& header) {
  HEADRACE_ASSERT(header.principal.size() <= kLengthBytesMax, "a principal of at most 65535 bytes");
  HEADRACE_ASSERT(header.source.size() <= kLengthBytesMax, "a source of at most 65535 bytes");
  used_ = 0;
  count_ = 0;
  first_sequence_ = last_sequence_ = 0;
  time_min_ = time_max_ = header.received.ns;
  open_ = true;
  std::size_t const names = header.principal.size() + header.source.size();
  std::size_t const messages_at = padded(kRecordHeaderBytes + names);
  std::byte* const at = grow(messages_at);
  std::memset(at, 0, messages_at);
  base::store<std::uint8_t>(at + 8, kVersion);
  base::store(at + 9, static_cast<std::uint8_t>(header.kind));
  base::store<std::uint16_t>(at + 10, header.flags);
  base::store<std::uint32_t>(at + 20, header.epoch);
  base::store<std::int64_t>(at + 24, header.received.ns);
  std::memcpy(at + 32, header.producer.bytes.data(), 16);
  base::store(at + 80, static_cast<std::uint16_t>(header.principal.size()));
  base::store(at + 82, static_cast<std::uint16_t>(header.source.size()));
  base::store(at + 84, static_cast<std::uint32_t>(messages_at));
  std::byte* name = at + kRecordHeaderBytes;
  copy(name, header.principal);
  copy(name, header.source);
}

bool RecordWriter::fits(std::size_t id_bytes, std::size_t body_bytes) const {
  std::size_t const room = kRecordBytesMax - used_;
  return id_bytes <= kLengthBytesMax && body_bytes <= room &&
         padded(kMessageHeaderBytes + id_bytes + body_bytes) <= room;
}

void RecordWriter::add(MessageParts const& message) {
  HEADRACE_ASSERT(open_, "add() between begin() and finish()");
  HEADRACE_ASSERT(fits(message.id.size(), message.body.size()), "a message that fits the record");
  HEADRACE_ASSERT(message.id_kind != IdKind::kSequence || message.id.empty(),
                  "an id of a sequence has no bytes");
  HEADRACE_ASSERT(message.id_kind != IdKind::kUuid || message.id.size() == 16,
                  "a uuid has 16 bytes");
  HEADRACE_ASSERT(message.id_kind != IdKind::kText || !message.id.empty(),
                  "an id of text has bytes");
  if (count_ == 0) {
    first_sequence_ = message.sequence;
    time_min_ = time_max_ = message.time.ns;
  } else {
    HEADRACE_ASSERT(message.sequence > last_sequence_, "sequences ascend");
    time_min_ = std::min(time_min_, message.time.ns);
    time_max_ = std::max(time_max_, message.time.ns);
  }
  std::uint64_t const delta = message.sequence - first_sequence_;
  HEADRACE_ASSERT(delta <= UINT32_MAX, "sequences of a record within 2^32");
  last_sequence_ = message.sequence;
  ++count_;
  std::size_t const bytes = kMessageHeaderBytes + message.id.size() + message.body.size();
  std::byte* at = grow(padded(bytes));
  base::store<std::uint64_t>(at + padded(bytes) - 8,
                             0);  // the padding; what else it touches is written below
  base::store(at, static_cast<std::uint32_t>(padded(bytes)));
  base::store(at + 4, static_cast<std::uint32_t>(delta));
  base::store<std::int64_t>(at + 8, message.time.ns);
  base::store(at + 16, static_cast<std::uint32_t>(message.body.size()));
  base::store(at + 20, static_cast<std::uint16_t>(message.id.size()));
  base::store(at + 22, static_cast<std::uint8_t>(message.id_kind));
  base::store(at + 23, static_cast<std::uint8_t>(message.encoding));
  at += kMessageHeaderBytes;
  copy(at, base::as_text(message.id));
  copy(at, base::as_text(message.body));
}

base::Bytes RecordWriter::finish() {
  HEADRACE_ASSERT(open_, "finish() after begin()");
  open_ = false;
  std::byte* const at = buffer_.data();
  base::store(at + 4, static_cast<std::uint32_t>(used_));
  base::store<std::uint32_t>(at + 12, count_);
  base::store<std::uint64_t>(at + 48, first_sequence_);
  base::store<std::uint64_t>(at + 56, last_sequence_);
  base::store<std::int64_t>(at + 64, time_min_);
  base::store<std::int64_t>(at + 72, time_max_);
  base::Bytes const all(at, used_);
  base::store(at, base::crc32c(all.subspan(4)));
  return all;
}

}  // namespace headrace::codec::record
