// SPDX-License-Identifier: Apache-2.0
#include "broker/log/impl/format.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/crc32c.h"
#include "codec/record/record_view.h"

namespace headrace::broker::log {
namespace {

using base::load;
using base::store;

constexpr std::string_view kSegmentMagic = "HRLOGSEG";
constexpr std::size_t kFieldsAt = 16, kFieldsBytes = 40;
constexpr std::size_t kCopyAt = 2048;  // in another sector than the fields

SegmentHeader load_fields(std::byte const* p) {
  return {load<std::uint64_t>(p), load<std::uint64_t>(p + 8), load<std::uint64_t>(p + 16),
          load<std::uint64_t>(p + 24), load<std::int64_t>(p + 32)};
}

base::Error corrupt(std::string text) { return {base::ErrorCode::kCorrupt, std::move(text)}; }

base::Result<void> check_entries(base::Bytes group, std::uint32_t records) {
  std::size_t at = kGroupHeaderBytes;
  std::uint32_t count = 0;
  for (; at < group.size(); ++count) {
    auto const left = group.size() - at;
    if (left < kEntryHeaderBytes + codec::record::kRecordHeaderBytes) {
      return corrupt(fmt::format("{} bytes left for an entry; expected at least {}", left,
                                 kEntryHeaderBytes + codec::record::kRecordHeaderBytes));
    }
    auto const* p = group.data() + at;
    std::size_t const length = load<std::uint32_t>(p + 8);
    if (length > left - kEntryHeaderBytes || length % 8 != 0 ||
        length < codec::record::kRecordHeaderBytes ||
        load<std::uint32_t>(p + kEntryHeaderBytes + 4) != length) {
      return corrupt(
          fmt::format("an entry of {} bytes at byte {} of the group does not fit", length, at));
    }
    at += kEntryHeaderBytes + length;
  }
  if (count != records)
    return corrupt(fmt::format("{} records in a group that says {}", count, records));
  return {};
}

}  // namespace

void encode_segment_header(SegmentHeader const& header, std::span<std::byte> block) {
  std::fill(block.begin(), block.end(), std::byte{0});
  std::memcpy(block.data(), kSegmentMagic.data(), kSegmentMagic.size());
  store(block.data() + 8, kFormatVersion);
  store(block.data() + 16, header.number);
  store(block.data() + 24, header.salt);
  store(block.data() + 32, header.previous_number);
  store(block.data() + 40, header.previous_end);
  store(block.data() + 48, header.created_ns);
  auto const fields = block.subspan(kFieldsAt, kFieldsBytes);
  std::memcpy(block.data() + kCopyAt, fields.data(), kFieldsBytes);
  store(block.data() + kCopyAt + kFieldsBytes, base::crc32c(fields));
  store(block.data() + 12, base::crc32c(block.subspan(16, kBlockBytes - 16)));
}

base::Result<SegmentHeader> decode_segment_header(base::Bytes block, std::string const& file) {
  if (block.size() < kBlockBytes) {
    return corrupt(fmt::format("{}: {} bytes; expected a segment header of {}", file, block.size(),
                               kBlockBytes));
  }
  if (base::as_text(block.first(kSegmentMagic.size())) != kSegmentMagic) {
    return corrupt(fmt::format("{}: byte 0: not a segment; expected \"{}\"", file, kSegmentMagic));
  }
  auto const version = load<std::uint32_t>(block.data() + 8);
  if (version > kFormatVersion) {
    return base::Error{base::ErrorCode::kInvalidArgument,
                       fmt::format("{}: format {} is newer than this program's {}", file, version,
                                   kFormatVersion)};
  }
  auto const want = load<std::uint32_t>(block.data() + 12);
  auto const got = base::crc32c(block.subspan(16, kBlockBytes - 16));
  if (want != got || version == 0) {
    return corrupt(fmt::format("{}: byte 12: segment header's checksum {:08x}; expected {:08x}",
                               file, got, want));
  }
  return load_fields(block.data() + kFieldsAt);
}

std::optional<SegmentHeader> decode_header_copy(base::Bytes block) {
  auto const copy = block.subspan(kCopyAt, kFieldsBytes);
  if (load<std::uint32_t>(block.data() + kCopyAt + kFieldsBytes) != base::crc32c(copy))
    return std::nullopt;
  return load_fields(copy.data());
}

SegmentHeader unchecked_header(base::Bytes block) { return load_fields(block.data() + kFieldsAt); }

std::uint32_t group_seed(std::uint64_t number, std::uint64_t salt) {
  std::array<std::byte, 16> bytes;
  store(bytes.data(), number);
  store(bytes.data() + 8, salt);
  return base::crc32c(bytes);
}

void encode_group_header(GroupHeader const& h, std::uint32_t seed, std::span<std::byte> group) {
  auto* p = group.data();
  store(p, kGroupMagic);
  store(p + 8, h.bytes);
  store(p + 12, h.records);
  store(p + 16, h.offset);
  store(p + 24, h.synced);
  store(p + 32, h.received_min_ns);
  store(p + 40, h.received_max_ns);
  store(p + 48, h.written_ns);
  store(p + 56, h.flags);
  store(p + 60, h.messages);
  store(p + 4, base::crc32c(group.subspan(8, h.bytes - 8), seed));
}

std::uint32_t group_bytes_at(base::Bytes bytes, std::uint64_t offset) {
  if (bytes.size() < kGroupHeaderBytes || load<std::uint32_t>(bytes.data()) != kGroupMagic)
    return 0;
  auto const length = load<std::uint32_t>(bytes.data() + 8);
  if (length < kGroupHeaderBytes || length > kSegmentBytesMax || length % 8 != 0) return 0;
  return load<std::uint64_t>(bytes.data() + 16) == offset ? length : 0;
}

base::Result<GroupHeader> decode_group(base::Bytes group, std::uint64_t offset,
                                       std::uint32_t seed) {
  if (group.size() < kGroupHeaderBytes || group_bytes_at(group, offset) != group.size()) {
    return corrupt("no group header; expected one");
  }
  auto const* p = group.data();
  auto const want = load<std::uint32_t>(p + 4);
  auto const got = base::crc32c(group.subspan(8), seed);
  if (want != got)
    return corrupt(fmt::format("a group's checksum {:08x}; expected {:08x}", got, want));
  GroupHeader h;
  h.bytes = load<std::uint32_t>(p + 8);
  h.records = load<std::uint32_t>(p + 12);
  h.offset = load<std::uint64_t>(p + 16);
  h.synced = load<std::uint64_t>(p + 24);
  h.received_min_ns = load<std::int64_t>(p + 32);
  h.received_max_ns = load<std::int64_t>(p + 40);
  h.written_ns = load<std::int64_t>(p + 48);
  h.flags = load<std::uint32_t>(p + 56);
  h.messages = load<std::uint32_t>(p + 60);
  HEADRACE_TRY_VOID(check_entries(group, h.records));
  return h;
}

void encode_entry_header(TopicPartition to, std::uint32_t record_bytes, std::byte* at) {
  store(at, to.topic);
  store(at + 4, to.partition);
  store(at + 8, record_bytes);
  store(at + 12, std::uint32_t{0});
}

std::string segment_name(std::uint64_t number) { return fmt::format("{:020}.seg", number); }
std::string index_name(std::uint64_t number) { return fmt::format("{:020}.idx", number); }

std::uint64_t number_in(std::string_view name, std::string_view suffix) {
  if (name.size() != 20 + suffix.size() || !name.ends_with(suffix)) return 0;
  std::uint64_t number = 0;
  auto const [end, error] = std::from_chars(name.data(), name.data() + 20, number);
  return error == std::errc() && end == name.data() + 20 ? number : 0;
}

}  // namespace headrace::broker::log
