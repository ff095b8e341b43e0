// SPDX-License-Identifier: Apache-2.0
// Timestamp and Clock. Units: nanoseconds since 1970-01-01 UTC, int64 (1677 to 2262).
//   Threads: Timestamp is a value; a Clock may be called from any thread.
#pragma once

#include <atomic>
#include <chrono>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"

namespace headrace::base {

struct Timestamp {
  std::int64_t ns = 0;

  auto operator<=>(Timestamp const&) const = default;
  friend Timestamp operator+(Timestamp t, std::chrono::nanoseconds d) { return {t.ns + d.count()}; }
  friend Timestamp operator-(Timestamp t, std::chrono::nanoseconds d) { return {t.ns - d.count()}; }
  friend std::chrono::nanoseconds operator-(Timestamp a, Timestamp b) {
    return std::chrono::nanoseconds(a.ns - b.ns);
  }
};

// RFC 3339 in UTC with as many of 0, 3, 6 or 9 fraction digits as are needed:
// "2026-01-02T03:04:05.000000006Z".
std::string to_rfc3339(Timestamp time);
// Appends the same to `out`; allocates nothing when `out` has 32 bytes left.
void append_rfc3339(std::string& out, Timestamp time);
// RFC 3339 with offset or Z, up to 9 fraction digits, "T" or a blank between; a leap second reads
// as the next second.
Result<Timestamp> parse_rfc3339(std::string_view text);
// What people write in configs and command lines: "250ms", "7s", "30m", "12h", "30d". Whole numbers
// only; not negative.
Result<std::chrono::nanoseconds> parse_duration(std::string_view text);
// The shortest of the above that is exact.
std::string to_string(std::chrono::nanoseconds duration);

class Clock {
 public:
  virtual ~Clock() = default;
  virtual Timestamp now() const = 0;                                 // wall clock; may step
  virtual std::chrono::steady_clock::time_point steady() const = 0;  // never steps
};

// The machine's clocks.
Clock& system_clock();

// For tests: stands still until told. Both clocks move together. Thread-safe.
class ManualClock final : public Clock {
 public:
  explicit ManualClock(Timestamp start = {1'700'000'000'000'000'000}) : now_ns_(start.ns) {}
  Timestamp now() const override { return {now_ns_.load()}; }
  std::chrono::steady_clock::time_point steady() const override {
    return std::chrono::steady_clock::time_point(std::chrono::nanoseconds(steady_ns_.load()));
  }
  void advance(std::chrono::nanoseconds by) {
    now_ns_ += by.count();
    steady_ns_ += by.count();
  }
  void step_wall_clock(std::chrono::nanoseconds by) {
    now_ns_ += by.count();
  }  // as ntpd does; may be negative

 private:
  std::atomic<std::int64_t> now_ns_;
  std::atomic<std::int64_t> steady_ns_{1};
};

}  // namespace headrace::base
