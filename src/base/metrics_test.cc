// SPDX-License-Identifier: Apache-2.0
#include "base/metrics.h"

#include <gtest/gtest.h>

#include <thread>

namespace headrace::base {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;

TEST(Metrics, CountersSumOverThreads) {
  Registry registry;
  Counter& counter = registry.counter("headrace_test_total", "help");
  std::vector<std::thread> threads;
  for (int i = 0; i < 12; ++i)
    threads.emplace_back([&] {
      for (int n = 0; n < 1000; ++n) counter.add(2);
    });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(counter.value(), 24'000u);
}

TEST(Metrics, SameNameAndLabelsGiveTheSame) {
  Registry registry;
  EXPECT_EQ(&registry.gauge("g", "h", {{"a", "1"}}), &registry.gauge("g", "h", {{"a", "1"}}));
  EXPECT_NE(&registry.gauge("g", "h", {{"a", "1"}}), &registry.gauge("g", "h", {{"a", "2"}}));
  EXPECT_DEATH(registry.counter("g", "h"), "two kinds");
}

TEST(Histogram, QuantilesAreAtMostAnEighthTooHigh) {
  Histogram histogram;
  EXPECT_EQ(histogram.quantile(0.5), nanoseconds(0));
  for (int ms = 1; ms <= 1000; ++ms) histogram.record(milliseconds(ms));
  for (double const q : {0.01, 0.5, 0.9, 0.99, 1.0}) {
    double const want = 1e9 * q, got = static_cast<double>(histogram.quantile(q).count());
    EXPECT_GE(got, want * 0.999) << q;
    EXPECT_LE(got, want * 1.126) << q;
  }
  EXPECT_EQ(histogram.count(), 1000u);
  EXPECT_EQ(histogram.sum(), milliseconds(500'500));
}

TEST(Histogram, HoldsTheExtremes) {
  Histogram histogram;
  histogram.record(nanoseconds(-5));
  histogram.record(nanoseconds(1023));
  EXPECT_EQ(histogram.quantile(1.0), nanoseconds(1024));
  histogram.record(std::chrono::hours(1), 3);
  EXPECT_EQ(histogram.count(), 5u);
  EXPECT_GE(histogram.quantile(1.0), std::chrono::seconds(64));
}

TEST(Registry, RendersPrometheusText) {
  Registry registry;
  registry.counter("headrace_b_total", "Back\\slash and\nline.", {{"type", "a\"b"}}).add(3);
  registry.gauge("headrace_a", "A gauge.").set(-4);
  registry.collector("headrace_c", "Collected.", "gauge", [](Registry::Emit const& emit) {
    emit({{"x", "1"}}, 0.5);
    emit({}, 7);
  });
  EXPECT_EQ(registry.render(),
            "# HELP headrace_a A gauge.\n# TYPE headrace_a gauge\nheadrace_a -4\n"
            "# HELP headrace_b_total Back\\\\slash and\\nline.\n# TYPE headrace_b_total counter\n"
            "headrace_b_total{type=\"a\\\"b\"} 3\n"
            "# HELP headrace_c Collected.\n# TYPE headrace_c gauge\nheadrace_c{x=\"1\"} "
            "0.5\nheadrace_c 7\n");
}

TEST(Registry, RendersHistogramsCumulatively) {
  Registry registry;
  Histogram& histogram = registry.histogram("h", "Help.", {{"stage", "log"}});
  histogram.record(nanoseconds(500));
  histogram.record(milliseconds(1), 2);
  std::string const text = registry.render();
  EXPECT_NE(text.find("# TYPE h histogram\n"), std::string::npos);
  EXPECT_NE(text.find("h_bucket{stage=\"log\",le=\"1.024e-06\"} 1\n"), std::string::npos) << text;
  EXPECT_NE(text.find("h_bucket{stage=\"log\",le=\"0.001048576\"} 3\n"), std::string::npos) << text;
  EXPECT_NE(text.find("h_bucket{stage=\"log\",le=\"+Inf\"} 3\n"), std::string::npos);
  EXPECT_NE(text.find("h_count{stage=\"log\"} 3\n"), std::string::npos);
  EXPECT_NE(text.find("h_sum{stage=\"log\"} 0.0020005"), std::string::npos);
}

}  // namespace
}  // namespace headrace::base
