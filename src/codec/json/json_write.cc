// SPDX-License-Identifier: Apache-2.0
#include "codec/json/json_write.h"

#include <array>
#include <charconv>
#include <cmath>

#include "base/utf8.h"

namespace headrace::codec::json {
namespace {

constexpr char kHex[] = "0123456789abcdef";

constexpr std::array<bool, 256> make_plain() {
  std::array<bool, 256> plain{};
  for (std::size_t c = 0; c < 256; ++c) plain[c] = c >= 0x20 && c != '"' && c != '\\';
  return plain;
}
constexpr auto kPlain = make_plain();

void append_escape(std::string& out, char c) {
  out += '\\';
  switch (c) {
    case '"':
    case '\\': out += c; return;
    case '\b': out += 'b'; return;
    case '\f': out += 'f'; return;
    case '\n': out += 'n'; return;
    case '\r': out += 'r'; return;
    case '\t': out += 't'; return;
    default: break;
  }
  out += "u00";
  out += kHex[static_cast<unsigned char>(c) >> 4];
  out += kHex[static_cast<unsigned char>(c) & 15];
}

// Each byte that belongs to no character becomes one U+FFFD.
std::string repaired(std::string_view text) {
  std::string good;
  while (auto const bad = base::find_invalid_utf8(text)) {
    good += text.substr(0, *bad);
    good += "\xEF\xBF\xBD";
    text.remove_prefix(*bad + 1);
  }
  good += text;
  return good;
}

template <class T>
void append_number(std::string& out, T value) {
  char buffer[32];
  auto const end = std::to_chars(buffer, buffer + sizeof buffer, value).ptr;
  out.append(buffer, end);
}

}  // namespace

void append_string(std::string& out, std::string_view text) {
  std::string kept;
  bool high = false;
  for (char const c : text) high |= static_cast<signed char>(c) < 0;
  if (high && !base::valid_utf8(text)) text = kept = repaired(text);
  out += '"';
  char const* run = text.data();
  char const* const end = run + text.size();
  for (char const* at = run; at != end; ++at) {
    if (kPlain[static_cast<unsigned char>(*at)]) continue;
    out.append(run, at);
    append_escape(out, *at);
    run = at + 1;
  }
  out.append(run, end);
  out += '"';
}

void append_integer(std::string& out, std::int64_t value) { append_number(out, value); }
void append_integer(std::string& out, std::uint64_t value) { append_number(out, value); }

void append_double(std::string& out, double value) {
  if (std::isnan(value)) {
    out += "\"NaN\"";
  } else if (std::isinf(value)) {
    out += value > 0 ? "\"Infinity\"" : "\"-Infinity\"";
  } else {
    std::size_t const begin = out.size();
    append_number(out, value);
    if (out.find_first_of(".e", begin) == std::string::npos) out += ".0";
  }
}

}  // namespace headrace::codec::json
