// SPDX-License-Identifier: Apache-2.0
// StatusBoard: the object of GET /api/v1/status, with rates over the last one and ten seconds.
//   Threads: json() from any thread that may block; a thread of its own ("status") takes a sample a
//            second.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "api/impl/context.h"

namespace headrace::api {

class StatusBoard {
 public:
  explicit StatusBoard(Context& context);
  ~StatusBoard() { stop(); }
  void start();
  void stop();
  std::string json();

 private:
  struct Sample {
    std::chrono::steady_clock::time_point at;
    std::vector<std::uint64_t> accepted;  // per data type
  };
  void run();
  void take_sample();
  double rate(std::size_t type, std::chrono::seconds window) const;
  void append_types(std::string& out) const;

  Context& context_;
  base::Timestamp const started_;
  std::chrono::steady_clock::time_point const started_steady_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false;
  std::deque<Sample> samples_;  // the newest last; eleven
  std::string cached_;          // the object as of the newest sample
  std::thread thread_;
};

}  // namespace headrace::api
