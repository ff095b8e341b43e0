// SPDX-License-Identifier: Apache-2.0
// What Linux says of itself in /proc, as values: pure functions over the files' text. Kernels
// differ (fields came one by one, containers leave files out or empty), so a field that is missing
// at a line's end reads as 0 and unknown lines are passed over.
//   Threads: pure.   Units: bytes, milliseconds, counts since the machine started.
//   Errors:  invalid_argument when the text is not that file at all (what was expected, the line
//            that is wrong).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace headrace::agent {

// Clock ticks of one core or of all. Guest time is part of user time already.
struct CpuTimes {
  std::uint64_t user = 0, nice = 0, system = 0, idle = 0, iowait = 0, irq = 0, softirq = 0,
                steal = 0;

  std::uint64_t total() const {
    return user + nice + system + idle + iowait + irq + softirq + steal;
  }
  bool operator==(CpuTimes const&) const = default;
};
struct CoreTimes {
  std::uint32_t core = 0;
  CpuTimes times;
};
struct CpuStat {
  CpuTimes all;
  std::vector<CoreTimes> cores;  // those that are online
};
base::Result<CpuStat> parse_stat(std::string_view text);  // /proc/stat

struct MemoryInfo {
  std::uint64_t total = 0, available = 0, swap_total = 0, swap_free = 0;
};
base::Result<MemoryInfo> parse_meminfo(
    std::string_view text);  // before Linux 3.14: available = free + buffers + cached

struct LoadAverage {
  double one = 0, five = 0, fifteen = 0;
  std::uint64_t running = 0, threads = 0;
};
base::Result<LoadAverage> parse_loadavg(std::string_view text);

base::Result<double> parse_uptime(std::string_view text);  // seconds

struct DiskCounters {
  std::string device;
  std::uint64_t reads = 0, read_bytes = 0, writes = 0, written_bytes = 0, busy_ms = 0;
};
// All lines of /proc/diskstats; an empty text is no disks.
base::Result<std::vector<DiskCounters>> parse_diskstats(std::string_view text);
// The devices that stand for hardware: no partitions, no loop, ram, zram, floppy or optical drives;
//                                      dm-* and md* (which lie on
// others) only when there is nothing else.
std::vector<DiskCounters> whole_disks(std::vector<DiskCounters> all);

struct InterfaceCounters {
  std::string name;
  std::uint64_t received_bytes = 0, received_packets = 0, received_errors = 0, received_drops = 0;
  std::uint64_t sent_bytes = 0, sent_packets = 0, sent_errors = 0, sent_drops = 0;
};
base::Result<std::vector<InterfaceCounters>> parse_net_dev(std::string_view text);

struct Mount {
  std::string device, directory, type;
};
std::vector<Mount> parse_mounts(std::string_view text);  // lines that are no mounts are passed over
// The mounts that stand for storage of this machine, one per device (the shortest path): no pseudo
// file systems, no read-only images, and no network file systems, whose statvfs can hang for ever.
std::vector<Mount> real_file_systems(std::vector<Mount> all);

}  // namespace headrace::agent
