// SPDX-License-Identifier: Apache-2.0
// Broker: an ordered, durable, replayable log per (data type, partition). Implemented by broker/log
// and broker/memory; later by broker/redis and broker/kafka. The suite that all must pass is
// broker/broker_contract.h.
//   Ordering:   per (topic, partition), in the order of append on one Appender; between Appenders
//               as they come.
//   Delivery:   at least once; readers drop repeats by (producer, epoch, sequence). A broker may
//               drop repeats, but need not.
//   Visibility: a Reader sees a record only when it is settled at its topic's durability. So what a
//               reader has seen survives what the durability promises, and positions are never used
//               twice, not even after a crash.
//   Threads:    Broker's own functions from any thread. An Appender or a Reader belongs to one
//               thread; `wake` is called from any thread, must return at once and must not call
//               back.
//   Lifetime:   stop() first settles or fails everything appended; Appenders and Readers must go
//               before the Broker.
//   Errors:     overloaded (queue or disk full: retry later), unavailable (backend lost, or fenced
//               after an I/O error: nothing is accepted until a restart), cancelled (stopping),
//               not_found, corrupt.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/uuid.h"
#include "broker/position.h"
#include "model/data_type.h"

namespace headrace::broker {

// Numbers what one Appender was given: 1, 2, 3, ...
using Ticket = std::uint64_t;
using Wake = std::function<void()>;

struct Failure {
  Ticket first = 0, last = 0;
  base::Error error;
};

// What became of tickets since the last poll.
struct Progress {
  Ticket settled =
      // every ticket <= settled is durable at its topic's level, or was failed (in this or an
      // earlier poll)
      0;
  std::vector<Failure> failed;
};

// Appends encoded records (codec/record). One per thread that appends.
class Appender {
 public:
  virtual ~Appender() = default;
  // Takes a copy of `record` and returns at once. overloaded: the queue is full, nothing was taken.
  // Every record gets its own ticket. The record must be whole and valid: its header is trusted.
  // No gaps: once a ticket has failed, everything that this Appender was given after it fails too,
  // until a poll() has
  // reported the failure (append() may answer overloaded or unavailable meanwhile). Else a
  // producer's later sequence could
  // become durable while an earlier one is lost, and readers would drop the earlier one when it is
  // sent again.
  virtual base::Result<Ticket> append(TopicPartition to, base::Bytes record) = 0;
  // Never waits. After `wake` was called, or at any time. A wake may be early or spurious, never
  // missing.
  virtual Progress poll() = 0;
  // A position after the record of this ticket, in its partition. Only for tickets that the last
  // poll() newly settled, before
  // the next poll(). A failed ticket has none: asserts.
  virtual Position position_after(Ticket ticket) const = 0;
  // Bytes appended and not settled; what back-pressure looks at.
  virtual std::size_t unsettled_bytes() const = 0;
};

struct FetchedRecord {
  TopicPartition from;
  Position at;         // this record's position
  Position next;       // where reading goes on after it
  base::Bytes record;  // checked; read with codec::record::RecordView::trusted
};

struct Fetched {
  std::vector<FetchedRecord> records;  // views: valid until the next call on the Reader
  // True when nothing more was readable at the end of this fetch: wait for `wake` before the next.
  bool at_end = false;
  // Partitions whose wanted position had fallen off retention, with where reading went on.
  // Messages lost that way are counted.
  struct Expired {
    TopicPartition partition;
    Position from, to;
    std::uint64_t message_count;
  };
  std::vector<Expired> expired;
};

struct Assignment {
  TopicPartition partition;
  Position from;
};

// Reads any set of partitions from positions that the caller holds. The caller's cursor is the
// truth: a Reader remembers nothing
// beyond its own life.
class Reader {
 public:
  virtual ~Reader() = default;
  // Up to `bytes_max` bytes of records, at least one record when any is readable. Never waits for
  // new records; may read the disk.
  // `wake` is called once after a fetch that said at_end, when there is more.
  // corrupt: names file and byte; the same call fails again until repaired.
  virtual base::Result<Fetched> fetch(std::size_t bytes_max) = 0;
};

struct TopicState {
  TopicId id = 0;
  std::string name;
  std::uint32_t partition_count = 0;
};

// What a producer is known to have delivered. A hint for resuming (an older or absent answer only
// costs a repeat).
struct ProducerState {
  std::uint32_t epoch = 0;
  std::uint64_t last_sequence = 0;
};

struct BrokerStats {
  std::uint64_t stored_bytes = 0;       // what the log holds on disk
  std::uint64_t disk_budget_bytes = 0;  // 0: none
  std::uint64_t unsettled_bytes = 0;
  std::uint64_t groups_total = 0, records_total = 0, bytes_total = 0,
                syncs_total = 0;  // since start
  bool fenced = false;            // an I/O error stopped it; restart
  bool disk_full = false;         // heals by itself
  std::string state;              // "ok" or one line for people
};

class Broker {
 public:
  virtual ~Broker() = default;

  // Opens or creates. An existing topic keeps its partition count (a different wish is
  // invalid_argument) and takes the new
  // durability and retention.
  virtual base::Result<TopicState> open_topic(model::DataType const& type) = 0;
  virtual std::vector<TopicState> topics() const = 0;

  virtual std::unique_ptr<Appender> make_appender(Wake wake) = 0;
  virtual std::unique_ptr<Reader> make_reader(std::vector<Assignment> assignments, Wake wake) = 0;

  // Names this log's life. Positions kept elsewhere (cursors) mean nothing once it has changed: the
  // records were lost, made anew, or cut by a repair. It stays the same over restarts that keep
  // every settled record.
  virtual base::Uuid incarnation() const = 0;
  virtual Position begin(TopicPartition partition) const = 0;  // of the oldest record kept
  virtual Position end(TopicPartition partition) const = 0;    // after the newest visible record
  // First record received at or after `time`; end() when there is none.
  virtual base::Result<Position> find_time(TopicPartition partition,
                                           base::Timestamp time) const = 0;
  // Messages from `from` to the end: lag. Exact up to the last few unsettled groups.
  virtual std::uint64_t count_after(TopicPartition partition, Position from) const = 0;
  // Received time of the record at or after `from`; nullopt at the end. For "falls off retention
  // in".
  virtual std::optional<base::Timestamp> time_at(TopicPartition partition, Position from) const = 0;
  virtual std::optional<ProducerState> find_producer(base::Uuid const& producer) const = 0;

  // A `required` receiver holds the log: nothing at or after these positions is removed by
  // retention or budget while held.
  // At the disk reserve appends are refused as overloaded instead. Called after every durable
  // checkpoint.
  virtual void hold(std::string const& holder, std::span<Assignment const> durable_positions) = 0;
  virtual void release(std::string const& holder) = 0;

  virtual BrokerStats stats() const = 0;
  // Ends after everything appended is settled or failed. Idempotent.
  virtual void stop() = 0;
};

}  // namespace headrace::broker
