// SPDX-License-Identifier: Apache-2.0
// GroupCache: the groups written or read last, so that receivers that keep up never read the disk.
// Least recently used go.
//   Threads: any.   Bounded: bytes_max.
#pragma once

#include <list>
#include <map>
#include <mutex>
#include <optional>
#include <utility>

#include "broker/log/impl/buffer_pool.h"

namespace headrace::broker::log {

class GroupCache {
 public:
  explicit GroupCache(std::size_t bytes_max) : bytes_max_(bytes_max) {}

  std::optional<Group> find(std::uint64_t segment, std::uint32_t offset) {
    std::lock_guard const lock(mutex_);
    auto const it = groups_.find({segment, offset});
    if (it == groups_.end()) return std::nullopt;
    order_.splice(order_.begin(), order_, it->second);
    return *it->second;
  }
  void add(Group group) {
    std::lock_guard const lock(mutex_);
    auto const key = std::make_pair(group.segment, group.offset);
    if (groups_.contains(key)) return;
    bytes_ += group.buffer->capacity();
    order_.push_front(std::move(group));
    groups_.emplace(key, order_.begin());
    while (bytes_ > bytes_max_ && order_.size() > 1) {
      auto const& oldest = order_.back();
      bytes_ -= oldest.buffer->capacity();
      groups_.erase({oldest.segment, oldest.offset});
      order_.pop_back();
    }
  }

 private:
  std::size_t const bytes_max_;
  std::mutex mutex_;
  std::size_t bytes_ = 0;
  std::list<Group> order_;  // most recently used first
  std::map<std::pair<std::uint64_t, std::uint32_t>, std::list<Group>::iterator> groups_;
};

}  // namespace headrace::broker::log
