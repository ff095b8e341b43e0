// SPDX-License-Identifier: Apache-2.0
#include "base/clock.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <limits>

namespace headrace::base {
namespace {

constexpr std::int64_t kNsPerSecond = 1'000'000'000;
constexpr std::int64_t kSecondsPerDay = 86'400;

void append_digits(char*& out, std::int64_t value, int digits) {
  for (int i = digits - 1; i >= 0; --i, value /= 10) out[i] = static_cast<char>('0' + value % 10);
  out += digits;
}

int fraction_digits(std::int64_t ns) {
  if (ns == 0) return 0;
  if (ns % 1'000'000 == 0) return 3;
  return ns % 1'000 == 0 ? 6 : 9;
}

// Reads text from left to right; `ok` stays false once something was not as expected.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  std::int64_t digits(int count) {
    std::int64_t value = 0;
    for (int i = 0; i < count; ++i) {
      char const c = at_ < text_.size() ? text_[at_] : '\0';
      if (c < '0' || c > '9') return fail("a digit");
      value = value * 10 + (c - '0');
      ++at_;
    }
    return value;
  }
  char one_of(std::string_view allowed, char const* expected) {
    if (at_ >= text_.size() || allowed.find(text_[at_]) == std::string_view::npos)
      return static_cast<char>(fail(expected));
    return text_[at_++];
  }
  bool peek_is(char c) const { return at_ < text_.size() && text_[at_] == c; }
  bool peek_is_digit() const {
    return at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9';
  }
  void skip() { ++at_; }
  void end() {
    if (at_ != text_.size()) fail("the end");
  }
  bool ok() const { return expected_ == nullptr; }
  Error error() const {
    return {ErrorCode::kInvalidArgument,
            fmt::format("not an RFC 3339 time: at byte {} expected {}", failed_at_, expected_)};
  }

 private:
  int fail(char const* expected) {
    if (expected_ == nullptr) {
      expected_ = expected;
      failed_at_ = at_;
    }
    return 0;
  }

  std::string_view text_;
  std::size_t at_ = 0, failed_at_ = 0;
  char const* expected_ = nullptr;
};

std::int64_t scan_fraction(Scanner& scanner) {
  if (!scanner.peek_is('.')) return 0;
  scanner.skip();
  std::int64_t ns = scanner.digits(1);
  int count = 1;
  for (; count < 9 && scanner.ok() && scanner.peek_is_digit(); ++count)
    ns = ns * 10 + scanner.digits(1);
  for (; count < 9; ++count) ns *= 10;
  return ns;
}

// Seconds east of UTC.
std::int64_t scan_offset(Scanner& scanner) {
  char const sign = scanner.one_of("Zz+-", "Z, + or - (more than 9 fraction digits are refused)");
  if (!scanner.ok() || sign == 'Z' || sign == 'z') return 0;
  std::int64_t const hours = scanner.digits(2);
  scanner.one_of(":", "':'");
  std::int64_t const minutes = scanner.digits(2);
  if (hours > 23 || minutes > 59) scanner.one_of("", "an offset of at most 23:59");
  std::int64_t const seconds = hours * 3600 + minutes * 60;
  return sign == '-' ? -seconds : seconds;
}

Error bad_time(std::string_view text, std::string_view why) {
  return {ErrorCode::kInvalidArgument,
          fmt::format("not an RFC 3339 time: '{}' {}", text.substr(0, 64), why)};
}

Result<Timestamp> join(std::string_view text, std::int64_t seconds, std::int64_t ns) {
  if (seconds < 0 && ns > 0) {  // both of one sign: only the sum has to fit
    ++seconds;
    ns -= kNsPerSecond;
  }
  std::int64_t total = 0;
  if (__builtin_mul_overflow(seconds, kNsPerSecond, &total) ||
      __builtin_add_overflow(total, ns, &total))
    return bad_time(text, "is outside of 1677-09-21 to 2262-04-11");
  return Timestamp{total};
}

struct Unit {
  std::string_view suffix;
  std::int64_t ns;
};
constexpr std::array<Unit, 7> kUnits{{{"d", 86'400 * kNsPerSecond},
                                      {"h", 3'600 * kNsPerSecond},
                                      {"m", 60 * kNsPerSecond},
                                      {"s", kNsPerSecond},
                                      {"ms", 1'000'000},
                                      {"us", 1'000},
                                      {"ns", 1}}};

class MachineClock final : public Clock {
 public:
  Timestamp now() const override {
    return {std::chrono::duration_cast<std::chrono::nanoseconds>(
                std::chrono::system_clock::now().time_since_epoch())
                .count()};
  }
  std::chrono::steady_clock::time_point steady() const override {
    return std::chrono::steady_clock::now();
  }
};

}  // namespace

void append_rfc3339(std::string& out, Timestamp time) {
  std::int64_t seconds = time.ns / kNsPerSecond;
  std::int64_t ns = time.ns % kNsPerSecond;
  if (ns < 0) {
    ns += kNsPerSecond;
    --seconds;
  }
  std::int64_t days = seconds / kSecondsPerDay;
  std::int64_t of_day = seconds % kSecondsPerDay;
  if (of_day < 0) {
    of_day += kSecondsPerDay;
    --days;
  }
  std::chrono::year_month_day const date{std::chrono::sys_days{std::chrono::days{days}}};
  char buffer[32];
  char* at = buffer;
  append_digits(at, static_cast<int>(date.year()), 4);
  *at++ = '-';
  append_digits(at, static_cast<unsigned>(date.month()), 2);
  *at++ = '-';
  append_digits(at, static_cast<unsigned>(date.day()), 2);
  *at++ = 'T';
  append_digits(at, of_day / 3600, 2);
  *at++ = ':';
  append_digits(at, of_day / 60 % 60, 2);
  *at++ = ':';
  append_digits(at, of_day % 60, 2);
  if (int const digits = fraction_digits(ns); digits > 0) {
    *at++ = '.';
    append_digits(at, digits == 3 ? ns / 1'000'000 : digits == 6 ? ns / 1'000 : ns, digits);
  }
  *at++ = 'Z';
  out.append(buffer, static_cast<std::size_t>(at - buffer));
}

std::string to_rfc3339(Timestamp time) {
  std::string out;
  out.reserve(32);
  append_rfc3339(out, time);
  return out;
}

Result<Timestamp> parse_rfc3339(std::string_view text) {
  Scanner scanner(text);
  std::int64_t const year = scanner.digits(4);
  scanner.one_of("-", "'-'");
  std::int64_t const month = scanner.digits(2);
  scanner.one_of("-", "'-'");
  std::int64_t const day = scanner.digits(2);
  scanner.one_of("Tt ", "'T' or a blank");
  std::int64_t const hour = scanner.digits(2);
  scanner.one_of(":", "':'");
  std::int64_t const minute = scanner.digits(2);
  scanner.one_of(":", "':'");
  std::int64_t const second = scanner.digits(2);
  std::int64_t const ns = scan_fraction(scanner);
  std::int64_t const offset = scan_offset(scanner);
  scanner.end();
  if (!scanner.ok()) return scanner.error();

  std::chrono::year_month_day const date{std::chrono::year(static_cast<int>(year)),
                                         std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (!date.ok()) return bad_time(text, "has no such day");
  if (hour > 23 || minute > 59 || second > 60) return bad_time(text, "has no such time of day");
  std::int64_t const days = std::chrono::sys_days(date).time_since_epoch().count();
  std::int64_t const seconds = days * kSecondsPerDay + hour * 3600 + minute * 60 + second - offset;
  if (second == 60 && seconds % kSecondsPerDay != 0)
    return bad_time(text, "has a leap second that is not at the end of a day");
  return join(text, seconds, ns);
}

Result<std::chrono::nanoseconds> parse_duration(std::string_view text) {
  std::int64_t value = 0;
  auto const [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
  std::string_view const suffix = text.substr(static_cast<std::size_t>(end - text.data()));
  if (failed == std::errc() && value >= 0) {
    for (auto const& unit : kUnits) {
      if (unit.suffix != suffix) continue;
      if (value > std::numeric_limits<std::int64_t>::max() / unit.ns)
        return Error{ErrorCode::kInvalidArgument,
                     fmt::format("duration '{}' is longer than 292 years", text.substr(0, 64))};
      return std::chrono::nanoseconds(value * unit.ns);
    }
  }
  return Error{
      ErrorCode::kInvalidArgument,
      fmt::format(
          "'{}' is not a duration: expected a whole number and a unit of ns, us, ms, s, m, h or d, "
          "as in 250ms, 30m or 7d",
          text.substr(0, 64))};
}

std::string to_string(std::chrono::nanoseconds duration) {
  if (duration.count() == 0) return "0s";
  for (auto const& unit : kUnits)
    if (duration.count() % unit.ns == 0)
      return fmt::format("{}{}", duration.count() / unit.ns, unit.suffix);
  return {};
}

Clock& system_clock() {
  static MachineClock clock;
  return clock;
}

}  // namespace headrace::base
