// SPDX-License-Identifier: Apache-2.0
#include "agent/impl/spool_format.h"

#include <algorithm>
#include <cstring>

#include "base/assert.h"
#include "base/crc32c.h"

namespace headrace::agent {
namespace {

constexpr std::string_view kHeadMagic = "HRSPHEAD";
constexpr std::string_view kSegmentMagic = "HRSPSEGM";

template <class T>
void put(std::string& out, T value) {
  char bytes[sizeof value];
  std::memcpy(bytes, &value, sizeof value);
  out.append(bytes, sizeof bytes);
}

std::uint32_t checksum(std::string_view text) { return base::crc32c(base::as_bytes(text)); }

// Magic, version and the checksum at the end of a head or a segment header.
bool is_framed(base::Bytes bytes, std::string_view magic, std::size_t size) {
  if (bytes.size() < size) return false;
  auto const text = base::as_text(bytes.first(size));
  return text.starts_with(magic) && base::load<std::uint32_t>(bytes.data() + 8) == kSpoolVersion &&
         base::load<std::uint32_t>(bytes.data() + size - 4) == checksum(text.substr(0, size - 4));
}

}  // namespace

void encode_head(std::string& out, SpoolHead const& head) {
  auto const begin = out.size();
  out += kHeadMagic;
  put(out, kSpoolVersion);
  out.append(reinterpret_cast<char const*>(head.session.bytes.data()), head.session.bytes.size());
  put(out, head.epoch);
  put(out, head.reserved);
  put(out, head.acknowledged);
  put(out, std::uint32_t{0});
  put(out, checksum(std::string_view(out).substr(begin)));
  HEADRACE_ASSERT(out.size() - begin == kHeadBytes, "the head's size is part of the format");
}

std::optional<SpoolHead> decode_head(base::Bytes bytes) {
  if (bytes.size() != kHeadBytes || !is_framed(bytes, kHeadMagic, kHeadBytes)) return std::nullopt;
  SpoolHead head;
  std::memcpy(head.session.bytes.data(), bytes.data() + 12, 16);
  head.epoch = base::load<std::uint32_t>(bytes.data() + 28);
  head.reserved = base::load<std::uint64_t>(bytes.data() + 32);
  head.acknowledged = base::load<std::uint64_t>(bytes.data() + 40);
  return head;
}

void encode_segment_header(std::string& out, std::uint64_t number) {
  auto const begin = out.size();
  out += kSegmentMagic;
  put(out, kSpoolVersion);
  put(out, number);
  put(out, checksum(std::string_view(out).substr(begin)));
}

std::optional<std::uint64_t> decode_segment_header(base::Bytes bytes) {
  if (!is_framed(bytes, kSegmentMagic, kSegmentHeaderBytes)) return std::nullopt;
  return base::load<std::uint64_t>(bytes.data() + 12);
}

void encode_entry(std::string& out, SpoolEntry const& entry) {
  HEADRACE_ASSERT(entry.data_type.size() <= 255 && entry.source.size() <= 255,
                  "names have been checked");
  auto const begin = out.size();
  put(out, std::uint32_t{0});
  put(out,
      static_cast<std::uint32_t>(entry.data_type.size() + entry.source.size() + entry.body.size()));
  put(out, entry.sequence);
  put(out, entry.time_ns);
  put(out, static_cast<std::uint8_t>(entry.data_type.size()));
  put(out, static_cast<std::uint8_t>(entry.source.size()));
  put(out, std::uint16_t{0});
  out.append(entry.data_type).append(entry.source).append(entry.body);
  base::store(reinterpret_cast<std::byte*>(out.data() + begin),
              checksum(std::string_view(out).substr(begin + 4)));
}

std::optional<DecodedEntry> decode_entry(base::Bytes bytes) {
  if (bytes.size() < kEntryHeaderBytes) return std::nullopt;
  auto const payload = base::load<std::uint32_t>(bytes.data() + 4);
  if (payload > kEntryPayloadBytesMax || bytes.size() - kEntryHeaderBytes < payload)
    return std::nullopt;
  auto const whole = base::as_text(bytes.first(kEntryHeaderBytes + payload));
  if (base::load<std::uint32_t>(bytes.data()) != checksum(whole.substr(4))) return std::nullopt;
  std::size_t const type_bytes = base::load<std::uint8_t>(bytes.data() + 24);
  std::size_t const source_bytes = base::load<std::uint8_t>(bytes.data() + 25);
  if (base::load<std::uint16_t>(bytes.data() + 26) != 0 || type_bytes + source_bytes > payload)
    return std::nullopt;
  DecodedEntry decoded;
  decoded.bytes = whole.size();
  decoded.entry.sequence = base::load<std::uint64_t>(bytes.data() + 8);
  decoded.entry.time_ns = base::load<std::int64_t>(bytes.data() + 16);
  auto const names = whole.substr(kEntryHeaderBytes);
  decoded.entry.data_type = names.substr(0, type_bytes);
  decoded.entry.source = names.substr(type_bytes, source_bytes);
  decoded.entry.body = names.substr(type_bytes + source_bytes);
  return decoded;
}

}  // namespace headrace::agent
