// SPDX-License-Identifier: Apache-2.0
// Board: what a receiver's thread and everybody else tell each other: stop, wake, what is applied,
//        how it is doing.
//   Threads: any; one lock, never held while anything is called but the clock.
#pragma once

#include <array>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include "base/clock.h"
#include "broker/broker.h"
#include "dispatch/impl/tracker.h"
#include "dispatch/status.h"

namespace headrace::dispatch::impl {

inline constexpr std::size_t kWaitersMax = 10'000;

class Board {
 public:
  explicit Board(base::Clock& clock) : clock_(clock) {}

  // For everybody.
  void request_stop();
  void wake();     // there is more to read
  void command();  // dead letters have changed
  void poke();     // look at the clock again
  bool wait_finished(std::chrono::steady_clock::time_point deadline);

  struct View {
    ReceiverState state = ReceiverState::kStarting;
    std::optional<base::Error> error;
    std::uint32_t failures = 0;
    std::optional<base::Timestamp> next_try;
    std::optional<std::chrono::nanoseconds> in_call;  // how long the call that runs now has lasted
    double messages_per_second = 0;
    std::map<broker::TopicPartition, broker::Position> cursors;
    std::map<broker::TopicId, Account> accounts;
  };
  View view() const;
  broker::Position applied(broker::TopicPartition at) const;

  // False: not by the deadline, or the receiver has finished.
  bool wait_applied(std::span<broker::Assignment const> positions,
                    std::chrono::steady_clock::time_point deadline);
  using Done = std::function<void(bool)>;
  base::Result<void> when_applied(std::vector<broker::Assignment> positions, Done done);

  // For the receiver's thread.
  bool stopping() const;
  // Until more to read or a command, both of which are taken by this call; or stop.
  void wait_for_work();
  bool take_wake();  // without waiting
  void wait_for_command();
  void sleep_until(std::chrono::steady_clock::time_point time);  // of the clock given, or stop

  void set_state(ReceiverState state, std::optional<base::Error> error = {},
                 std::uint32_t failures = 0, std::optional<base::Timestamp> next_try = {});
  void call_began();
  void call_ended();
  void publish(Tracker const& tracker, std::uint64_t messages);
  void finish();  // last

 private:
  struct Waiter {
    std::vector<broker::Assignment> positions;
    Done done;
  };
  bool reached(std::span<broker::Assignment const> positions) const;
  double rate(std::int64_t now_s) const;
  void wait(std::unique_lock<std::mutex>& lock,
            std::optional<std::chrono::steady_clock::time_point> until,
            std::function<bool()> const& ready);

  base::Clock& clock_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool stop_ = false, woken_ = false, commanded_ = false, finished_ = false;
  View view_;
  std::optional<std::chrono::steady_clock::time_point> call_began_;
  std::vector<Waiter> waiters_;
  static constexpr std::int64_t kRateSeconds = 10;
  struct Second {
    std::int64_t at = -1;
    std::uint64_t messages = 0;
  };
  std::array<Second, kRateSeconds> seconds_;
};

}  // namespace headrace::dispatch::impl
