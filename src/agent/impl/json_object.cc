// SPDX-License-Identifier: Apache-2.0
#include "agent/impl/json_object.h"

#include <fmt/format.h>

#include <cmath>
#include <iterator>

namespace headrace::agent {
namespace {

// Length of the UTF-8 sequence at the beginning of `text` (RFC 3629), 0 when there is none.
std::size_t utf8_length(std::string_view text) {
  auto const at = [&](std::size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u;
  };
  auto const tail = [&](std::size_t i) { return (at(i) & 0xC0u) == 0x80u; };
  unsigned const a = at(0), b = at(1);
  if (a < 0x80) return 1;
  if (a >= 0xC2 && a <= 0xDF) return tail(1) ? 2 : 0;
  if (a >= 0xE0 && a <= 0xEF) {
    bool const narrow = (a == 0xE0 && b < 0xA0) || (a == 0xED && b > 0x9F);
    return tail(1) && tail(2) && !narrow ? 3 : 0;
  }
  if (a >= 0xF0 && a <= 0xF4) {
    bool const narrow = (a == 0xF0 && b < 0x90) || (a == 0xF4 && b > 0x8F);
    return tail(1) && tail(2) && tail(3) && !narrow ? 4 : 0;
  }
  return 0;
}

}  // namespace

void append_json_string(std::string& out, std::string_view text) {
  out += '"';
  while (!text.empty()) {
    auto const c = static_cast<unsigned char>(text.front());
    std::size_t length = utf8_length(text);
    if (length == 0) {
      out += "\xEF\xBF\xBD";
      length = 1;
    } else if (c == '"' || c == '\\') {
      (out += '\\') += static_cast<char>(c);
    } else if (c < 0x20) {
      fmt::format_to(std::back_inserter(out), "\\u{:04x}", c);
    } else {
      out += text.substr(0, length);
    }
    text.remove_prefix(length);
  }
  out += '"';
}

std::string& JsonObject::begin(std::string_view key) {
  if (!first_) out_ += ',';
  first_ = false;
  append_json_string(out_, key);
  return out_ += ':';
}

void JsonObject::add(std::string_view key, std::string_view value) {
  append_json_string(begin(key), value);
}

void JsonObject::add(std::string_view key, std::uint64_t value) {
  fmt::format_to(std::back_inserter(begin(key)), "{}", value);
}

void JsonObject::add(std::string_view key, double value, int digits) {
  if (!std::isfinite(value)) return;
  double const scale = std::pow(10.0, digits);
  double const rounded = std::round(value * scale) / scale;
  fmt::format_to(std::back_inserter(begin(key)), "{}", rounded == 0 ? 0.0 : rounded);  // no "-0"
}

void JsonObject::add_raw(std::string_view key, std::string_view json) { begin(key) += json; }

}  // namespace headrace::agent
