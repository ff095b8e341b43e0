// SPDX-License-Identifier: Apache-2.0
// Dispatcher: leads the log's messages to the receivers that subscribed to their data types.
//   Each receiver has its own thread, broker::Reader, cursors, retries, de-duplication, ledger and
//   dead letters: whatever one does (fail, hang, crawl, throw), the others do not notice.
//   State (cursors, de-duplication, ledger) is committed by receivers with a store in the
//   transaction of their data; for the others dispatch keeps it in <directory>/<receiver>.db, where
//   the dead letters of all are too (docs/formats/dispatch-state.md).
//   Threads:  start() and stop() from one thread; all else from any thread at any time between
//             construction and destruction. No call but wait_applied and stop waits for a receiver.
//   Lifetime: Broker, Clock and Registry outlive it. The destructor stops without a deadline.
//   Errors:   not_found (no receiver of that name, no such dead letter), unavailable (the
//             receiver's state is not open yet), what the state's database says (overloaded, io,
//             corrupt).
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "base/metrics.h"
#include "broker/broker.h"
#include "dispatch/dead_letter.h"
#include "dispatch/ledger.h"
#include "dispatch/receiver.h"
#include "dispatch/status.h"
#include "model/data_type.h"

namespace headrace::dispatch {

// Where a receiver begins to read a data type.
enum class From : unsigned char {
  kBegin,  // the first time at the oldest message kept, later where it stopped
  kEnd,    // the first time at the end, later where it stopped
  // For live feeds: at the end at every start; what came while it was away counts as expired.
  kAlwaysEnd,
};

struct RouteOptions {
  bool required = false;  // holds the log until it has durably consumed (default of stores: set it)
  From from = From::kBegin;
  std::size_t batch_messages_max = 10'000;  // a batch is whole records: one record may be more
  std::size_t batch_bytes_max = 4u << 20;
  std::chrono::nanoseconds retry_min =
      std::chrono::milliseconds(100);  // doubles up to retry_max; the upper half is jitter
  std::chrono::nanoseconds retry_max = std::chrono::seconds(30);
  std::chrono::nanoseconds hang_after = std::chrono::seconds(30);
  std::chrono::nanoseconds behind_after = std::chrono::seconds(5);
  // At either bound the receiver stops consuming and says so (kBlocked): nothing refused is ever
  // lost silently. The last batch may pass the bound.
  std::uint64_t dead_letters_max = 100'000;
  std::uint64_t dead_letter_bytes_max = 256u << 20;
  std::size_t producers_max = 250'000;  // de-duplication entries; the longest silent go first
  // For receivers without a store that are not required: state is written at most this often (0:
  //                                                      after every batch).
  // After a crash such a receiver may see that much again.
  std::chrono::nanoseconds checkpoint_interval{0};
};

struct Subscription {
  broker::TopicState topic;
  model::DataType type;
};

struct Route {
  std::string name;  // of the receiver: a file name, checked by the config
  std::unique_ptr<Receiver> receiver;
  std::vector<Subscription> subscriptions;
  RouteOptions options;
};

class Dispatcher {
 public:
  struct Dependencies {
    broker::Broker& broker;
    base::Clock& clock;
    base::Registry& metrics;
    std::string directory;   // for state and dead letters; made when missing
    std::uint64_t seed = 0;  // of the jitter
  };

  Dispatcher(Dependencies dependencies, std::vector<Route> routes);
  ~Dispatcher();
  Dispatcher(Dispatcher const&) = delete;
  Dispatcher& operator=(Dispatcher const&) = delete;

  // Starts the threads and returns at once; receivers that cannot start are tried again. Error: the
  // directory.
  base::Result<void> start();
  // Lets every receiver finish its batch, then stops it. timed_out: names those that did not return
  // by `deadline`; their threads still run, and the destructor waits for them, so a process that
  // must end now exits without destroying.
  base::Result<void> stop(std::chrono::steady_clock::time_point deadline);

  std::vector<ReceiverStatus> status() const;
  base::Result<ReceiverStatus> status(std::string_view receiver) const;
  base::Result<std::vector<LedgerEntry>> ledger(std::string_view receiver) const;

  // Everything before this position is applied. Position{} before the receiver has started or for
  // what it does not read.
  broker::Position applied(std::string_view receiver, broker::TopicPartition partition) const;
  // The ends of all partitions that feed the receiver, now.
  base::Result<std::vector<broker::Assignment>> ends(std::string_view receiver) const;
  // Waits until everything before these positions is applied; partitions that the receiver does not
  // read are left out.
  // False: not by `deadline` (the machine's steady clock) or stopping. Blocks: not for io threads.
  base::Result<bool> wait_applied(std::string_view receiver,
                                  std::span<broker::Assignment const> positions,
                                  std::chrono::steady_clock::time_point deadline) const;
  // The same without blocking: `done` is called once, from this call or later from the receiver's
  //                            thread or from stop() (then
  // with false when it is not applied). It must return at once and must not call back. The caller
  // keeps its own deadline.
  base::Result<void> when_applied(std::string_view receiver,
                                  std::vector<broker::Assignment> positions,
                                  std::function<void(bool applied)> done);

  base::Result<DeadLetterPage> list_dead_letters(std::string_view receiver,
                                                 DeadLetterFilter const& filter,
                                                 std::uint64_t after, std::size_t limit) const;
  base::Result<DeadLetter> show_dead_letter(std::string_view receiver, std::uint64_t id) const;
  // Marks them durably to be sent again, to this receiver only, on its thread, in order of id,
  // flagged as redelivered; returns how many. Each is tried once: stored (removed), or refused or
  // failed again (kept, with the new reason).
  base::Result<std::uint64_t> retry_dead_letters(std::string_view receiver,
                                                 DeadLetterFilter const& filter);
  // Removes them for good; returns how many. Those being sent again at this moment stay.
  base::Result<std::uint64_t> drop_dead_letters(std::string_view receiver,
                                                DeadLetterFilter const& filter);

  // Makes waiting threads look at the clock again. For tests that move a ManualClock.
  void poke();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace headrace::dispatch
