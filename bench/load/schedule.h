// SPDX-License-Identifier: Apache-2.0
// Schedule: when each of a paced run's units (frames, requests) is due. Latency counts from there,
//           so that a server that
// stalls cannot hide it by stalling the load. Threads: one.
#pragma once

#include <chrono>
#include <cstdint>

#include "load/latency.h"

namespace headrace::bench {

class Schedule {
 public:
  // `units_per_s` 0: everything is due at once.
  Schedule(Steady::time_point start, double units_per_s)
      : start_(start), units_per_s_(units_per_s) {}

  bool paced() const { return units_per_s_ > 0; }
  std::uint64_t next() const { return next_; }
  Steady::time_point due() const {
    return start_ + std::chrono::duration_cast<Steady::duration>(
                        std::chrono::duration<double>(static_cast<double>(next_) / units_per_s_));
  }
  void advance() { ++next_; }

 private:
  Steady::time_point start_;
  double units_per_s_;
  std::uint64_t next_ = 0;
};

}  // namespace headrace::bench
