// SPDX-License-Identifier: Apache-2.0
// What a repair can still tell about a segment whose header block is damaged.
//   Threads: any.   Errors: io.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "broker/log/impl/segment_scan.h"

namespace headrace::broker::log {

struct Salvaged {
  SegmentHeader header;
  std::uint64_t records = 0;  // in its good groups
};

// The header of `<number>.seg`: from the copy in its block, else from the fields as they are when
// the checksum of at least one group proves number and salt; what they say of the segment before
// it is then checked against that one. nullopt: nothing in the file can be told from what was
// there before. `names`: the directory's files, sorted.
base::Result<std::optional<Salvaged>> salvage_header(base::FileSystem& files,
                                                     std::string const& directory,
                                                     std::vector<std::string> const& names,
                                                     std::set<std::uint64_t> const& removed,
                                                     std::uint64_t number);

}  // namespace headrace::broker::log
