// SPDX-License-Identifier: Apache-2.0
// Scanner: one pass over a JSON document that checks all of RFC 8259 and fills a tape.
// By hand rather than simdjson's two stages: a message has 200 bytes, where one pass costs less than the first stage's
// set-up, and the position of an error is known when it is met. UTF-8 is checked afterwards by vector instructions, and
// only when a byte above 0x7F was seen.
//   Threads: one.   Lifetime: one run() per object.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "base/error.h"
#include "codec/tape/tape.h"

namespace headrace::codec::json::impl {

class Scanner {
 public:
  // `tape.nodes` is grown as needed; what is in use starts at index 0.
  Scanner(tape::Tape& tape, tape::ParseOptions const& options);
  // False: fault() says why.
  bool run();
  base::Error fault() const;

 private:
  using Kind = tape::Kind;
  struct Level {
    std::uint32_t node;     // kNoNode when it is not recorded
    std::uint16_t nesting;  // of what was in it so far
    bool object;
  };
  static constexpr std::uint32_t kNoNode = UINT32_MAX;

  // Each takes where it begins and returns where it ended; nullptr: fault.
  char const* space(char const* at) const;
  char const* value(char const* at);
  char const* open(char const* at, bool object);
  char const* key(char const* at);
  char const* after_value(char const* at);
  char const* close(char const* at);
  char const* string(char const* at);
  char const* string_body(char const* at, bool& escaped);
  char const* escape(char const* at);
  char const* unicode_escape(char const* at);
  char const* number(char const* at);
  char const* literal(char const* at, std::string_view word, Kind kind);

  char peek(char const* at) const { return at != end_ ? *at : '\0'; }
  bool record(Kind kind, char const* begin, char const* end, bool escaped);
  bool grow();
  bool check_utf8();
  std::nullptr_t fail(char const* at, char const* expected) {
    fault_at_ = at;
    expected_ = expected;
    return nullptr;
  }

  bool refuse(char const* at, char const* expected) {
    fail(at, expected);
    return false;
  }

  tape::Tape& tape_;
  char const* const begin_;
  char const* const end_;
  tape::Node* nodes_;
  std::uint32_t count_ = 0, capacity_;
  std::uint32_t depth_ = 0;
  std::uint32_t const recorded_depth_, nesting_max_;
  std::size_t const values_max_;
  bool opened_ = false;  // value() has opened a container and stands before its first value
  bool high_bytes_ = false;
  char const* fault_at_ = nullptr;
  char const* expected_ = nullptr;
  base::ErrorCode fault_code_ = base::ErrorCode::kInvalidArgument;
  std::array<Level, tape::kNestingCap> levels_;  // not initialised: 8 KB
};

// Whether a number with too many digits or too large an exponent to be sure is beyond the largest double.
bool overflows_double(std::string_view number);

}  // namespace headrace::codec::json::impl
