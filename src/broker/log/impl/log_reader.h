// SPDX-License-Identifier: Apache-2.0
// LogReader: goes through the log group by group. All partitions that have something in a group
// get it from one reading.
//   Order: the group that comes first in the log, so that partitions that are behind catch up with
//          one sequential reading;
//          every fourth group belongs to a partition whose turn it is, so that one far behind does
//          not hold up the rest.
//   Threads: its owner's.
#pragma once

#include <memory>
#include <unordered_map>
#include <vector>

#include "broker/broker.h"
#include "broker/log/impl/catalog.h"

namespace headrace::broker::log {

class LogReader final : public Reader {
 public:
  LogReader(Catalog& catalog, std::vector<Assignment> assignments, Wake wake);
  ~LogReader() override;
  base::Result<Fetched> fetch(std::size_t bytes_max) override;

 private:
  struct Cursor {
    TopicPartition partition;
    Position at;
    std::optional<GroupAt> next;  // the group with the next record; nullopt: none, as of `looked`
    std::uint64_t looked = 0;     // version of the catalog
  };

  void skip_expired(Cursor& c, Fetched& out);
  base::Result<void> look(std::uint64_t version, Fetched& out);
  std::optional<GroupAt> choose();
  // False when the fetch is full.
  bool take(Group const& group, std::size_t bytes_max, Fetched& out);
  Cursor* cursor_of(TopicPartition tp);

  Catalog& catalog_;
  std::shared_ptr<Waiter> waiter_;
  std::vector<Cursor> cursors_;
  std::unordered_map<TopicPartition, std::uint32_t> by_partition_;
  std::vector<Group> kept_;  // what the last fetch's views point into
  std::size_t bytes_ = 0;    // in this fetch
  std::size_t turn_ = 0;
  unsigned chosen_ = 0;
  std::optional<GroupAt> open_;  // a group that the last fetch left in the middle
  std::uint32_t open_from_ = 0;
};

}  // namespace headrace::broker::log
