// SPDX-License-Identifier: Apache-2.0
// Scanner: one pass over a JSON document that checks all of RFC 8259 and fills a tape. It knows
// where an error is when it meets it and needs no memory of its own, so it says what is wrong with
// what the quicker pass (indexed_scanner.h) has refused, and reads documents that are too large for
// that one's index. UTF-8 is checked afterwards, and only when a byte above 0x7F was seen.
//   Threads: one.   Lifetime: one run() per object.
#pragma once

#include <cstdint>
#include <string>

#include "base/error.h"
#include "codec/json/impl/tape_builder.h"
#include "codec/json/impl/token.h"
#include "codec/tape/tape.h"

namespace headrace::codec::json::impl {

class Scanner {
 public:
  Scanner(tape::Tape& tape, tape::ParseOptions const& options);
  // False: fault() says why.
  bool run();
  base::Error fault() const;

 private:
  using Kind = tape::Kind;

  // Each takes where it begins and returns where it ended; nullptr: fault.
  char const* space(char const* at) const;
  char const* value(char const* at);
  char const* open(char const* at, bool object);
  char const* key(char const* at);
  char const* after_value(char const* at);
  char const* close(char const* at);
  char const* string(char const* at);
  char const* string_body(char const* at, bool& escaped);
  char const* scalar(char const* at, bool number);
  char const* record(Kind kind, char const* begin, char const* end, bool escaped = false);

  std::uint32_t offset(char const* at) const { return static_cast<std::uint32_t>(at - begin_); }
  char peek(char const* at) const { return at != end_ ? *at : '\0'; }
  bool check_utf8();
  std::nullptr_t fail(char const* at, char const* expected,
                      base::ErrorCode code = base::ErrorCode::kInvalidArgument);

  TapeBuilder builder_;
  char const* const begin_;
  char const* const end_;
  bool opened_ = false;  // value() has opened a container and stands before its first value
  bool high_bytes_ = false;
  Fault fault_;
  base::ErrorCode fault_code_ = base::ErrorCode::kInvalidArgument;
};

}  // namespace headrace::codec::json::impl
