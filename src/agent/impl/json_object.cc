// SPDX-License-Identifier: Apache-2.0
#include "agent/impl/json_object.h"

#include <fmt/format.h>

#include <cmath>
#include <iterator>

#include "codec/json/json_write.h"

namespace headrace::agent {

std::string& JsonObject::begin(std::string_view key) {
  if (!first_) out_ += ',';
  first_ = false;
  codec::json::append_string(out_, key);
  return out_ += ':';
}

void JsonObject::add(std::string_view key, std::string_view value) {
  codec::json::append_string(begin(key), value);
}

void JsonObject::add(std::string_view key, std::uint64_t value) {
  codec::json::append_integer(begin(key), value);
}

void JsonObject::add(std::string_view key, double value, int digits) {
  if (!std::isfinite(value)) return;
  double const scale = std::pow(10.0, digits);
  double const rounded = std::round(value * scale) / scale;
  // Not append_double: "12", not "12.0", and no "-0".
  fmt::format_to(std::back_inserter(begin(key)), "{}", rounded == 0 ? 0.0 : rounded);
}

}  // namespace headrace::agent
