// SPDX-License-Identifier: Apache-2.0
#include "base/log.h"

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <atomic>
#include <mutex>

#include "base/clock.h"

namespace headrace::base {
namespace {

std::atomic<LogLevel> threshold{LogLevel::kInfo};

struct Output {
  std::shared_ptr<spdlog::logger> logger;
  bool json = false;
};

Output make_output(LogFormat format) {
  bool const json =
      format == LogFormat::kJson || (format == LogFormat::kAuto && ::isatty(STDERR_FILENO) == 0);
  Output output;
  output.json = json;
  if (json) {
    output.logger = std::make_shared<spdlog::logger>(
        "headrace", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    output.logger->set_pattern("%v");
  } else {
    output.logger = std::make_shared<spdlog::logger>(
        "headrace", std::make_shared<spdlog::sinks::stderr_color_sink_mt>());
    output.logger->set_pattern("%Y-%m-%d %H:%M:%S.%e %^%-5!l%$ %v");
  }
  output.logger->set_level(spdlog::level::trace);
  output.logger->flush_on(spdlog::level::trace);
  return output;
}

std::mutex mutex;
Output& current() {  // under `mutex`
  static Output output = make_output(LogFormat::kAuto);
  return output;
}

spdlog::level::level_enum vendor_level(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug: return spdlog::level::debug;
    case LogLevel::kInfo: return spdlog::level::info;
    case LogLevel::kWarn: return spdlog::level::warn;
    case LogLevel::kError: return spdlog::level::err;
    case LogLevel::kOff: return spdlog::level::off;
  }
  return spdlog::level::off;
}

std::string_view level_name(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug: return "debug";
    case LogLevel::kInfo: return "info";
    case LogLevel::kWarn: return "warn";
    case LogLevel::kError: return "error";
    case LogLevel::kOff: return "off";
  }
  return "off";
}

// JSON string. What is not ASCII passes as it is; control characters are escaped, so one event
// stays one line.
void append_quoted(std::string& out, std::string_view text) {
  out += '"';
  for (char const c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
      fmt::format_to(std::back_inserter(out), "\\u{:04x}",
                     static_cast<unsigned>(static_cast<unsigned char>(c)));
    } else {
      out += c;
    }
  }
  out += '"';
}

bool plain(std::string_view text) {
  for (char const c : text)
    if (c == '"' || c == '\\' || c == '=' || static_cast<unsigned char>(c) <= 0x20 || c == 0x7F)
      return false;
  return !text.empty();
}

std::string text_line(std::string_view message, std::initializer_list<LogField> fields) {
  std::string line;
  for (char const c : message) line += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  for (auto const& field : fields) {
    line += ' ';
    line += field.key;
    line += '=';
    if (plain(field.value))
      line += field.value;
    else
      append_quoted(line, field.value);
  }
  return line;
}

std::string json_line(LogLevel level, std::string_view message,
                      std::initializer_list<LogField> fields) {
  std::string line = "{\"time\":\"";
  append_rfc3339(line, system_clock().now());
  line += "\",\"level\":\"";
  line += level_name(level);
  line += "\",\"message\":";
  append_quoted(line, message);
  for (auto const& field : fields) {
    line += ',';
    append_quoted(line, field.key);
    line += ':';
    append_quoted(line, field.value);
  }
  line += '}';
  return line;
}

}  // namespace

void configure_log(LogLevel level, LogFormat format) {
  Output output = make_output(format);
  std::lock_guard const lock(mutex);
  current() = std::move(output);
  threshold.store(level, std::memory_order_relaxed);
}

bool log_enabled(LogLevel level) {
  return level != LogLevel::kOff && level >= threshold.load(std::memory_order_relaxed);
}

void log(LogLevel level, std::string_view message, std::initializer_list<LogField> fields) {
  if (!log_enabled(level)) return;
  Output output;
  {
    std::lock_guard const lock(mutex);
    output = current();
  }
  std::string const line =
      output.json ? json_line(level, message, fields) : text_line(message, fields);
  output.logger->log(vendor_level(level), spdlog::string_view_t(line.data(), line.size()));
}

}  // namespace headrace::base
