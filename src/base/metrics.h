// SPDX-License-Identifier: Apache-2.0
// Metrics of the running process: counters, gauges and latency histograms, rendered as Prometheus
// text.
//   Threads:  add/set/record from any thread, wait-free (sharded by thread); Registry's functions
//   take a lock: keep handles.
//   Lifetime: handles stay valid as long as the registry.
//   Names:    headrace_<module>_<what>_<unit or total>; labels are few and bounded.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace headrace::base {

inline constexpr std::size_t kMetricShards = 8;
std::size_t metric_shard();  // this thread's, below kMetricShards

class Counter {
 public:
  void add(std::uint64_t n = 1) {
    shards_[metric_shard()].value.fetch_add(n, std::memory_order_relaxed);
  }
  std::uint64_t value() const;

 private:
  struct alignas(64) Shard {
    std::atomic<std::uint64_t> value{0};
  };
  Shard shards_[kMetricShards];
};

class Gauge {
 public:
  void set(std::int64_t v) { value_.store(v, std::memory_order_relaxed); }
  void add(std::int64_t n) { value_.fetch_add(n, std::memory_order_relaxed); }
  std::int64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::int64_t> value_{0};
};

// Log-linear buckets: 8 per power of two from 1 us to 64 s, so a quantile is at most an eighth too
// high.
class Histogram {
 public:
  void record(std::chrono::nanoseconds latency, std::uint64_t count = 1);
  std::uint64_t count() const;
  std::chrono::nanoseconds sum() const;
  // Upper edge of the bucket that holds the q-quantile (0 < q <= 1); zero when empty.
  std::chrono::nanoseconds quantile(double q) const;

 private:
  friend class Registry;
  static constexpr std::size_t kBuckets = 8 * 26 + 2;
  std::atomic<std::uint64_t> buckets_[kBuckets]{};
  std::atomic<std::uint64_t> sum_ns_{0};
};

using Labels = std::vector<std::pair<std::string, std::string>>;

class Registry {
 public:
  Registry();
  ~Registry();
  // The same name and labels give the same object. `help` of the first call holds. A name with two
  // kinds is a bug (asserts).
  Counter& counter(std::string_view name, std::string_view help, Labels labels = {});
  Gauge& gauge(std::string_view name, std::string_view help, Labels labels = {});
  Histogram& histogram(std::string_view name, std::string_view help, Labels labels = {});
  // Values that live elsewhere: `collect` is called at each rendering, on the rendering thread, and
  // appends samples by `emit`.
  using Emit = std::function<void(Labels const&, double value)>;
  void collector(std::string_view name, std::string_view help, std::string_view kind,
                 std::function<void(Emit const&)> collect);
  // Prometheus text exposition 0.0.4. Histograms are rendered with power-of-two edges in seconds.
  std::string render() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace headrace::base
