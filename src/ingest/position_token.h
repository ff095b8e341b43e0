// SPDX-License-Identifier: Apache-2.0
// PositionToken: where in the log a request's messages are, as text that a client hands back to ask
// for reads that see them.
//   Text:    "t1." then per partition "<topic>:<partition>:<hi>-<lo>", joined by "~"; only
//            characters that need no escape in URLs, headers and JSON strings. "t1." alone covers
//            nothing.
//   Threads: pure.   Bounds: kEntriesMax partitions.   Errors: invalid_argument, with the byte.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "broker/position.h"

namespace headrace::ingest {

class PositionToken {
 public:
  static constexpr std::size_t kEntriesMax = 4096;
  struct Entry {
    broker::TopicPartition partition;
    broker::Position position;
    bool operator==(Entry const&) const = default;
  };

  // Keeps the highest position of each partition.
  void cover(broker::TopicPartition partition, broker::Position position);
  void merge(PositionToken const& other);
  std::vector<Entry> const& entries() const { return entries_; }  // by partition
  bool empty() const { return entries_.empty(); }

  std::string encode() const;
  static base::Result<PositionToken> decode(std::string_view text);

 private:
  std::vector<Entry> entries_;
};

}  // namespace headrace::ingest
