// SPDX-License-Identifier: Apache-2.0
// The embedded broker: one segmented, append-only log on this machine's disk for all topics and
// partitions, with group
// commit. Format: docs/formats/log.md. Checking and mending a damaged directory: log_check.h.
//   Threads:    one of its own ("log-sync") writes, syncs, settles and removes; see broker.h for
//               the rest.
//   Lifetime:   `files` and `clock` outlive the broker. One process opens a directory at a time
//               (the data directory's lock
//               is the caller's).
//   Durability: disk: settled after fdatasync; os and memory: settled after write (memory is
//               promised less than it gets).
//   Errors:     of make_log_broker: invalid_argument (bad options; a newer format: names both
//               versions), corrupt (damage before the last mark: names file and byte; `headrace log
//               repair` mends), io. A full disk is no error: the log opens for reading and heals.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/error.h"
#include "base/file_system.h"
#include "broker/broker.h"

namespace headrace::broker::log {

struct LogOptions {
  std::string directory;                    // created when missing
  std::uint64_t segment_bytes = 64u << 20;  // 64 KiB to 1 GiB, rounded up to 4 KiB
  std::uint64_t disk_budget_bytes = 10ull
                                    << 30;  // of segments and indexes; 0: none. At least 4 segments
  std::uint64_t reserve_bytes =
      16u << 20;  // kept for cursors and dead letters; freed when the disk is full
  std::size_t group_bytes_max =
      4u << 20;  // a group is one write and one sync; one larger record goes alone
  std::size_t group_bytes_large = 1u << 20;  // from here on a group never waits
  std::chrono::nanoseconds group_delay =
      std::chrono::microseconds(500);           // how long a small group may wait for more
  std::size_t unsettled_bytes_max = 32u << 20;  // per Appender; beyond it append() is overloaded
  std::size_t cache_bytes_max = 32u << 20;      // groups kept in memory, newest and most used first
  std::chrono::nanoseconds idle_mark_after =
      std::chrono::seconds(1);  // quiet this long: sync all and write a mark
  // A holder that holds everything from the first moment, until release() of this name: whoever
  // consumes the log registers holds only after it is open, and what they need must not go before.
  // Empty: none.
  std::string hold_at_open;
  bool direct_io = true;  // O_DIRECT where the file system has it
};

base::Result<std::unique_ptr<Broker>> make_log_broker(LogOptions options, base::FileSystem& files,
                                                      base::Clock& clock);

}  // namespace headrace::broker::log
