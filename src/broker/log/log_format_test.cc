// SPDX-License-Identifier: Apache-2.0
// The kept sample of version 1 is opened by today's code.
#include <filesystem>

#include "broker/contract_kit.h"
#include "broker/log/log_broker.h"
#include "broker/log/log_check.h"

namespace headrace::broker::log {
namespace {

constexpr char kSample[] = "tests/formats/log-v1";

LogOptions sample_options(std::string directory) {
  LogOptions o;
  o.directory = std::move(directory);
  o.segment_bytes = 64u << 10;
  o.disk_budget_bytes = 0;
  o.reserve_bytes = 0;
  return o;
}

// What the sample holds: 60 records over two topics, the first with two partitions; 2 messages
// each.
TopicPartition place(std::vector<TopicId> const& ids, std::uint64_t number) {
  return number % 3 == 0 ? TopicPartition{ids[1], 0}
                         : TopicPartition{ids[0], static_cast<std::uint32_t>(number % 2)};
}

std::vector<TopicId> open_topics(Broker& broker) {
  auto a = make_type("alpha", 2), b = make_type("beta", 1);
  a.retention = b.retention = std::chrono::hours(24 * 365 * 100);
  return {broker.open_topic(a)->id, broker.open_topic(b)->id};
}

// Not run by default: writes a new sample, to be kept when the format's version rises.
TEST(LogFormat, DISABLED_WriteSample) {
  base::ManualClock clock(base::Timestamp{0});
  auto const broker = make_log_broker(sample_options(kSample), base::real_file_system(), clock);
  ASSERT_TRUE(broker.has_value());
  auto const ids = open_topics(**broker);
  Settling appender(**broker);
  for (std::uint64_t n = 1; n <= 60; ++n) {
    appender.put(place(ids, n), {.sequence = 10 * n,
                                 .messages = 2,
                                 .body_bytes = 50 * n,
                                 .received_ns = static_cast<std::int64_t>(n)});
  }
}

TEST(LogFormat, TheSampleOfVersion1IsRead) {
  char name[] = "/tmp/headrace-format-XXXXXX";
  std::string const directory = ::mkdtemp(name);
  std::filesystem::copy(kSample, directory, std::filesystem::copy_options::recursive);
  auto const report = verify_log(directory, base::real_file_system());
  ASSERT_TRUE(report.has_value());
  EXPECT_TRUE(report->good()) << to_string(*report);
  EXPECT_GE(report->segments.size(), 2u);
  base::ManualClock clock(base::Timestamp{0});
  {
    auto const broker = make_log_broker(sample_options(directory), base::real_file_system(), clock);
    ASSERT_TRUE(broker.has_value()) << base::to_string(broker.error());
    auto const ids = open_topics(**broker);
    std::map<TopicPartition, std::vector<std::uint64_t>> want;
    for (std::uint64_t n = 1; n <= 60; ++n) want[place(ids, n)].push_back(10 * n);
    for (auto const& [tp, numbers] : want) {
      auto const reader = (*broker)->make_reader({{tp, {}}}, nullptr);
      EXPECT_EQ(sequences(read_all(*reader)), numbers);
      EXPECT_EQ((*broker)->count_after(tp, {}), 2 * numbers.size());
    }
  }
  std::filesystem::remove_all(directory);
}

}  // namespace
}  // namespace headrace::broker::log
