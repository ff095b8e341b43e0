// SPDX-License-Identifier: Apache-2.0
// Backoff: how long to wait before the next attempt: doubles from `min` to `max`, with jitter of
//          half.   Threads: one.
#pragma once

#include <algorithm>
#include <chrono>

#include "base/random.h"

namespace headrace::agent {

class Backoff {
 public:
  using Duration = std::chrono::nanoseconds;
  Backoff(Duration min, Duration max, std::uint64_t seed)
      : min_(min), max_(std::max(min, max)), step_(min_), random_(seed) {}

  // Between half of the step and the whole, where the step is `floor` at least; the next step is
  // twice as long.
  Duration next(Duration floor = Duration(0)) {
    auto const step = std::max(step_, floor);
    step_ = std::min(max_, step_ * 2);
    return step / 2 + Duration(static_cast<std::int64_t>(random_.unit() *
                                                         static_cast<double>(step.count()) / 2));
  }
  void reset() { step_ = min_; }

 private:
  Duration min_, max_, step_;
  base::Random random_;
};

}  // namespace headrace::agent
