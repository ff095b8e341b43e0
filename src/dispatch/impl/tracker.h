// SPDX-License-Identifier: Apache-2.0
// Tracker: what one receiver has consumed: cursors, the sequences seen per producer, the ledger. A
//          batch is gathered into a
// Pending beside it and takes effect by apply(), so that a batch that failed leaves no trace.
// Format of the keys and values: docs/formats/dispatch-state.md.
//   Threads: one.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/uuid.h"
#include "broker/position.h"
#include "codec/record/record_view.h"
#include "dispatch/ledger.h"
#include "dispatch/receiver.h"

namespace headrace::dispatch::impl {

// The ledger of one data type as it is stored; LedgerEntry adds what is only known when it is asked
// for.
struct Account {
  // Everything the cursor has passed; counted apart from the fates, so that both can be compared.
  Tally read;
  Tally stored, filtered, duplicate, dead;
  std::uint64_t expired = 0;

  bool balanced() const;
  bool operator==(Account const&) const = default;
};

struct ProducerKey {
  broker::TopicPartition at;
  base::Uuid producer;
  bool operator==(ProducerKey const&) const = default;
};
struct ProducerKeyHash {
  std::size_t operator()(ProducerKey const& key) const noexcept {
    return std::hash<broker::TopicPartition>()(key.at) ^ std::hash<base::Uuid>()(key.producer);
  }
};
struct ProducerSeen {
  std::uint32_t epoch = 0;
  std::uint64_t last_sequence = 0;
  base::Timestamp
      received;  // of its newest record: the log forgets it after the retention, so may we
  bool operator==(ProducerSeen const&) const = default;
};
using Producers = std::unordered_map<ProducerKey, ProducerSeen, ProducerKeyHash>;

// Points of a message; 0 for documents.
std::uint64_t points_of(codec::record::MessageView message);

// What a batch changes.
struct Pending {
  std::optional<base::Uuid> log;  // the incarnation that all cursors are of
  std::map<broker::TopicPartition, broker::Position> cursors;
  Producers producers;
  std::map<broker::TopicId, Account> accounts;  // to be added; fates only once the outcome is known

  bool empty() const { return !log && cursors.empty() && producers.empty() && accounts.empty(); }
};

class Tracker {
 public:
  struct Topic {
    broker::TopicId id = 0;
    std::string data_type;
    std::uint32_t partition_count = 0;
    std::chrono::nanoseconds retention{};
  };

  Tracker(std::vector<Topic> topics, std::size_t producers_max);

  std::vector<Topic> const& topics() const { return topics_; }
  Topic const* find_topic(broker::TopicId id) const;
  Topic const* find_topic(std::string_view data_type) const;

  // Forgets all and takes these. Keys of data types that are not subscribed are left alone.
  // corrupt: names the key.
  base::Result<void> load(std::span<StateChange const> state);
  // Of load(): dead letters that were sent again and are settled, but whose removal may not have
  // happened.
  std::set<std::uint64_t> const& settled_retries() const { return settled_retries_; }
  void settle_retry(std::uint64_t id) { settled_retries_.insert(id); }

  // The log that the cursors are positions of.
  std::optional<base::Uuid> const& log() const { return log_; }
  void forget_cursors() { cursors_.clear(); }
  std::optional<broker::Position> cursor(broker::TopicPartition at) const;
  std::map<broker::TopicPartition, broker::Position> const& cursors() const { return cursors_; }
  std::map<broker::TopicId, Account> const& accounts() const { return accounts_; }
  std::size_t producer_count() const { return producers_.size(); }

  // The highest sequence of the record's epoch that was seen; nullopt: none. All of the record was
  // seen when its epoch is past: then the highest number there is.
  std::optional<std::uint64_t> seen(broker::TopicPartition at, codec::record::RecordView record,
                                    Pending const& pending) const;
  static void note_seen(broker::TopicPartition at, codec::record::RecordView record,
                        Pending& pending);

  // Key/values that make the state after `pending`. `settled`: markers of retries to be kept with
  // it.
  std::vector<StateChange> changes(Pending const& pending,
                                   std::span<std::uint64_t const> settled = {}) const;
  void apply(Pending const& pending);
  // The settled-retry markers are removed by this batch's changes: call after it is committed.
  void forget_settled_retries() { settled_retries_.clear(); }

  // Removes producers that the log has forgotten, or the longest silent ones beyond the bound; at
  // most a slice per call. Returns their keys as removals, to be committed with the next batch.
  std::vector<StateChange> expire_producers(base::Timestamp now);

 private:
  base::Result<void> load_entry(StateChange const& entry);
  bool expired(ProducerKey const& key, ProducerSeen const& seen, base::Timestamp now) const;
  std::string producer_key(ProducerKey const& key) const;

  std::vector<Topic> const topics_;
  std::size_t const producers_max_;
  std::optional<base::Uuid> log_;
  std::map<broker::TopicPartition, broker::Position> cursors_;
  Producers producers_;
  std::map<broker::TopicId, Account> accounts_;
  std::set<std::uint64_t> settled_retries_;
  base::Timestamp last_expiry_;
};

}  // namespace headrace::dispatch::impl
