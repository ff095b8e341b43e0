// SPDX-License-Identifier: Apache-2.0
// TopicTable: names, ids and partition counts of the topics, kept in the file `topics`, with a copy
// in `topics.copy` that only a repair reads.
//   Threads: any (a lock of its own).   Errors: of open_topic: invalid_argument, io, overloaded;
//            of load: corrupt.
#pragma once

#include <atomic>
#include <mutex>
#include <string>
#include <vector>

#include "base/file_system.h"
#include "broker/broker.h"

namespace headrace::broker::log {

struct Topic {
  TopicState state;
  model::Durability durability = model::Durability::kDisk;
  std::chrono::nanoseconds retention{};
};

class TopicTable {
 public:
  TopicTable(base::FileSystem& files, std::string path) : files_(files), path_(std::move(path)) {}
  // corrupt: damaged, or missing beside segments.
  base::Result<void> load();
  // Before the first segment is made: writes the table and its copy where they are not there yet.
  base::Result<void> establish();
  // Puts the copy in the place of a table that is missing or damaged; false: the table is good.
  base::Result<bool> restore();
  base::Result<TopicState> open_topic(model::DataType const& type);
  std::vector<Topic> topics() const;
  // Moves with every change: a copy is current as long as this stands still.
  std::uint64_t version() const { return version_.load(std::memory_order_acquire); }

 private:
  base::Result<void> check_missing() const;
  base::Result<void> save(std::vector<Topic> const& topics);

  base::FileSystem& files_;
  std::string const path_;
  mutable std::mutex mutex_;
  std::vector<Topic> topics_;  // id - 1
  std::atomic<std::uint64_t> version_{1};
};

}  // namespace headrace::broker::log
