// SPDX-License-Identifier: Apache-2.0
// StateFile: <directory>/<receiver>.db: the dead letters of a receiver and, when it has no store,
//            its state.
// Format: docs/formats/dispatch-state.md.
//   Dead letters of a receiver with a store are written before its own transaction, unconfirmed;
//   they count only once that is known to have committed. Nobody but the receiver's thread sees
//   unconfirmed ones.
//   Threads: any; one lock, held for one short transaction.
#pragma once

#include <memory>
#include <mutex>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "dispatch/dead_letter.h"
#include "dispatch/receiver.h"
#include "sqlite/database.h"

namespace headrace::dispatch::impl {

struct NewDeadLetter {
  DeadLetter letter;  // no id
  std::uint32_t index_in_record =
      0;  // with data type, partition and position: what makes it idempotent
};

// What became of a dead letter that was sent again.
struct Retried {
  std::uint64_t id = 0;
  bool settled = false;  // gone for good; else kept, with:
  base::Error reason;
  base::Timestamp time;
};

// The dead letters of a source that end with an erase record at this position.
struct Erased {
  std::string data_type, source;
  std::uint32_t partition = 0;
  broker::Position before;
};

class StateFile {
 public:
  static base::Result<std::unique_ptr<StateFile>> open(std::string const& path,
                                                       sqlite::Synchronous synchronous);

  base::Result<std::vector<StateChange>> load_state();
  // One transaction.
  struct Write {
    std::span<StateChange const> state;
    std::span<NewDeadLetter const> letters;  // confirmed
    std::span<Retried const> retried;
    std::span<Erased const> erased;
  };
  base::Result<void> write(Write const& write);

  // Replaces what is unconfirmed by these.
  base::Result<void> put_unconfirmed(std::span<NewDeadLetter const> letters);
  bool has_unconfirmed() const;
  base::Result<void> confirm();
  // After a restart: confirms those that `committed` says of, removes the others.
  using Committed =
      std::function<bool(std::string const& data_type, std::uint32_t partition, broker::Position)>;
  base::Result<void> settle_unconfirmed(Committed const& committed);

  // The oldest ones to be sent again, within both bounds but at least one. They cannot be dropped
  // until end_retry().
  base::Result<std::vector<DeadLetter>> begin_retry(std::size_t count_max, std::size_t bytes_max);
  void end_retry();

  base::Result<DeadLetterPage> list(DeadLetterFilter const& filter, std::uint64_t after,
                                    std::size_t limit);
  base::Result<DeadLetter> show(std::uint64_t id);
  base::Result<std::uint64_t> mark_for_retry(DeadLetterFilter const& filter);
  base::Result<std::uint64_t> drop(DeadLetterFilter const& filter);
  DeadLetterTotals totals() const;

 private:
  explicit StateFile(sqlite::Database database) : database_(std::move(database)) {}
  base::Result<void> prepare_schema();
  base::Result<void> insert(NewDeadLetter const& letter, bool confirmed);
  base::Result<void> set_state(StateChange const& change);
  base::Result<void> settle(Retried const& retried);
  base::Result<void> erase(Erased const& erased);
  base::Result<void> recount();
  base::Result<std::vector<DeadLetter>> select(std::string const& rest, bool with_record,
                                               std::size_t bytes_max);

  mutable std::mutex mutex_;
  sqlite::Database database_;
  std::optional<sqlite::Statement> set_state_, remove_state_;  // kept: they run for every batch
  DeadLetterTotals totals_;
  std::uint64_t unconfirmed_ = 0;
  std::set<std::uint64_t> in_retry_;
};

}  // namespace headrace::dispatch::impl
