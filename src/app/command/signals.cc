// SPDX-License-Identifier: Apache-2.0
#include "app/command/signals.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <thread>

#include "base/log.h"

namespace headrace::app {

Signals::Signals() {
  ::sigemptyset(&set_);
  for (int const number : {SIGTERM, SIGINT, SIGHUP}) ::sigaddset(&set_, number);
  ::pthread_sigmask(SIG_BLOCK, &set_, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
}

int Signals::wait() {
  for (;;) {
    int number = 0;
    if (::sigwait(&set_, &number) == 0) return number;
  }
}

void Signals::exit_on_second(std::chrono::nanoseconds at_most) {
  // Ends with the process, on purpose: it exists to end it.
  std::thread([set = set_, at_most] {
    auto const until = std::chrono::steady_clock::now() + at_most;
    for (;;) {
      auto const left = until - std::chrono::steady_clock::now();
      if (left <= left.zero()) break;
      auto const s = std::chrono::duration_cast<std::chrono::seconds>(left);
      timespec const span{s.count(), static_cast<long>((left - s).count())};
      int const number = ::sigtimedwait(&set, nullptr, &span);
      if (number == SIGTERM || number == SIGINT) break;
    }
    base::log_warn("ended without waiting for what was under way; what was acknowledged is kept");
    ::_exit(1);
  }).detach();
}

}  // namespace headrace::app
