// SPDX-License-Identifier: Apache-2.0
// The bytes of a segment: header block, groups, entries. docs/formats/log.md is the specification.
//   Threads: pure.   Errors: corrupt, with file, byte and what was expected.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "base/bytes.h"
#include "base/error.h"
#include "broker/position.h"

namespace headrace::broker::log {

inline constexpr std::uint32_t kFormatVersion = 1;
inline constexpr std::size_t kBlockBytes = 4096;
inline constexpr std::size_t kGroupHeaderBytes = 64;
inline constexpr std::size_t kEntryHeaderBytes = 16;
inline constexpr std::uint32_t kGroupMagic = 0x50475248;  // "HRGP"
inline constexpr std::uint32_t kFlagMark =
    1;  // no records: says what was synced when the log fell idle
inline constexpr std::uint64_t kSegmentBytesMax = 1u << 30;

constexpr std::uint64_t padded(std::uint64_t bytes) {
  return (bytes + kBlockBytes - 1) / kBlockBytes * kBlockBytes;
}

struct SegmentHeader {
  std::uint64_t number = 0;
  std::uint64_t salt =
      0;  // random: part of every group's checksum, so that recycled bytes never pass
  std::uint64_t previous_number = 0;  // 0: none
  std::uint64_t previous_end = 0;  // everything before this byte of the previous segment was synced
  std::int64_t created_ns = 0;
  bool operator==(SegmentHeader const&) const = default;
};

void encode_segment_header(SegmentHeader const& header, std::span<std::byte> block);
base::Result<SegmentHeader> decode_segment_header(base::Bytes block, std::string const& file);
// For a repair. The copy of the fields in a damaged block, when the copy's own checksum is good.
std::optional<SegmentHeader> decode_header_copy(base::Bytes block);
// The fields as they are, checked by nothing.
SegmentHeader unchecked_header(base::Bytes block);

struct GroupHeader {
  std::uint32_t bytes = 0;  // with this header, without padding
  std::uint32_t records = 0;
  std::uint64_t offset = 0;  // of this group in its segment
  std::uint64_t synced =
      0;  // every byte of the segment before this one was synced when the group was written
  std::int64_t received_min_ns = 0, received_max_ns = 0;
  std::int64_t written_ns = 0;
  std::uint32_t flags = 0;
  std::uint32_t messages = 0;
  bool operator==(GroupHeader const&) const = default;
};

std::uint32_t group_seed(std::uint64_t number, std::uint64_t salt);
// Fills in the header of a whole group (header.bytes long) and its checksum.
void encode_group_header(GroupHeader const& header, std::uint32_t seed, std::span<std::byte> group);
// Length of the group that seems to start here; 0 when none does. Looks at the first 64 bytes only.
std::uint32_t group_bytes_at(base::Bytes bytes, std::uint64_t offset);
// Checks a whole group: header, checksum, entries. invalid: says what was found and expected,
// without the file's name.
base::Result<GroupHeader> decode_group(base::Bytes group, std::uint64_t offset, std::uint32_t seed);

// One record in a group.
struct Entry {
  std::uint32_t at = 0;  // of its entry header, in the group
  TopicPartition to;
  base::Bytes record;
  std::uint32_t next() const {
    return at + static_cast<std::uint32_t>(kEntryHeaderBytes + record.size());
  }
};

void encode_entry_header(TopicPartition to, std::uint32_t record_bytes, std::byte* at);

// Walks the entries of a group that decode_group accepted, or that we have built.
class Entries {
 public:
  explicit Entries(base::Bytes group, std::uint32_t from = kGroupHeaderBytes)
      : group_(group), at_(from) {}
  bool next(Entry& entry) {
    if (at_ >= group_.size()) return false;
    auto const* p = group_.data() + at_;
    entry = {at_,
             {base::load<std::uint32_t>(p), base::load<std::uint32_t>(p + 4)},
             group_.subspan(at_ + kEntryHeaderBytes, base::load<std::uint32_t>(p + 8))};
    at_ = entry.next();
    return true;
  }

 private:
  base::Bytes group_;
  std::uint32_t at_;
};

std::string segment_name(std::uint64_t number);  // 20 digits and ".seg"
std::string index_name(std::uint64_t number);    // ".idx"
// Number in a name of that form; 0 when it is another.
std::uint64_t number_in(std::string_view name, std::string_view suffix);

}  // namespace headrace::broker::log
