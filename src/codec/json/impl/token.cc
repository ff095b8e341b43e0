// SPDX-License-Identifier: Apache-2.0
#include "codec/json/impl/token.h"

#include <algorithm>
#include <charconv>

namespace headrace::codec::json::impl {
namespace {

using tape::Kind;

// What stands at `at`; NUL, which no part of the grammar here allows, at the end.
char peek(char const* at, char const* end) { return at < end ? *at : '\0'; }

std::nullptr_t fail(Fault& fault, char const* at, char const* expected) {
  fault = {at, expected};
  return nullptr;
}

char const* skip_digits(char const* at, char const* end) {
  while (at != end && is_digit(*at)) ++at;
  return at;
}

// Fills in the kind of an integer; false when it is out of range.
bool classify_integer(std::string_view text, Kind& kind) {
  bool const negative = text.front() == '-';
  std::string_view const magnitude = text.substr(negative);
  // Of the same length, texts order as their numbers do.
  auto const above = [&](std::string_view bound) {
    return magnitude.size() > bound.size() ||
           (magnitude.size() == bound.size() && magnitude > bound);
  };
  if (above(negative ? "9223372036854775808" : "18446744073709551615")) return false;
  kind = !negative && above("9223372036854775807") ? Kind::kUint64 : Kind::kInt64;
  return true;
}

// The four hexadecimal digits at `at`; -1 - i when the i-th is none.
int hex4(char const* at, char const* end) {
  int code = 0;
  for (int i = 0; i < 4; ++i) {
    char const c = peek(at + i, end);
    if (is_digit(c))
      code = code * 16 + (c - '0');
    else if (c >= 'a' && c <= 'f')
      code = code * 16 + (c - 'a' + 10);
    else if (c >= 'A' && c <= 'F')
      code = code * 16 + (c - 'A' + 10);
    else
      return -1 - i;
  }
  return code;
}

char const* scan_unicode_escape(char const* at, char const* end, Fault& fault) {
  constexpr char const* kDigits = "four hexadecimal digits";
  int const code = hex4(at, end);
  if (code < 0) return fail(fault, at - code - 1, kDigits);
  if (code < 0xD800 || code > 0xDFFF) return at + 4;
  if (code >= 0xDC00) return fail(fault, at - 2, "no low surrogate without a high one before it");
  if (peek(at + 4, end) != '\\')
    return fail(fault, at + 4, "\\u and a low surrogate after the high one");
  if (peek(at + 5, end) != 'u')
    return fail(fault, at + 5, "u and a low surrogate after the high one");
  int const low = hex4(at + 6, end);
  if (low < 0) return fail(fault, at + 6 - low - 1, kDigits);
  if (low < 0xDC00 || low > 0xDFFF)
    return fail(fault, at + 4, "a low surrogate (\\uDC00 to \\uDFFF) after the high one");
  return at + 10;
}

}  // namespace

char const* scan_number_slowly(char const* at, char const* end, Kind& kind, Fault& fault) {
  char const* const begin = at;
  at += *at == '-';
  char const* const digits = at;
  if (!is_digit(peek(at, end))) return fail(fault, at, "a digit");
  at = skip_digits(at, end);
  auto const digit_count = at - digits;
  if (*digits == '0' && digit_count > 1)
    return fail(fault, digits + 1, "no digit after a leading 0");
  bool integer = true;
  std::int64_t exponent = 0;
  if (peek(at, end) == '.') {
    integer = false;
    if (!is_digit(peek(++at, end))) return fail(fault, at, "a digit after the point");
    at = skip_digits(at, end);
  }
  if (peek(at, end) == 'e' || peek(at, end) == 'E') {
    integer = false;
    bool const minus = peek(++at, end) == '-';
    if (minus || peek(at, end) == '+') ++at;
    if (!is_digit(peek(at, end))) return fail(fault, at, "a digit of the exponent");
    for (; at != end && is_digit(*at); ++at)
      exponent = std::min<std::int64_t>(exponent * 10 + (*at - '0'), 1'000'000'000);
    if (minus) exponent = 0;  // only its help towards an overflow counts here
  }
  std::string_view const text(begin, static_cast<std::size_t>(at - begin));
  if (integer) {
    if (!classify_integer(text, kind))
      return fail(fault, begin, "an integer from -9223372036854775808 to 18446744073709551615");
    return at;
  }
  kind = Kind::kDouble;
  if (digit_count + exponent > 308 && overflows_double(text))
    return fail(fault, begin, "a number of at most 1.7976931348623157e308");
  return at;
}

char const* scan_escape(char const* at, char const* end, Fault& fault) {
  switch (peek(at, end)) {
    case '"':
    case '\\':
    case '/':
    case 'b':
    case 'f':
    case 'n':
    case 'r':
    case 't': return at + 1;
    case 'u': return scan_unicode_escape(at + 1, end, fault);
    default: return fail(fault, at, "one of \"\\/bfnrtu after a backslash");
  }
}

// std::from_chars reports both overflow and underflow as "out of range": the power of ten of the
// first digit that is not 0 tells them apart, for they lie 600 powers from each other.
bool overflows_double(std::string_view number) {
  double value = 0;
  if (std::from_chars(number.data(), number.data() + number.size(), value).ec !=
      std::errc::result_out_of_range)
    return false;
  std::size_t const e = std::min(number.find_first_of("eE"), number.size());
  std::string_view const mantissa = number.substr(0, e);
  std::size_t const point = std::min(mantissa.find('.'), mantissa.size());
  std::size_t const first = mantissa.find_first_of("123456789");
  if (first == std::string_view::npos) return false;
  std::int64_t exponent = 0;
  if (e < number.size()) {
    std::string_view digits = number.substr(e + 1);
    if (digits.front() == '+') digits.remove_prefix(1);
    if (std::from_chars(digits.data(), digits.data() + digits.size(), exponent).ec ==
        std::errc::result_out_of_range)
      return digits.front() != '-';
  }
  // Far from the ends of int64: positions are below 2^32.
  exponent = std::clamp<std::int64_t>(exponent, INT64_MIN / 2, INT64_MAX / 2);
  return exponent + static_cast<std::int64_t>(point) - static_cast<std::int64_t>(first) > 0;
}

}  // namespace headrace::codec::json::impl
