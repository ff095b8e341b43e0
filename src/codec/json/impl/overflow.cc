// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <charconv>
#include <cstdint>

#include "codec/json/impl/scanner.h"

namespace headrace::codec::json::impl {

// std::from_chars reports both overflow and underflow as "out of range": the power of ten of the first digit that is not 0
// tells them apart, for they lie 600 powers from each other.
bool overflows_double(std::string_view number) {
  double value = 0;
  if (std::from_chars(number.data(), number.data() + number.size(), value).ec != std::errc::result_out_of_range) return false;
  std::size_t const e = std::min(number.find_first_of("eE"), number.size());
  std::string_view const mantissa = number.substr(0, e);
  std::size_t const point = std::min(mantissa.find('.'), mantissa.size());
  std::size_t const first = mantissa.find_first_of("123456789");
  if (first == std::string_view::npos) return false;
  std::int64_t exponent = 0;
  if (e < number.size()) {
    std::string_view digits = number.substr(e + 1);
    if (digits.front() == '+') digits.remove_prefix(1);
    if (std::from_chars(digits.data(), digits.data() + digits.size(), exponent).ec == std::errc::result_out_of_range)
      return digits.front() != '-';
  }
  // Far from the ends of int64: positions are below 2^32.
  exponent = std::clamp<std::int64_t>(exponent, INT64_MIN / 2, INT64_MAX / 2);
  return exponent + static_cast<std::int64_t>(point) - static_cast<std::int64_t>(first) > 0;
}

}  // namespace headrace::codec::json::impl
