// SPDX-License-Identifier: Apache-2.0
#include "agent/impl/system_collector.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace headrace::agent {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class SystemCollectorTest : public ::testing::Test {
 protected:
  SystemCollectorTest() {
    std::filesystem::create_directories(proc_ + "/net");
    std::filesystem::create_directories(proc_ + "/1");
    std::filesystem::create_directories(proc_ + "/4711");
    write("meminfo", "MemTotal: 1000 kB\nMemAvailable: 250 kB\nSwapTotal: 0 kB\nSwapFree: 0 kB\n");
    write("loadavg", "0.5 0.25 0.125 1/94 7627\n");
    write("uptime", "1559.77 3030.21\n");
    write("mounts", "/dev/vda / ext4 rw 0 0\n/dev/vdb /broken ext4 rw 0 0\n");
    set_counters(1000, 0, 9000, 100, 2000, 50);
  }
  ~SystemCollectorTest() override { std::filesystem::remove_all(proc_); }

  void write(std::string const& file, std::string const& text) {
    std::ofstream(proc_ + "/" + file) << text;
  }
  void set_counters(int user, int iowait, int idle, int sectors, int received, int loopback) {
    auto const times = fmt::format("{} 0 0 {} {} 0 0 0\n", user, idle, iowait);
    write("stat", "cpu " + times + "cpu0 " + times);
    write("diskstats", fmt::format("254 0 vda 10 0 {} 0 0 0 0 0 0 0 0\n", sectors));
    write("net/dev", fmt::format("a|b\n lo:{0} 1 0 0 0 0 0 0 {0} 1 0 0 0 0 0 0\n eth0:{1} 1 0 0 0 "
                                 "0 0 0 0 0 0 0 0 0 0 0\n",
                                 loopback, received));
  }
  std::string collect() {
    auto body = collector_.collect(clock_.now());
    EXPECT_TRUE(body);
    return body ? *body : std::string();
  }

  static std::string make_directory() {
    std::string name = ::testing::TempDir() + "proc-XXXXXX";
    EXPECT_NE(mkdtemp(name.data()), nullptr);
    return name;
  }

  std::string const proc_ = make_directory();
  base::ManualClock clock_;
  SystemCollector collector_{clock_, proc_,
                             [](std::string const& directory) -> base::Result<FileSystemUsage> {
                               if (directory == "/broken")
                                 return base::Error{base::ErrorCode::kIo, "gone"};
                               return FileSystemUsage{1000, 400, 300};
                             }};
};

TEST_F(SystemCollectorTest, FirstSampleHasNoRates) {
  auto const body = collect();
  EXPECT_THAT(body, HasSubstr(R"("cpu":{"count":1},)"));
  EXPECT_THAT(
      body, HasSubstr(R"("load":{"one":0.5,"five":0.25,"fifteen":0.13,"running":1,"threads":94})"));
  EXPECT_THAT(
      body,
      HasSubstr(
          R"("memory":{"total_bytes":1024000,"used_bytes":768000,"available_bytes":256000,"used_percent":75,)"));
  EXPECT_THAT(
      body,
      HasSubstr(
          R"("filesystems":[{"mount":"/","device":"/dev/vda","type":"ext4","total_bytes":1000,"used_bytes":600,)"));
  EXPECT_THAT(body, HasSubstr(R"("processes":2,"uptime_s":1559})"));
  EXPECT_THAT(body, Not(HasSubstr("per_s")));
  EXPECT_THAT(body, Not(HasSubstr("/broken")));
}

TEST_F(SystemCollectorTest, SecondSampleHasRatesOverTheTimeBetween) {
  collect();
  clock_.advance(std::chrono::seconds(2));
  set_counters(1030, 10, 9060, 140, 4000, 250);
  auto const body = collect();
  EXPECT_THAT(
      body,
      HasSubstr(
          R"("cpu":{"count":1,"used_percent":30,"user_percent":30,"system_percent":0,"iowait_percent":10,)"));
  EXPECT_THAT(body, HasSubstr(R"("cores":[{"core":0,"used_percent":30}])"));
  EXPECT_THAT(body, HasSubstr(R"("read_bytes_per_s":10240,)"));
  EXPECT_THAT(body, HasSubstr(R"("network":{"received_bytes_per_s":1000,)"));
  EXPECT_THAT(body, HasSubstr(R"("loopback":{"name":"lo","received_bytes_per_s":100,)"));
}

TEST_F(SystemCollectorTest, ACounterThatBeganAnewHasNoRate) {
  collect();
  clock_.advance(std::chrono::seconds(1));
  set_counters(1010, 0, 9090, 10, 5, 250);
  auto const body = collect();
  EXPECT_THAT(body, HasSubstr(R"("network":{"received_bytes_per_s":0,)"));
  EXPECT_THAT(body, HasSubstr(R"({"name":"eth0","sent_bytes_per_s":0,)"));
  EXPECT_THAT(body, HasSubstr(R"("devices":[{"device":"vda","written_bytes_per_s":0,)"));
}

TEST_F(SystemCollectorTest, APartThatIsMissingIsLeftOut) {
  std::filesystem::remove(proc_ + "/stat");
  write("meminfo", "garbage");
  auto const body = collect();
  EXPECT_THAT(body, Not(HasSubstr("\"cpu\"")));
  EXPECT_THAT(body, Not(HasSubstr("\"memory\"")));
  EXPECT_THAT(body, HasSubstr("\"load\""));
}

TEST(SystemCollector, NothingReadableIsAnError) {
  base::ManualClock clock;
  SystemCollector collector(clock, "/nonexistent");
  auto const body = collector.collect(clock.now());
  ASSERT_FALSE(body);
  EXPECT_EQ(body.error().code, base::ErrorCode::kUnavailable);
}

TEST(SystemCollector, ReadsThisMachine) {
  SystemCollector collector(base::system_clock());
  auto const body = collector.collect(base::system_clock().now());
  ASSERT_TRUE(body);
  for (auto const* key : {"\"cpu\"", "\"memory\"", "\"load\"", "\"processes\"", "\"uptime_s\""})
    EXPECT_THAT(*body, HasSubstr(key));
}

}  // namespace
}  // namespace headrace::agent
