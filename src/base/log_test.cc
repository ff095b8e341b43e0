// SPDX-License-Identifier: Apache-2.0
#include "base/log.h"

#include <gtest/gtest.h>

namespace headrace::base {
namespace {

std::string logged(LogLevel threshold, LogFormat format, void (*write)()) {
  testing::internal::CaptureStderr();
  configure_log(threshold, format);
  write();
  std::string text = testing::internal::GetCapturedStderr();
  configure_log(LogLevel::kInfo, LogFormat::kAuto);
  return text;
}

TEST(Log, JsonIsOneObjectALine) {
  std::string const text = logged(LogLevel::kInfo, LogFormat::kJson, [] {
    log_warn("receiver \"failed\"\nbadly", {{"receiver", "archive"}, {"attempts", 3}});
    log_debug("not shown");
  });
  EXPECT_EQ(text.find("{\"time\":\"2"), 0u);
  EXPECT_NE(
      text.find("\"level\":\"warn\",\"message\":\"receiver "
                "\\\"failed\\\"\\u000abadly\",\"receiver\":\"archive\",\"attempts\":\"3\"}\n"),
      std::string::npos)
      << text;
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1);
}

TEST(Log, TextQuotesWhatHasBlanks) {
  std::string const text = logged(LogLevel::kDebug, LogFormat::kText,
                                  [] { log_debug("started", {{"path", "/a b"}, {"port", 8080}}); });
  EXPECT_NE(text.find(" started path=\"/a b\" port=8080\n"), std::string::npos) << text;
}

TEST(Log, OffIsSilent) {
  EXPECT_EQ(logged(LogLevel::kOff, LogFormat::kJson, [] { log_error("x"); }), "");
  EXPECT_FALSE(log_enabled(LogLevel::kOff));
}

}  // namespace
}  // namespace headrace::base
