// SPDX-License-Identifier: Apache-2.0
// Receiver: what consumes messages. The interface that plugins will implement: keep it narrow.
//   Called by: its own dispatch thread, one call at a time, in the order of the log (per
//              partition). A receiver may block: it holds up nobody else; dispatch watches how long
//              a call takes and shows a receiver that hangs.
//   Exactly once: dispatch drops repeats it has seen (producer, epoch, sequence). A receiver with a
//              store commits the changes that `commit` gives it in the same transaction as its
//              data; after a crash dispatch goes on from what the store says. One without a store
//              leaves that to dispatch and may see a batch twice after a crash.
//   Errors:    when consume() fails, the whole batch is tried again later with back-off, for ever.
//              What is refused for good is not an error but a Rejected entry: it becomes a dead
//              letter, and the rest of the batch counts.
//   Lifetime:  start() before all else, stop() last; both on the dispatch thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "broker/position.h"
#include "codec/record/record_view.h"

namespace headrace::dispatch {

// Data is record.kind() == kMessages. The other kinds that have a body (kErase, kSetTags) come as
// messages too, in their place in the order: a receiver that knows nothing of them says kFiltered.
struct Delivery {
  std::string_view data_type;
  codec::record::RecordView record;    // kind, principal, source, received, producer
  codec::record::MessageView message;  // id, time, body
  bool redelivered = false;            // sent again from the dead letters
};

// A source began or stopped reporting, between messages `before` - 1 and `before` of the batch.
struct SourceEvent {
  std::string_view data_type;
  std::string_view source;
  base::Timestamp time;
  bool active = false;
  std::size_t before = 0;
};

struct Batch {
  std::span<Delivery const> messages;
  std::span<SourceEvent const> events;
};

struct Rejected {
  std::size_t index = 0;  // into Batch::messages
  base::Error reason;
};

// What became of one message. A filtered one is none of this receiver's business; a duplicate was
// there before.
enum class Fate : unsigned char { kStored, kFiltered, kDuplicate, kRejected };

struct Outcome {
  std::vector<Fate> fates;         // one per message; empty means all stored
  std::vector<Rejected> rejected;  // one entry per kRejected, ascending index
};
// An outcome that does not fit its batch (wrong count, rejected entries that match no kRejected) is
// an error `internal`: the batch is tried again.

// One piece of dispatch's state for this receiver: cursor, de-duplication, ledger, dead letters.
// Opaque to the receiver.
struct StateChange {
  std::string key;
  std::string value;  // empty: remove the key
};

// Given an outcome, what must be committed together with the data it describes. Call once per
// transaction, last thing before commit. On an error (dead letters could not be written, or the
// outcome does not fit the batch) roll back and return it.
using Commit = std::function<base::Result<std::vector<StateChange>>(Outcome const&)>;

class Receiver {
 public:
  virtual ~Receiver() = default;

  // unavailable and the like: tried again with back-off; invalid_argument: the config is wrong,
  // given up.
  virtual base::Result<void> start() = 0;
  // True: load_state() and `commit` are used. False: dispatch keeps the state itself.
  virtual bool keeps_state() const = 0;
  virtual base::Result<std::vector<StateChange>> load_state() { return std::vector<StateChange>{}; }
  // When it returns without error, everything in the batch is applied (visible to questions); a
  // receiver that keeps state has committed it durably too.
  virtual base::Result<Outcome> consume(Batch const& batch, Commit const& commit) = 0;
  virtual void stop() = 0;
};

}  // namespace headrace::dispatch
