// SPDX-License-Identifier: Apache-2.0
// Gatherer: turns what a Reader fetches into batches: bounds them, drops repeats, notes what they
//           change.
//   Threads: the receiver's. Lifetime: a Gathered's views are valid until the next gather().
#pragma once

#include <memory>
#include <vector>

#include "broker/broker.h"
#include "dispatch/impl/state_file.h"
#include "dispatch/impl/tracker.h"
#include "dispatch/receiver.h"

namespace headrace::dispatch::impl {

// Where a delivery came from.
struct Origin {
  broker::TopicPartition at;
  broker::Position position;
  std::uint32_t index_in_record = 0;
};

struct Gathered {
  std::vector<Delivery> deliveries;
  std::vector<Origin> origins;  // one per delivery
  std::vector<SourceEvent> events;
  std::vector<std::pair<base::Timestamp, std::uint32_t>>
      received;  // of the records: time and count of messages
  std::vector<Erased> erased;
  Pending pending;  // all but the fates of the deliveries
  std::uint64_t bytes = 0;

  Batch batch() const { return {deliveries, events}; }
  void clear();
};

class Gatherer {
 public:
  Gatherer(Tracker const& tracker, std::unique_ptr<broker::Reader> reader, std::size_t messages_max,
           std::size_t bytes_max)
      : tracker_(tracker),
        reader_(std::move(reader)),
        messages_max_(messages_max),
        bytes_max_(bytes_max) {}

  // The next batch, which may have nothing but changes. False: nothing at all, all is read; wait
  // for the reader's wake. `woken`: it has come since the last call.
  base::Result<bool> gather(Gathered& out, bool woken);

 private:
  void take(broker::FetchedRecord const& fetched, Gathered& out) const;
  void take_messages(Tracker::Topic const& topic, broker::FetchedRecord const& fetched,
                     codec::record::RecordView record, Gathered& out) const;

  Tracker const& tracker_;
  std::unique_ptr<broker::Reader> reader_;
  std::size_t const messages_max_;
  std::size_t const bytes_max_;
  broker::Fetched fetched_;
  std::size_t next_ = 0;  // of fetched_.records
  bool at_end_ = false;
  bool woken_ = false;
};

}  // namespace headrace::dispatch::impl
