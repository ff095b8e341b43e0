// SPDX-License-Identifier: Apache-2.0
// Opens what is in a log directory: checks the chain of segments, cuts a torn tail, fills the
// catalog.
//   Threads: one, before the log starts.   Errors: corrupt (file and byte), invalid_argument
//            (newer format), io.
#pragma once

#include "broker/log/impl/log_writer.h"
#include "broker/log/log_check.h"

namespace headrace::broker::log {

// The log's incarnation (Broker::incarnation) from its file; a missing or unreadable one is made
// anew, which costs readers a second reading and never a record.
base::Result<base::Uuid> open_incarnation(base::FileSystem& files, std::string const& directory);
// Before records are cut out or moved away: readers must not trust their cursors afterwards.
base::Result<void> end_incarnation(base::FileSystem& files, std::string const& directory);
// The file `format`: written when the directory is new.
base::Result<void> open_format(base::FileSystem& files, std::string const& directory);
base::Result<Recovered> recover(base::FileSystem& files, std::string const& directory,
                                Catalog& catalog);

// There while a repair works: a log that has it is not opened.
inline constexpr std::string_view kRepairingName = "repairing";

// The segments in the order of their numbers, with what the next one says about the end of each.
struct ChainLink {
  std::uint64_t number = 0;
  SegmentHeader header;
  std::optional<std::uint64_t> sealed_end;  // nullopt: the last one, or the next one is gone
  bool last = false;
};
struct Chain {
  std::vector<ChainLink> links;
  std::vector<Damage> damage;
};
base::Result<Chain> read_chain(base::FileSystem& files, std::string const& directory,
                               std::vector<std::string> const& names,
                               std::set<std::uint64_t> const& removed);
// From the index file, when it is good and agrees with the next segment's header; else nullopt. The
// segment's file may be shorter than it says: that is corruption, not a reason to doubt the index.
std::optional<SegmentSummary> read_summary(base::FileSystem& files, std::string const& directory,
                                           ChainLink const& link, std::uint64_t* index_bytes);

}  // namespace headrace::broker::log
