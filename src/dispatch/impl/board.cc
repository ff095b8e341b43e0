// SPDX-License-Identifier: Apache-2.0
#include "dispatch/impl/board.h"

#include <fmt/format.h>

namespace headrace::dispatch::impl {

namespace {

std::int64_t seconds_of(std::chrono::steady_clock::time_point time) {
  return std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count();
}

// Waits on condition variables overflow on times far away.
std::chrono::steady_clock::time_point near(std::chrono::steady_clock::time_point deadline) {
  return std::min(deadline, std::chrono::steady_clock::now() + std::chrono::hours(24));
}

}  // namespace

void Board::request_stop() {
  std::lock_guard const lock(mutex_);
  stop_ = true;
  changed_.notify_all();
}

void Board::wake() {
  std::lock_guard const lock(mutex_);
  woken_ = true;
  changed_.notify_all();
}

void Board::command() {
  std::lock_guard const lock(mutex_);
  commanded_ = true;
  changed_.notify_all();
}

void Board::poke() {
  std::lock_guard const lock(mutex_);
  changed_.notify_all();
}

bool Board::wait_finished(std::chrono::steady_clock::time_point deadline) {
  std::unique_lock lock(mutex_);
  return changed_.wait_until(lock, near(deadline), [this] { return finished_; });
}

bool Board::stopping() const {
  std::lock_guard const lock(mutex_);
  return stop_;
}

// The clock may be one that tests move, so time is asked of it, and waiting is done in real time
// until poked.
void Board::wait(std::unique_lock<std::mutex>& lock,
                 std::optional<std::chrono::steady_clock::time_point> until,
                 std::function<bool()> const& ready) {
  while (!stop_ && !ready()) {
    if (!until) {
      changed_.wait(lock);
      continue;
    }
    auto const left = *until - clock_.steady();
    if (left.count() <= 0) return;
    changed_.wait_for(lock, std::min<std::chrono::nanoseconds>(left, std::chrono::hours(1)));
  }
}

void Board::wait_for_work() {
  std::unique_lock lock(mutex_);
  wait(lock, {}, [this] { return woken_ || commanded_; });
  commanded_ = false;
}

bool Board::take_wake() {
  std::lock_guard const lock(mutex_);
  return std::exchange(woken_, false);
}

void Board::wait_for_command() {
  std::unique_lock lock(mutex_);
  wait(lock, {}, [this] { return commanded_; });
  commanded_ = false;
}

void Board::sleep_until(std::chrono::steady_clock::time_point time) {
  std::unique_lock lock(mutex_);
  wait(lock, time, [] { return false; });
}

void Board::set_state(ReceiverState state, std::optional<base::Error> error, std::uint32_t failures,
                      std::optional<base::Timestamp> next_try) {
  std::lock_guard const lock(mutex_);
  view_.state = state;
  view_.error = std::move(error);
  view_.failures = failures;
  view_.next_try = next_try;
}

void Board::call_began() {
  std::lock_guard const lock(mutex_);
  call_began_ = clock_.steady();
}

void Board::call_ended() {
  std::lock_guard const lock(mutex_);
  call_began_.reset();
}

void Board::publish(Tracker const& tracker, std::uint64_t messages) {
  std::vector<Done> done;
  {
    std::lock_guard const lock(mutex_);
    view_.cursors = tracker.cursors();
    view_.accounts = tracker.accounts();
    std::int64_t const now = seconds_of(clock_.steady());
    Second& second = seconds_[static_cast<std::size_t>(now % kRateSeconds)];
    if (second.at != now) second = {now, 0};
    second.messages += messages;
    std::erase_if(waiters_, [&](Waiter& waiter) {
      if (!reached(waiter.positions)) return false;
      done.push_back(std::move(waiter.done));
      return true;
    });
    changed_.notify_all();
  }
  for (Done const& call : done) call(true);
}

void Board::finish() {
  std::vector<Waiter> left;
  {
    std::lock_guard const lock(mutex_);
    view_.state = ReceiverState::kStopped;
    call_began_.reset();
    left.swap(waiters_);
    finished_ = true;
    changed_.notify_all();
  }
  for (Waiter const& waiter : left) waiter.done(false);
}

double Board::rate(std::int64_t now_s) const {
  std::uint64_t sum = 0;
  for (Second const& second : seconds_)
    if (second.at >= 0 && now_s - second.at < kRateSeconds) sum += second.messages;
  return static_cast<double>(sum) / static_cast<double>(kRateSeconds);
}

Board::View Board::view() const {
  std::lock_guard const lock(mutex_);
  View view = view_;
  auto const now = clock_.steady();
  if (call_began_) view.in_call = now - *call_began_;
  view.messages_per_second = rate(seconds_of(now));
  return view;
}

broker::Position Board::applied(broker::TopicPartition at) const {
  std::lock_guard const lock(mutex_);
  auto const found = view_.cursors.find(at);
  return found == view_.cursors.end() ? broker::Position{} : found->second;
}

bool Board::reached(std::span<broker::Assignment const> positions) const {
  return std::all_of(positions.begin(), positions.end(), [this](broker::Assignment const& wanted) {
    auto const found = view_.cursors.find(wanted.partition);
    return found != view_.cursors.end() && found->second >= wanted.from;
  });
}

bool Board::wait_applied(std::span<broker::Assignment const> positions,
                         std::chrono::steady_clock::time_point deadline) {
  std::unique_lock lock(mutex_);
  changed_.wait_until(lock, near(deadline), [&] { return finished_ || reached(positions); });
  return reached(positions);
}

base::Result<void> Board::when_applied(std::vector<broker::Assignment> positions, Done done) {
  std::optional<bool> now;
  {
    std::lock_guard const lock(mutex_);
    if (reached(positions))
      now = true;
    else if (finished_)
      now = false;
    else if (waiters_.size() >= kWaitersMax)
      return base::Error{
          base::ErrorCode::kOverloaded,
          fmt::format("{} questions wait for this receiver already", waiters_.size())};
    else
      waiters_.push_back({std::move(positions), std::move(done)});
  }
  if (now) done(*now);  // NOLINT(bugprone-use-after-move): moved only where `now` stays empty
  return {};
}

}  // namespace headrace::dispatch::impl
