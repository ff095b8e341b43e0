// SPDX-License-Identifier: Apache-2.0
// Catalog: what the log holds, segment by segment, and everything that can be asked about it. The
// writer publishes settled
// groups here; readers and the broker's questions look here.
//   Threads: any. One lock, held for lookups only; the disk is read outside it.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/file_system.h"
#include "broker/broker.h"
#include "broker/log/impl/buffer_pool.h"
#include "broker/log/impl/group_cache.h"
#include "broker/log/impl/segment_index.h"

namespace headrace::broker::log {

struct GroupAt {
  std::uint64_t segment = 0;
  std::uint32_t offset = 0;
  std::uint32_t bytes = 0;
  auto operator<=>(GroupAt const&) const = default;
};

// A reader that waits for more.
struct Waiter {
  std::unordered_set<TopicPartition> partitions;
  std::mutex mutex;  // held while `wake` runs: whoever clears it knows that it runs no more
  Wake wake;
  bool armed = false;  // guarded by the catalog's lock
};

struct Segment {
  std::uint64_t number = 0;
  std::uint32_t seed = 0;
  std::uint64_t file_bytes = 0, index_bytes = 0;
  bool sealed = false;
  SegmentSummary summary;               // of a sealed one
  std::shared_ptr<SegmentIndex> index;  // of a sealed one only while resident
  std::shared_ptr<base::File> file;     // for reading, likewise
  std::uint64_t used = 0;               // for eviction
};

// What was removed, so that a reader that comes late is told how much it lost.
struct RemovedState {
  struct Total {
    std::uint64_t messages = 0;
    Position end;
  };
  std::map<TopicPartition, Total> totals;
  std::map<std::uint64_t, std::vector<PartitionSummary>>
      segments;                     // the last kRemovedKept that had records
  std::set<std::uint64_t> numbers;  // removed ones that are above the oldest kept
};

class Catalog {
 public:
  Catalog(base::FileSystem& files, std::string directory, std::shared_ptr<BufferPool> pool,
          std::size_t cache_bytes_max)
      : files_(files),
        directory_(std::move(directory)),
        pool_(std::move(pool)),
        cache_(cache_bytes_max) {}

  // Writer's side.
  void add_sealed(Segment segment);
  void start_active(Segment segment);
  // Returns the index to be written beside it; call set_index_bytes once it stands on disk.
  std::shared_ptr<SegmentIndex const> seal_active(std::uint64_t file_bytes);
  void set_index_bytes(std::uint64_t number, std::uint64_t bytes);
  void publish(Group group, GroupHeader const& header);
  void moved_end(std::uint64_t end);  // a mark
  std::uint64_t stored_bytes() const;
  // Sealed segments that `expired` says may go and nobody holds; `oldest_only`: at most the oldest.
  using IsExpired = std::function<bool(PartitionSummary const&)>;
  std::vector<std::uint64_t> removable(IsExpired const& expired, bool oldest_only) const;
  // True when the active segment has records and `is` holds for every partition in it.
  bool active_all(IsExpired const& is) const;
  bool any_sealed() const;
  // What the file `removed` will say once these are gone; then take them out.
  RemovedState removed_after(std::vector<std::uint64_t> const& numbers) const;
  void remove(std::vector<std::uint64_t> const& numbers, RemovedState state);
  void set_removed(RemovedState state);
  std::uint64_t file_bytes(std::uint64_t number) const;

  // Readers' side.
  std::uint64_t version() const;  // moves with every group and every removal
  base::Result<std::optional<GroupAt>> next_group(TopicPartition tp, Position from);
  // nullopt: the segment was removed meanwhile.
  base::Result<std::optional<Group>> read_group(GroupAt at);
  std::uint64_t expired_between(TopicPartition tp, Position from, Position to) const;
  void add_waiter(std::shared_ptr<Waiter> waiter);
  void remove_waiter(std::shared_ptr<Waiter> const& waiter);
  bool arm(Waiter& waiter, std::uint64_t version_seen);

  // The broker's questions.
  Position begin(TopicPartition tp) const;
  Position end(TopicPartition tp) const;
  base::Result<Position> find_time(TopicPartition tp, base::Timestamp time);
  std::uint64_t count_after(TopicPartition tp, Position from);
  std::optional<base::Timestamp> time_at(TopicPartition tp, Position from);
  std::optional<ProducerState> find_producer(base::Uuid const& producer);
  void hold(std::string const& holder, std::span<Assignment const> positions);
  void hold_all(std::string const& holder);  // one such holder at a time; until release()
  void release(std::string const& holder);

 private:
  using SegmentPtr = std::shared_ptr<Segment>;

  // Runs `use` on the segment's index under the lock, reading it from disk first when it is not
  // resident.
  template <class Use>
  base::Result<void> with_index(SegmentPtr const& segment, Use use);
  base::Result<std::shared_ptr<SegmentIndex>> load_index(Segment const& segment);
  base::Result<std::shared_ptr<base::File>> reading_file(SegmentPtr const& segment);
  void evict(Segment const* keep);
  SegmentPtr find_segment(std::uint64_t number) const;
  SegmentPtr next_with(TopicPartition tp, Position from) const;
  bool held(Segment const& segment) const;
  bool removed(std::uint64_t number) const;
  std::vector<std::shared_ptr<Waiter>> waiters_for(GroupHeader const& header, base::Bytes group);
  std::string path(std::string const& name) const { return directory_ + "/" + name; }

  base::FileSystem& files_;
  std::string const directory_;
  std::shared_ptr<BufferPool> const pool_;
  GroupCache cache_;

  mutable std::mutex mutex_;
  std::map<std::uint64_t, SegmentPtr> segments_;
  SegmentPtr active_;
  std::unordered_map<TopicPartition, Position> ends_;
  RemovedState removed_;
  std::map<std::string, std::map<TopicPartition, Position>> holds_;
  std::string holds_all_;  // who holds everything; empty: nobody
  std::vector<std::shared_ptr<Waiter>> waiters_;
  std::uint64_t version_ = 1, uses_ = 0;
};

inline constexpr std::size_t kRemovedKept = 64;

template <class Use>
base::Result<void> Catalog::with_index(SegmentPtr const& segment, Use use) {
  {
    std::lock_guard const lock(mutex_);
    if (segment->index != nullptr) {
      segment->used = ++uses_;
      use(*segment->index);
      return {};
    }
  }
  HEADRACE_TRY(auto index, load_index(*segment));
  std::lock_guard const lock(mutex_);
  segment->index = std::move(index);
  segment->used = ++uses_;
  evict(segment.get());
  use(*segment->index);
  return {};
}

}  // namespace headrace::broker::log
