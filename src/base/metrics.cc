// SPDX-License-Identifier: Apache-2.0
#include "base/metrics.h"

#include <fmt/format.h>

#include <bit>
#include <cmath>
#include <map>
#include <mutex>
#include <variant>

#include "base/assert.h"

namespace headrace::base {
namespace {

// Buckets: 0 holds what is below 2^10 ns; then eight of equal width per power of two up to 2^36 ns;
// the last holds the rest.
constexpr int kFirstPower = 10, kLastPower = 36;

std::size_t bucket_of(std::uint64_t ns) {
  if (ns < (std::uint64_t{1} << kFirstPower)) return 0;
  int const power = std::bit_width(ns) - 1;
  if (power >= kLastPower) return 8 * (kLastPower - kFirstPower) + 1;
  std::uint64_t const eighth = ns >> (power - 3) & 7;
  return 1 + 8 * static_cast<std::size_t>(power - kFirstPower) + static_cast<std::size_t>(eighth);
}

// The first value that is above bucket `b`.
std::uint64_t upper_edge(std::size_t b) {
  if (b == 0) return std::uint64_t{1} << kFirstPower;
  std::size_t const power = kFirstPower + (b - 1) / 8, eighth = (b - 1) % 8;
  return (8 + eighth + 1) << (power - 3);
}

void append_escaped(std::string& out, std::string_view text, bool quotes) {
  for (char const c : text) {
    if (c == '\\')
      out += "\\\\";
    else if (c == '\n')
      out += "\\n";
    else if (c == '"' && quotes)
      out += "\\\"";
    else
      out += c;
  }
}

void append_labels(std::string& out, Labels const& labels, std::string_view edge = {}) {
  if (labels.empty() && edge.empty()) return;
  char separator = '{';
  for (auto const& [key, value] : labels) {
    out += separator;
    out += key;
    out += "=\"";
    append_escaped(out, value, true);
    out += '"';
    separator = ',';
  }
  if (!edge.empty()) fmt::format_to(std::back_inserter(out), "{}le=\"{}\"", separator, edge);
  out += '}';
}

std::string number(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  return fmt::format("{}", value);
}

void append_sample(std::string& out, std::string_view name, Labels const& labels,
                   std::string_view value) {
  out += name;
  append_labels(out, labels);
  out += ' ';
  out += value;
  out += '\n';
}

}  // namespace

std::size_t metric_shard() {
  static std::atomic<std::size_t> next{0};
  thread_local std::size_t const shard =
      next.fetch_add(1, std::memory_order_relaxed) % kMetricShards;
  return shard;
}

std::uint64_t Counter::value() const {
  std::uint64_t sum = 0;
  for (auto const& shard : shards_) sum += shard.value.load(std::memory_order_relaxed);
  return sum;
}

void Histogram::record(std::chrono::nanoseconds latency, std::uint64_t count) {
  std::uint64_t const ns = latency.count() > 0 ? static_cast<std::uint64_t>(latency.count()) : 0;
  buckets_[bucket_of(ns)].fetch_add(count, std::memory_order_relaxed);
  sum_ns_.fetch_add(ns * count, std::memory_order_relaxed);
}

std::uint64_t Histogram::count() const {
  std::uint64_t sum = 0;
  for (auto const& bucket : buckets_) sum += bucket.load(std::memory_order_relaxed);
  return sum;
}

std::chrono::nanoseconds Histogram::sum() const {
  return std::chrono::nanoseconds(sum_ns_.load(std::memory_order_relaxed));
}

std::chrono::nanoseconds Histogram::quantile(double q) const {
  std::uint64_t counts[kBuckets], total = 0;
  for (std::size_t b = 0; b < kBuckets; ++b)
    total += counts[b] = buckets_[b].load(std::memory_order_relaxed);
  if (total == 0) return {};
  auto const rank = std::max<std::uint64_t>(
      1, static_cast<std::uint64_t>(std::ceil(q * static_cast<double>(total))));
  std::uint64_t below = 0;
  for (std::size_t b = 0; b < kBuckets; ++b) {
    below += counts[b];
    if (below >= rank) return std::chrono::nanoseconds(upper_edge(b));
  }
  return std::chrono::nanoseconds(upper_edge(kBuckets - 1));
}

struct Registry::Impl {
  using Collect = std::function<void(Emit const&)>;
  template <class T>
  using Series = std::map<Labels, std::unique_ptr<T>>;
  struct Family {
    std::string help, kind;
    std::variant<Series<Counter>, Series<Gauge>, Series<Histogram>, std::vector<Collect>> series;
  };

  template <class S>
  S& family(std::string_view name, std::string_view help, std::string_view kind) {
    auto const it =
        families.try_emplace(std::string(name), Family{std::string(help), std::string(kind), S{}})
            .first;
    HEADRACE_ASSERT(std::holds_alternative<S>(it->second.series), "a metric's name with two kinds");
    HEADRACE_ASSERT(it->second.kind == kind, "a metric's name with two kinds");
    return std::get<S>(it->second.series);
  }
  template <class T>
  T& one(std::string_view name, std::string_view help, std::string_view kind, Labels labels) {
    std::lock_guard const lock(mutex);
    auto& slot = family<Series<T>>(name, help, kind)[std::move(labels)];
    if (!slot) slot = std::make_unique<T>();
    return *slot;
  }

  static void append(std::string& out, std::string const& name, Series<Counter> const& series) {
    for (auto const& [labels, counter] : series)
      append_sample(out, name, labels, std::to_string(counter->value()));
  }
  static void append(std::string& out, std::string const& name, Series<Gauge> const& series) {
    for (auto const& [labels, gauge] : series)
      append_sample(out, name, labels, std::to_string(gauge->value()));
  }
  static void append(std::string& out, std::string const& name,
                     std::vector<Collect> const& series) {
    for (auto const& collect : series)
      collect([&](Labels const& labels, double value) {
        append_sample(out, name, labels, number(value));
      });
  }
  static void append(std::string& out, std::string const& name, Series<Histogram> const& series);

  mutable std::mutex mutex;
  std::map<std::string, Family> families;
};

void Registry::Impl::append(std::string& out, std::string const& name,
                            Series<Histogram> const& series) {
  for (auto const& [labels, histogram] : series) {
    std::uint64_t below = 0;
    for (std::size_t b = 0; b < Histogram::kBuckets; ++b) {
      below += histogram->buckets_[b].load(std::memory_order_relaxed);
      bool const last = b + 1 == Histogram::kBuckets;
      if (b % 8 != 0 && !last) continue;
      out += name;
      out += "_bucket";
      append_labels(out, labels, last ? "+Inf" : number(static_cast<double>(upper_edge(b)) * 1e-9));
      fmt::format_to(std::back_inserter(out), " {}\n", below);
    }
    append_sample(out, name + "_sum", labels,
                  number(static_cast<double>(histogram->sum().count()) * 1e-9));
    append_sample(out, name + "_count", labels, std::to_string(below));
  }
}

Registry::Registry() : impl_(std::make_unique<Impl>()) {}
Registry::~Registry() = default;

Counter& Registry::counter(std::string_view name, std::string_view help, Labels labels) {
  return impl_->one<Counter>(name, help, "counter", std::move(labels));
}
Gauge& Registry::gauge(std::string_view name, std::string_view help, Labels labels) {
  return impl_->one<Gauge>(name, help, "gauge", std::move(labels));
}
Histogram& Registry::histogram(std::string_view name, std::string_view help, Labels labels) {
  return impl_->one<Histogram>(name, help, "histogram", std::move(labels));
}
void Registry::collector(std::string_view name, std::string_view help, std::string_view kind,
                         std::function<void(Emit const&)> collect) {
  std::lock_guard const lock(impl_->mutex);
  impl_->family<std::vector<Impl::Collect>>(name, help, kind).push_back(std::move(collect));
}

std::string Registry::render() const {
  std::string out;
  std::lock_guard const lock(impl_->mutex);
  for (auto const& [name, family] : impl_->families) {
    fmt::format_to(std::back_inserter(out), "# HELP {} ", name);
    append_escaped(out, family.help, false);
    fmt::format_to(std::back_inserter(out), "\n# TYPE {} {}\n", name, family.kind);
    std::visit([&](auto const& series) { Impl::append(out, name, series); }, family.series);
  }
  return out;
}

}  // namespace headrace::base
