// SPDX-License-Identifier: Apache-2.0
// Random: small, seeded, repeatable (splitmix64, Steele et al. 2014). For jitter, tests and
// simulations; never for secrets.
#pragma once

#include <cstdint>

namespace headrace::base {

class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next() {
    std::uint64_t z = (state_ += 0x9E3779B97F4A7C15ull);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    return z ^ (z >> 31);
  }
  // In [0, bound); bound > 0.
  std::uint64_t below(std::uint64_t bound) {
    return next() % bound;
  }  // the bias is below 2^-32 for any use here
  double unit() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }

 private:
  std::uint64_t state_;
};

}  // namespace headrace::base
