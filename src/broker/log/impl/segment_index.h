// SPDX-License-Identifier: Apache-2.0
// SegmentIndex: where each partition's records stand in one segment. Written beside the segment
// when it is sealed; rebuilt
// from it when missing or damaged. The summary is small and stays in memory; the rest is read when
// it is asked for.
//   Threads: none of its own; the catalog's lock guards the one that grows.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/uuid.h"
#include "broker/broker.h"
#include "broker/log/impl/format.h"

namespace headrace::broker::log {

struct PartitionSummary {
  TopicPartition partition;
  std::uint32_t first = 0;  // byte of the first entry
  std::uint32_t end = 0;    // byte after the last entry
  std::int64_t received_min_ns = 0, received_max_ns = 0;
  std::uint64_t records = 0, messages = 0;
  bool operator==(PartitionSummary const&) const = default;
};

struct SegmentSummary {
  std::uint64_t number = 0;
  std::uint64_t end = kBlockBytes;  // byte after the last group, padded
  std::uint64_t records = 0, messages = 0;
  std::vector<PartitionSummary> partitions;   // sorted by partition
  std::vector<std::uint64_t> producer_bloom;  // bits; empty: no producers
  PartitionSummary const* find(TopicPartition tp) const;
  bool may_have(base::Uuid const& producer) const;
  bool operator==(SegmentSummary const&) const = default;
};

struct GroupRef {
  std::uint32_t offset = 0;
  std::uint32_t bytes = 0;
  std::int64_t received_max_ns = 0;
  bool operator==(GroupRef const&) const = default;
};

// One partition's part of one group.
struct PartitionGroup {
  std::uint32_t group = 0;            // into groups
  std::uint32_t first = 0, last = 0;  // bytes of the first and last entry, in the segment
  std::uint32_t messages = 0;
  bool operator==(PartitionGroup const&) const = default;
};

struct PartitionIndex {
  PartitionSummary summary;
  std::vector<PartitionGroup> groups;
  // First group with an entry at or after byte `from`; size() when none.
  std::size_t find(std::uint64_t from) const;
  bool operator==(PartitionIndex const&) const = default;
};

class SegmentIndex {
 public:
  explicit SegmentIndex(std::uint64_t number) : number_(number) {}

  // Groups come in order. `group` is whole and good.
  void add(base::Bytes group, GroupHeader const& header);
  // Only moves the end: a mark.
  void set_end(std::uint64_t end) { end_ = end; }

  std::uint64_t number() const { return number_; }
  std::uint64_t end() const { return end_; }
  std::uint64_t records() const { return records_; }
  std::vector<GroupRef> const& groups() const { return groups_; }
  PartitionIndex const* find(TopicPartition tp) const;
  std::unordered_map<TopicPartition, PartitionIndex> const& partitions() const {
    return partitions_;
  }
  std::optional<ProducerState> find_producer(base::Uuid const& producer) const;
  SegmentSummary summary() const;
  std::size_t memory_bytes() const;

  std::string encode() const;
  // corrupt: anything that does not fit.
  static base::Result<SegmentIndex> decode(std::string_view bytes, std::uint64_t number);
  // Of the first part of the file; nullopt when `bytes` is too short for it: read more.
  static base::Result<std::optional<SegmentSummary>> decode_summary(std::string_view bytes,
                                                                    std::uint64_t number);

 private:
  std::uint64_t number_;
  std::uint64_t end_ = kBlockBytes;
  std::uint64_t records_ = 0, messages_ = 0;
  std::vector<GroupRef> groups_;
  std::unordered_map<TopicPartition, PartitionIndex> partitions_;
  std::unordered_map<base::Uuid, ProducerState> producers_;
};

}  // namespace headrace::broker::log
