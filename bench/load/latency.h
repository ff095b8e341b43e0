// SPDX-License-Identifier: Apache-2.0
// Latency: a histogram of durations, right within 1.6 %. Threads: one at a time.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>

namespace headrace::bench {

using Steady = std::chrono::steady_clock;

class Latency {
 public:
  void record(Steady::duration latency, std::uint64_t count = 1);
  std::uint64_t count() const { return count_; }
  // Milliseconds; 0 when empty.
  double quantile_ms(double q) const;

 private:
  static constexpr int kSubBits = 6;  // 64 buckets per power of two
  static std::size_t bucket_of(std::uint64_t ns);
  static double upper_ns(std::size_t bucket);

  std::array<std::uint64_t, (1 << kSubBits) * 40> buckets_{};
  std::uint64_t count_ = 0;
};

}  // namespace headrace::bench
