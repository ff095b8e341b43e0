// SPDX-License-Identifier: Apache-2.0
// Worker: one receiver's thread. A session is: receiver started, state loaded, reader opened; it
//         lasts until stop or the first
// error, after which, when the back-off is over, the next begins from what was committed.
//   Threads:  start(), join() from one; board(), file() and the rest from any.   Lifetime: join()
//             before destruction.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <thread>

#include "base/metrics.h"
#include "base/random.h"
#include "dispatch/dispatcher.h"
#include "dispatch/impl/board.h"
#include "dispatch/impl/gatherer.h"
#include "dispatch/impl/state_file.h"
#include "dispatch/impl/tracker.h"

namespace headrace::dispatch::impl {

class Worker {
 public:
  Worker(Dispatcher::Dependencies const& dependencies, Route route);
  ~Worker();

  void start();
  void join();

  std::string const& name() const { return name_; }
  RouteOptions const& options() const { return options_; }
  std::vector<Tracker::Topic> const& topics() const { return tracker_.topics(); }
  Board& board() { return board_; }
  // nullptr until it is open.
  StateFile* file() const { return file_view_.load(std::memory_order_acquire); }
  std::uint64_t retries_settled() const { return retries_settled_.value(); }

 private:
  // An outcome turned into what it changes.
  struct Settlement {
    Pending pending;
    std::vector<NewDeadLetter> letters;
    std::vector<Retried> retried;
  };

  void run();
  base::Result<void> session();
  base::Result<void> open_session();
  base::Result<void> start_receiver();
  base::Result<void> load_state();
  base::Result<void> begin_cursors(Gathered& changes);
  std::uint64_t count_between(broker::TopicPartition at, broker::Position from,
                              broker::Position to) const;
  base::Result<std::unique_ptr<Gatherer>> open_reader();
  bool blocked();
  void back_off(base::Error const& error);
  void hold() const;

  base::Result<void> deliver(Gathered const& gathered);
  base::Result<Outcome> call(Gathered const& gathered, Commit const& commit);
  base::Result<Settlement> settle(Gathered const& gathered, Outcome const& outcome) const;
  NewDeadLetter make_letter(Delivery const& delivery, Origin const& origin,
                            base::Error const& reason) const;
  base::Result<void> commit_own(Gathered const& gathered, Settlement const& settlement);
  base::Result<void> commit_stored(Gathered const& gathered, Settlement const& settlement);
  base::Result<void> write_unwritten();
  base::Result<void> finish_delivery(Gathered const& gathered);

  base::Result<bool> retry_dead_letters();
  base::Result<void> resend(std::vector<DeadLetter> const& letters);
  Settlement settle_retry(Gathered const& gathered, Outcome const& outcome,
                          std::vector<std::uint64_t> const& ids,
                          std::vector<std::uint64_t>& settled) const;
  base::Result<void> give_back(std::vector<DeadLetter> const& letters, base::Error const& reason);

  broker::Broker& broker_;
  base::Clock& clock_;
  std::string const name_;
  std::string const path_;
  RouteOptions const options_;
  std::unique_ptr<Receiver> receiver_;
  bool const keeps_state_;

  base::Histogram& log_to_receiver_;
  base::Histogram& receiver_to_store_;
  base::Counter& errors_;
  base::Counter& retries_settled_;
  base::Counter& retries_refused_;

  Board board_;
  Tracker tracker_;
  base::Random random_;
  std::unique_ptr<StateFile> file_;
  std::atomic<StateFile*> file_view_ = nullptr;
  std::unique_ptr<Gatherer> gatherer_;
  Gathered gathered_;
  std::vector<StateChange> removals_;  // of expired producers, for the next commit
  // Of a receiver without a store: consumed, not yet in the file.
  std::map<std::string, std::string> unwritten_;
  std::vector<NewDeadLetter> unwritten_letters_;
  std::vector<Erased> unwritten_erased_;
  std::chrono::steady_clock::time_point last_write_{};
  // As they were at start(), before anything new is accepted: who begins at the end begins there.
  std::map<broker::TopicPartition, broker::Position> ends_at_start_;
  bool started_ = false, loaded_ = false, given_up_ = false;
  std::uint32_t failures_ = 0;
  std::thread thread_;
};

}  // namespace headrace::dispatch::impl
