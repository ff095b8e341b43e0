// SPDX-License-Identifier: Apache-2.0
// Pool: a few threads for work that may block, with a bounded queue.
//   Threads:  run() from any thread.   Lifetime: stop() asks `stopping()` to say so, drops what
//             waits and joins; idempotent.
//   Errors:   overloaded (the queue is full), cancelled (stopped).
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "base/error.h"

namespace headrace::api {

class Pool {
 public:
  Pool(std::string name, std::size_t threads, std::size_t queue_max);
  ~Pool() { stop(); }
  Pool(Pool const&) = delete;
  Pool& operator=(Pool const&) = delete;

  void start();
  void stop();
  base::Result<void> run(std::function<void()> job);
  std::stop_token stop_token() const { return stop_.get_token(); }

 private:
  void work();

  std::string const name_;
  std::size_t const threads_count_, queue_max_;
  std::stop_source stop_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> queue_;
  std::vector<std::thread> threads_;
};

}  // namespace headrace::api
