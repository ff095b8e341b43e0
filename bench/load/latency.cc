// SPDX-License-Identifier: Apache-2.0
#include "load/latency.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace headrace::bench {

std::size_t Latency::bucket_of(std::uint64_t ns) {
  if (ns < (1u << kSubBits)) return ns;
  int const shift = std::bit_width(ns) - 1 - kSubBits;
  return (static_cast<std::size_t>(shift + 1) << kSubBits) +
         ((ns >> shift) & ((1u << kSubBits) - 1));
}

double Latency::upper_ns(std::size_t bucket) {
  std::size_t const group = bucket >> kSubBits;
  std::size_t const within = bucket & ((1u << kSubBits) - 1);
  if (group == 0) return static_cast<double>(within);
  return std::ldexp(static_cast<double>((1u << kSubBits) + within + 1),
                    static_cast<int>(group) - 1);
}

void Latency::record(Steady::duration latency, std::uint64_t count) {
  auto const ns = std::max<std::int64_t>(0, std::chrono::nanoseconds(latency).count());
  buckets_[std::min(bucket_of(static_cast<std::uint64_t>(ns)), buckets_.size() - 1)] += count;
  count_ += count;
}

double Latency::quantile_ms(double q) const {
  auto const wanted = static_cast<std::uint64_t>(std::ceil(q * static_cast<double>(count_)));
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < buckets_.size(); ++i) {
    seen += buckets_[i];
    if (seen >= wanted && seen > 0) return upper_ns(i) / 1e6;
  }
  return 0;
}

}  // namespace headrace::bench
