// SPDX-License-Identifier: Apache-2.0
#include <charconv>
#include <cstring>

#include "codec/tape/impl/scalar.h"

namespace headrace::codec::tape::impl {
namespace {

unsigned hex4(char const* at) {
  unsigned value = 0;
  std::from_chars(at, at + 4, value, 16);
  return value;
}

void append_utf8(std::string& out, unsigned code) {
  if (code < 0x80) {
    out += static_cast<char>(code);
    return;
  }
  if (code < 0x800) {
    out += static_cast<char>(0xC0 | code >> 6);
  } else {
    if (code < 0x10000) {
      out += static_cast<char>(0xE0 | code >> 12);
    } else {
      out += static_cast<char>(0xF0 | code >> 18);
      out += static_cast<char>(0x80 | (code >> 12 & 0x3F));
    }
    out += static_cast<char>(0x80 | (code >> 6 & 0x3F));
  }
  out += static_cast<char>(0x80 | (code & 0x3F));
}

// `at` stands after the backslash; returns where the escape ends.
char const* append_escape(std::string& out, char const* at) {
  switch (*at) {
    case 'b': out += '\b'; return at + 1;
    case 'f': out += '\f'; return at + 1;
    case 'n': out += '\n'; return at + 1;
    case 'r': out += '\r'; return at + 1;
    case 't': out += '\t'; return at + 1;
    case 'u': break;
    default: out += *at; return at + 1;  // quote, backslash, slash
  }
  unsigned const code = hex4(at + 1);
  if (code < 0xD800 || code > 0xDFFF) {
    append_utf8(out, code);
    return at + 5;
  }
  unsigned const low = hex4(at + 7);  // the parser has seen both halves
  append_utf8(out, 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00));
  return at + 11;
}

}  // namespace

void unescape_json(std::string& out, std::string_view raw) {
  out.clear();
  char const* at = raw.data() + 1;
  char const* const end = raw.data() + raw.size() - 1;
  while (at != end) {
    auto const* const escape =
        static_cast<char const*>(std::memchr(at, '\\', static_cast<std::size_t>(end - at)));
    out.append(at, escape != nullptr ? escape : end);
    if (escape == nullptr) break;
    at = append_escape(out, escape + 1);
  }
}

std::int64_t json_int64(std::string_view raw) {
  std::int64_t value = 0;
  std::from_chars(raw.data(), raw.data() + raw.size(), value);
  return value;
}

std::uint64_t json_uint64(std::string_view raw) {
  std::uint64_t value = 0;
  std::from_chars(raw.data(), raw.data() + raw.size(), value);
  return value;
}

double json_double(std::string_view raw) {
  double value = 0;
  auto const result = std::from_chars(raw.data(), raw.data() + raw.size(), value);
  // The parser has refused what is too large, so out of range is: too near to zero.
  if (result.ec == std::errc::result_out_of_range) return raw.front() == '-' ? -0.0 : 0.0;
  return value;
}

}  // namespace headrace::codec::tape::impl
