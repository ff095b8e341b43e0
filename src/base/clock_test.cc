// SPDX-License-Identifier: Apache-2.0
#include "base/clock.h"

#include <gtest/gtest.h>

#include <limits>

#include "base/random.h"

namespace headrace::base {
namespace {

constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kMin = std::numeric_limits<std::int64_t>::min();

TEST(Rfc3339, WritesAsManyDigitsAsNeeded) {
  EXPECT_EQ(to_rfc3339({0}), "1970-01-01T00:00:00Z");
  EXPECT_EQ(to_rfc3339({1'767'323'045'000'000'006}), "2026-01-02T03:04:05.000000006Z");
  EXPECT_EQ(to_rfc3339({1'767'323'045'120'000'000}), "2026-01-02T03:04:05.120Z");
  EXPECT_EQ(to_rfc3339({1'767'323'045'000'120'000}), "2026-01-02T03:04:05.000120Z");
  EXPECT_EQ(to_rfc3339({-1}), "1969-12-31T23:59:59.999999999Z");
  EXPECT_EQ(to_rfc3339({kMax}), "2262-04-11T23:47:16.854775807Z");
  EXPECT_EQ(to_rfc3339({kMin}), "1677-09-21T00:12:43.145224192Z");
}

struct Good {
  std::string_view text;
  std::int64_t ns;
};
constexpr Good kGood[] = {
    {"1970-01-01T00:00:00Z", 0},
    {"1970-01-01t00:00:00z", 0},
    {"1970-01-01 00:00:00+00:00", 0},
    {"1970-01-01T01:30:00+01:30", 0},
    {"1969-12-31T19:00:00-05:00", 0},
    {"1970-01-01T00:00:00.5Z", 500'000'000},
    {"1970-01-01T00:00:00.123456789Z", 123'456'789},
    {"1969-12-31T23:59:59.999999999Z", -1},
    {"2016-12-31T23:59:60Z", 1'483'228'800'000'000'000},          // a leap second
    {"2017-01-01T01:59:60.25+02:00", 1'483'228'800'250'000'000},  // the same one, elsewhere
    {"2024-02-29T00:00:00Z", 1'709'164'800'000'000'000},
    {"2262-04-11T23:47:16.854775807Z", kMax},
    {"1677-09-21T00:12:43.145224192Z", kMin},
};

TEST(Rfc3339, Reads) {
  for (auto const& c : kGood) {
    auto const time = parse_rfc3339(c.text);
    ASSERT_TRUE(time) << c.text << ' ' << time.error().context;
    EXPECT_EQ(time->ns, c.ns) << c.text;
  }
}

TEST(Rfc3339, RefusesWithAReason) {
  for (std::string_view const text : {"",
                                      "2026",
                                      "2026-1-02T03:04:05Z",
                                      "2026-01-02T03:04:05",
                                      "2026-01-02T03:04:05.Z",
                                      "2026-01-02T03:04:05.1234567890Z",
                                      "2026-01-02T03:04:05Zx",
                                      "2026-13-02T03:04:05Z",
                                      "2026-02-29T03:04:05Z",
                                      "2026-01-00T03:04:05Z",
                                      "2026-01-02T24:00:00Z",
                                      "2026-01-02T03:60:00Z",
                                      "2026-01-02T03:04:61Z",
                                      "2026-01-02T03:04:60Z",
                                      "2026-01-02T03:04:05+24:00",
                                      "2026-01-02T03:04:05+0100",
                                      "2026-01-02T03:04:05+01",
                                      "2262-04-11T23:47:16.854775808Z",
                                      "1677-09-21T00:12:43.145224191Z",
                                      "9999-12-31T23:59:59Z",
                                      "0000-01-01T00:00:00Z",
                                      "-026-01-02T03:04:05Z",
                                      "2026-01-02_03:04:05Z"}) {
    auto const time = parse_rfc3339(text);
    ASSERT_FALSE(time) << text;
    EXPECT_EQ(time.error().code, ErrorCode::kInvalidArgument);
    EXPECT_EQ(time.error().context.find("not an RFC 3339 time: "), 0u) << time.error().context;
  }
  EXPECT_EQ(parse_rfc3339("2026-01-02T03:0x:05Z").error().context,
            "not an RFC 3339 time: at byte 15 expected a digit");
}

TEST(Rfc3339, ReadsBackWhatItWrote) {
  Random random(1);
  for (int i = 0; i < 20'000; ++i) {
    Timestamp const time{static_cast<std::int64_t>(random.next())};
    ASSERT_EQ(parse_rfc3339(to_rfc3339(time)).value(), time);
  }
}

TEST(Duration, ReadsAndWritesTheShortestExactForm) {
  using namespace std::chrono_literals;
  struct Case {
    std::string_view text;
    std::chrono::nanoseconds want;
    std::string_view shortest;
  };
  for (auto const& c :
       {Case{"250ms", 250ms, "250ms"}, Case{"7s", 7s, "7s"}, Case{"30m", 30min, "30m"},
        Case{"12h", 12h, "12h"}, Case{"30d", 720h, "30d"}, Case{"60s", 60s, "1m"},
        Case{"0s", 0s, "0s"}, Case{"1us", 1us, "1us"}, Case{"1500ms", 1500ms, "1500ms"},
        Case{"7ns", 7ns, "7ns"}, Case{"48h", 48h, "2d"}}) {
    auto const got = parse_duration(c.text);
    ASSERT_TRUE(got) << c.text;
    EXPECT_EQ(*got, c.want) << c.text;
    EXPECT_EQ(to_string(*got), c.shortest);
  }
}

TEST(Duration, RefusesWhatIsNone) {
  for (std::string_view const text : {"", "s", "5", "-5s", "+5s", "1.5s", "5 s", "5S", "5w", "5ss",
                                      " 5s", "106752d", "99999999999999999999s"})
    EXPECT_FALSE(parse_duration(text)) << text;
  EXPECT_TRUE(parse_duration("106751d"));
}

TEST(ManualClock, MovesWhenTold) {
  ManualClock clock({5});
  auto const steady = clock.steady();
  clock.advance(std::chrono::nanoseconds(10));
  clock.step_wall_clock(std::chrono::nanoseconds(-12));
  EXPECT_EQ(clock.now().ns, 3);
  EXPECT_EQ((clock.steady() - steady).count(), 10);
}

TEST(SystemClock, StandsInThisMillenniumAndMovesOn) {
  auto const first = system_clock().steady();
  EXPECT_GT(system_clock().now().ns, parse_rfc3339("2024-01-01T00:00:00Z")->ns);
  EXPECT_GE(system_clock().steady(), first);
}

}  // namespace
}  // namespace headrace::base
