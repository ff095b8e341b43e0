// SPDX-License-Identifier: Apache-2.0
// Reads a segment from its first byte to its last and tells good groups, a torn tail and
// corruption apart.
//   Threads: any.   Errors: of the header (corrupt, invalid_argument when newer) and of reading
//            (io).
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/file_system.h"
#include "broker/log/impl/format.h"
#include "broker/log/log_check.h"

namespace headrace::broker::log {

struct ScanOutcome {
  SegmentHeader header;
  std::uint64_t file_bytes = 0;
  std::uint64_t end = kBlockBytes;     // after the last good group, padded
  std::uint64_t synced = kBlockBytes;  // everything before is known to have been synced
  std::optional<std::uint64_t> torn_at;
  std::vector<Damage> damage;
};

using OnGroup = std::function<base::Result<void>(GroupHeader const&, base::Bytes group)>;

// With `sealed_end` the segment is known to be good up to there. Without it, it is the log's tail:
// damage that no later
// group vouches for is torn, not corrupt.
base::Result<ScanOutcome> scan_segment(base::FileSystem& files, std::string const& path,
                                       std::optional<std::uint64_t> sealed_end,
                                       OnGroup const& on_group);

// The same with a header that is known from elsewhere.
base::Result<ScanOutcome> scan_segment_as(SegmentHeader const& header, base::FileSystem& files,
                                          std::string const& path,
                                          std::optional<std::uint64_t> sealed_end,
                                          OnGroup const& on_group);

base::Result<SegmentHeader> read_segment_header(base::FileSystem& files, std::string const& path);

}  // namespace headrace::broker::log
