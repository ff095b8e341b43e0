// SPDX-License-Identifier: Apache-2.0
// TimerWheel: intrusive timers in slots of one tick. Pure: the caller says which tick it is.
//   Threads: one.   Cost: arm and cancel O(1); advance O(ticks passed + timers in those slots).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "net/io_threads.h"

namespace headrace::net {

class TimerWheel {
 public:
  TimerWheel() = default;
  TimerWheel(TimerWheel const&) = delete;
  TimerWheel& operator=(TimerWheel const&) = delete;
  ~TimerWheel();  // disarms what is left, without calls

  // `due_tick` in the past or present fires at the next advance.
  void arm(Timer& timer, std::uint64_t due_tick);
  void cancel(Timer& timer);
  // Calls every timer due at or before `tick`. Callbacks may arm, cancel and destroy any timer.
  void advance(std::uint64_t tick);
  std::size_t armed_count() const { return armed_count_; }
  std::uint64_t current_tick() const { return tick_; }
  // When nothing is armed, skips to `tick` without looking at slots.
  void skip_to(std::uint64_t tick);

 private:
  static constexpr std::size_t kSlots =
      2048;  // with 50 ms: 102 s a turn; later timers stay for further turns

  void fire_slot(std::size_t slot);
  static void push(Timer*& head, Timer& timer);

  std::array<Timer*, kSlots> slots_{};
  Timer* firing_ = nullptr;  // the slot being fired, detached
  std::uint64_t tick_ = 0;
  std::size_t armed_count_ = 0;
};

}  // namespace headrace::net
