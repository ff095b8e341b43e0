// SPDX-License-Identifier: Apache-2.0
#include "net/impl/timer_wheel.h"

#include <algorithm>

#include "base/assert.h"

namespace headrace::net {

void Timer::cancel() {
  if (wheel_ != nullptr) wheel_->cancel(*this);
}

TimerWheel::~TimerWheel() {
  for (Timer* head : slots_) {
    while (head != nullptr) {
      Timer* const next = head->next_;
      head->wheel_ = nullptr;
      head->next_ = head->previous_ = nullptr;
      head = next;
    }
  }
}

void TimerWheel::arm(Timer& timer, std::uint64_t due_tick) {
  cancel(timer);
  timer.due_tick_ = std::max(due_tick, tick_ + 1);
  timer.wheel_ = this;
  push(slots_[timer.due_tick_ % kSlots], timer);
  ++armed_count_;
}

// A null `previous_` marks the first of a list; its head is found again from the due tick.
void TimerWheel::push(Timer*& head, Timer& timer) {
  timer.previous_ = nullptr;
  timer.next_ = head;
  if (head != nullptr) head->previous_ = &timer;
  head = &timer;
}

void TimerWheel::cancel(Timer& timer) {
  if (timer.wheel_ == nullptr) return;
  HEADRACE_ASSERT(timer.wheel_ == this, "timer of another thread");
  if (timer.next_ != nullptr) timer.next_->previous_ = timer.previous_;
  if (timer.previous_ != nullptr) {
    timer.previous_->next_ = timer.next_;
  } else if (firing_ == &timer) {
    firing_ = timer.next_;
  } else {
    slots_[timer.due_tick_ % kSlots] = timer.next_;
  }
  timer.wheel_ = nullptr;
  timer.next_ = timer.previous_ = nullptr;
  --armed_count_;
}

void TimerWheel::skip_to(std::uint64_t tick) {
  if (armed_count_ == 0) tick_ = std::max(tick_, tick);
}

void TimerWheel::advance(std::uint64_t tick) {
  skip_to(tick);
  while (tick_ < tick) {
    ++tick_;
    fire_slot(tick_ % kSlots);
    skip_to(tick);
  }
}

void TimerWheel::fire_slot(std::size_t slot) {
  firing_ = slots_[slot];
  slots_[slot] = nullptr;
  while (firing_ != nullptr) {
    Timer& timer = *firing_;
    bool const due = timer.due_tick_ <= tick_;
    cancel(timer);
    if (due) {
      timer.callback_(timer.context_);
    } else {
      timer.wheel_ = this;
      push(slots_[slot], timer);
      ++armed_count_;
    }
  }
}

}  // namespace headrace::net
