// SPDX-License-Identifier: Apache-2.0
// The parts of the grammar that both passes check in the same way: numbers, literals, escapes.
// Threads: pure.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

#include "codec/tape/tape.h"

namespace headrace::codec::json::impl {

// Where something wrong stands and what was expected there.
struct Fault {
  char const* at = nullptr;
  char const* expected = nullptr;
};

inline bool is_digit(char c) { return c >= '0' && c <= '9'; }
inline bool is_space(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

// The number that begins at `at` (a digit or '-'); returns where it ends, nullptr: `fault`.
char const* scan_number_slowly(char const* at, char const* end, tape::Kind& kind, Fault& fault);

// The same; what nearly all numbers are is told apart here.
inline char const* scan_number(char const* at, char const* end, tape::Kind& kind, Fault& fault) {
  char const* const begin = at;
  char const* const digits = at + (*at == '-');
  at = digits;
  while (at != end && is_digit(*at)) ++at;
  auto const count = at - digits;
  if (count == 0 || count > 18 || (*digits == '0' && count > 1) || at == end) [[unlikely]]
    return scan_number_slowly(begin, end, kind, fault);
  if (*at == '.') {
    char const* const fraction = ++at;
    while (at != end && is_digit(*at)) ++at;
    if (at == fraction || (at != end && (*at == 'e' || *at == 'E'))) [[unlikely]]
      return scan_number_slowly(begin, end, kind, fault);
    kind = tape::Kind::kDouble;
    return at;
  }
  if (*at == 'e' || *at == 'E') [[unlikely]]
    return scan_number_slowly(begin, end, kind, fault);
  kind = tape::Kind::kInt64;
  return at;
}

// true, false or null, by its first letter.
inline char const* scan_literal(char const* at, char const* end, tape::Kind& kind, Fault& fault) {
  kind = *at == 't' ? tape::Kind::kTrue : *at == 'f' ? tape::Kind::kFalse : tape::Kind::kNull;
  char const* const word = *at == 't' ? "true" : *at == 'f' ? "false" : "null";
  std::size_t const size = *at == 'f' ? 5 : 4;
  if (static_cast<std::size_t>(end - at) >= size && std::memcmp(at, word, size) == 0)
    return at + size;
  for (std::size_t i = 0; at != end && *at == word[i]; ++i) ++at;
  fault = {at, word};
  return nullptr;
}

// The escape whose backslash stands before `at`; returns where it ends, nullptr: `fault`.
char const* scan_escape(char const* at, char const* end, Fault& fault);

// Whether a number with too many digits or too large an exponent to be sure is beyond the largest
// double.
bool overflows_double(std::string_view number);

}  // namespace headrace::codec::json::impl
