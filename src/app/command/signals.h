// SPDX-License-Identifier: Apache-2.0
// Signals: SIGTERM, SIGINT and SIGHUP as values, waited for by the main thread. Make it before any
//          other thread.
//   Threads: wait() from one thread. exit_on_second() starts a thread that ends the process at the
//            next SIGTERM or SIGINT, or when the
//   stop takes longer than `at_most`.
#pragma once

#include <chrono>
#include <csignal>

namespace headrace::app {

class Signals {
 public:
  Signals();   // blocks them for this thread and those it starts; SIGPIPE is ignored
  int wait();  // SIGTERM, SIGINT or SIGHUP
  void exit_on_second(std::chrono::nanoseconds at_most);

 private:
  sigset_t set_;
};

}  // namespace headrace::app
