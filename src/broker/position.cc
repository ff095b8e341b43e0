// SPDX-License-Identifier: Apache-2.0
#include "broker/position.h"

#include <charconv>

namespace headrace::broker {
namespace {

std::optional<std::uint64_t> parse_number(std::string_view text) {
  std::uint64_t value = 0;
  auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

std::string to_string(Position position) {
  return std::to_string(position.hi) + "-" + std::to_string(position.lo);
}

std::optional<Position> parse_position(std::string_view text) {
  auto const dash = text.find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  auto const hi = parse_number(text.substr(0, dash));
  auto const lo = parse_number(text.substr(dash + 1));
  if (!hi || !lo) return std::nullopt;
  return Position{*hi, *lo};
}

}  // namespace headrace::broker
