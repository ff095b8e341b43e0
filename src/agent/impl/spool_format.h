// SPDX-License-Identifier: Apache-2.0
// The bytes of the agent's spool, as docs/formats/agent-spool.md has them.
//   Threads: pure.   Errors: nullopt where the bytes are not (yet) what was written; never reads
//            outside them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/uuid.h"

namespace headrace::agent {

inline constexpr std::uint32_t kSpoolVersion = 1;
inline constexpr std::size_t kHeadBytes = 56;
inline constexpr std::size_t kSegmentHeaderBytes = 24;
inline constexpr std::size_t kEntryHeaderBytes = 28;
inline constexpr std::uint32_t kEntryPayloadBytesMax = 64u << 20;

struct SpoolHead {
  base::Uuid session;
  std::uint32_t epoch = 0;
  std::uint64_t reserved = 0;      // numbers up to here may have been used
  std::uint64_t acknowledged = 0;  // at least: numbers up to here are settled
  bool operator==(SpoolHead const&) const = default;
};

struct SpoolEntry {
  std::uint64_t sequence = 0;
  std::int64_t time_ns = 0;
  std::string_view data_type, source, body;  // views of the decoded bytes
};

void encode_head(std::string& out, SpoolHead const& head);
std::optional<SpoolHead> decode_head(base::Bytes bytes);

void encode_segment_header(std::string& out, std::uint64_t number);
std::optional<std::uint64_t> decode_segment_header(base::Bytes bytes);  // its number

// data_type and source: at most 255 bytes each.
void encode_entry(std::string& out, SpoolEntry const& entry);
struct DecodedEntry {
  SpoolEntry entry;
  std::size_t bytes = 0;  // that it takes
};
std::optional<DecodedEntry> decode_entry(base::Bytes bytes);

}  // namespace headrace::agent
