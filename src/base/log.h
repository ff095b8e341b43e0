// SPDX-License-Identifier: Apache-2.0
// The process's log: one line per event, for people on a terminal (time, level, message,
// key=value), JSON lines otherwise. Log an error once, where it is handled. Never log secrets.
//   Threads: any. Cost: a disabled level costs one relaxed load.
#pragma once

#include <fmt/format.h>

#include <initializer_list>
#include <string>
#include <string_view>

namespace headrace::base {

enum class LogLevel : unsigned char { kDebug, kInfo, kWarn, kError, kOff };
enum class LogFormat : unsigned char {
  kAuto,
  kText,
  kJson
};  // kAuto: text when standard error is a terminal

// Standard error. May be called again.
void configure_log(LogLevel level, LogFormat format);
bool log_enabled(LogLevel level);

struct LogField {
  std::string_view key;
  std::string value;

  template <class T>
  LogField(std::string_view k, T const& v) : key(k), value(fmt::format("{}", v)) {}
};

// log(LogLevel::kWarn, "receiver failed", {{"receiver", name}, {"error", to_string(e)}});
void log(LogLevel level, std::string_view message, std::initializer_list<LogField> fields = {});

inline void log_info(std::string_view m, std::initializer_list<LogField> f = {}) {
  log(LogLevel::kInfo, m, f);
}
inline void log_warn(std::string_view m, std::initializer_list<LogField> f = {}) {
  log(LogLevel::kWarn, m, f);
}
inline void log_error(std::string_view m, std::initializer_list<LogField> f = {}) {
  log(LogLevel::kError, m, f);
}
inline void log_debug(std::string_view m, std::initializer_list<LogField> f = {}) {
  if (log_enabled(LogLevel::kDebug)) log(LogLevel::kDebug, m, f);
}

}  // namespace headrace::base
