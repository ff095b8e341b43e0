// SPDX-License-Identifier: Apache-2.0
// Poller: epoll over the connections of a run, with waits below a millisecond. Threads: one.
#pragma once

#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <span>

#include "load/latency.h"

namespace headrace::bench {

class Poller {
 public:
  Poller() : fd_(::epoll_create1(EPOLL_CLOEXEC)) {}
  ~Poller() { ::close(fd_); }
  Poller(Poller const&) = delete;
  Poller& operator=(Poller const&) = delete;

  // Edge-triggered, for reading and writing; `index` comes back with the events.
  void add(int fd, std::size_t index) {
    epoll_event event{};
    event.events = EPOLLIN | EPOLLOUT | EPOLLET;
    event.data.u64 = index;
    ::epoll_ctl(fd_, EPOLL_CTL_ADD, fd, &event);
  }
  std::span<epoll_event const> wait_until(Steady::time_point when) {
    auto const left =
        std::max<std::int64_t>(0, std::chrono::nanoseconds(when - Steady::now()).count());
    timespec const timeout{left / 1'000'000'000, left % 1'000'000'000};
    int const n =
        ::epoll_pwait2(fd_, events_.data(), static_cast<int>(events_.size()), &timeout, nullptr);
    return {events_.data(), static_cast<std::size_t>(std::max(0, n))};
  }

 private:
  int fd_;
  std::array<epoll_event, 256> events_{};
};

}  // namespace headrace::bench
