// SPDX-License-Identifier: Apache-2.0
// The collector `system`: cpu, load, memory, disk, network, processes and uptime of this machine.
// The body's fields are documented in docs/guide/agent.md and stay stable.
//   Threads: one.   Cost: under a millisecond a sample on a usual machine.
//   Errors:  a file of /proc that cannot be read or understood leaves its part of the body out
//            (logged once per part); all missing is an error.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "agent/collector.h"
#include "agent/impl/proc_text.h"
#include "base/clock.h"

namespace headrace::agent {

struct FileSystemUsage {
  std::uint64_t total_bytes = 0, free_bytes = 0,
                available_bytes = 0;  // available: to those who are not root
};
using AskUsage = std::function<base::Result<FileSystemUsage>(std::string const& directory)>;
base::Result<FileSystemUsage> ask_statvfs(std::string const& directory);

class SystemCollector final : public Collector {
 public:
  explicit SystemCollector(base::Clock& clock, std::string proc = "/proc",
                           AskUsage ask_usage = ask_statvfs);

  std::string_view name() const override { return "system"; }
  base::Result<std::string> collect(base::Timestamp now) override;

 private:
  struct Sample {
    std::chrono::steady_clock::time_point at;
    std::optional<CpuStat> cpu;
    std::map<std::string, DiskCounters> disks;
    std::map<std::string, InterfaceCounters> interfaces;
  };
  template <class T>
  std::optional<T> read(std::string_view file, base::Result<T> (*parse)(std::string_view));
  std::optional<std::string> read_text(std::string_view file);
  void report_once(std::string const& part, base::Error const& error);
  void append_cpu(class JsonObject& body, Sample const& sample, double seconds);
  void append_memory(class JsonObject& body);
  void append_load(class JsonObject& body);
  void append_disk(class JsonObject& body, Sample const& sample, double seconds);
  void append_file_systems(class JsonObject& disk, std::string_view mounts);
  void append_network(class JsonObject& body, Sample const& sample, double seconds);

  base::Clock& clock_;
  std::string proc_;
  AskUsage ask_usage_;
  std::optional<Sample> last_;
  std::set<std::string> reported_;
};

}  // namespace headrace::agent
