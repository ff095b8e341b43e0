// SPDX-License-Identifier: Apache-2.0
// verify and repair of a log directory that no process has open: what `headrace log verify|repair`
// runs.
//   Threads: any, one call at a time per directory.   Errors: not_found (no log there),
//            invalid_argument (newer format), io.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/file_system.h"

namespace headrace::broker::log {

struct Damage {
  std::string file;
  std::uint64_t byte = 0;   // where in the file
  std::uint64_t bytes = 0;  // how much of it cannot be read
  std::string expected;     // what should have been there, for people
};

struct SegmentReport {
  std::string file;
  std::uint64_t number = 0;
  std::uint64_t file_bytes = 0;
  std::uint64_t used_bytes = 0;  // up to the end of the last good group
  std::uint64_t groups = 0, records = 0, messages = 0;
  std::optional<std::uint64_t>
      torn_at;                 // the last segment only: a torn tail that the next open cuts
  std::vector<Damage> damage;  // corruption: refused at open
};

struct CheckReport {
  std::vector<SegmentReport> segments;
  std::vector<Damage>
      other;  // format file, topic table; damaged indexes are rebuilt and only noted in `notes`
  std::vector<std::string> notes;
  bool good() const;
};

// Reads every byte and changes nothing.
base::Result<CheckReport> verify_log(std::string const& directory, base::FileSystem& files);

struct RepairReport {
  struct Segment {
    std::string file;
    std::string moved_to;  // the damaged file as it was
    std::uint64_t groups_lost = 0;
    std::optional<std::uint64_t> records_lost;  // nullopt: at least one, cannot be told
    std::uint64_t records_kept = 0;
  };
  std::vector<Segment> segments;  // only those that were changed
  std::vector<std::string> notes;
};

// Rewrites each damaged segment without its damaged groups, keeping every good record at its
// position, and moves the
// damaged file to <directory>/damaged/. Afterwards the log opens. What cannot be mended (a damaged
// topic table) is corrupt.
base::Result<RepairReport> repair_log(std::string const& directory, base::FileSystem& files);

// For people, one line each.
std::string to_string(CheckReport const& report);
std::string to_string(RepairReport const& report);

}  // namespace headrace::broker::log
