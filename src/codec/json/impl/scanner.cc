// SPDX-License-Identifier: Apache-2.0
#include "codec/json/impl/scanner.h"

#include <fmt/format.h>

#include <bit>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "base/utf8.h"

namespace headrace::codec::json::impl {
namespace {

// What ends the plain run of a string.
bool is_special(char c) { return c == '"' || c == '\\' || static_cast<unsigned char>(c) < 0x20; }

std::string found(char const* at, char const* end) {
  if (at >= end) return "the end";
  auto const byte = static_cast<unsigned char>(*at);
  if (byte > 0x20 && byte < 0x7F) return fmt::format("'{}'", *at);
  return fmt::format("byte 0x{:02x}", byte);
}

}  // namespace

Scanner::Scanner(tape::Tape& tape, tape::ParseOptions const& options)
    : builder_(tape, options),
      begin_(base::as_text(tape.bytes).data()),
      end_(begin_ + tape.bytes.size()) {}

bool Scanner::run() {
  char const* at = begin_;
  if (end_ - begin_ >= std::ptrdiff_t{UINT32_MAX}) {
    fail(at, "less than 4 GB", base::ErrorCode::kTooLarge);
    return false;
  }
  do {
    do {
      at = value(space(at));
      if (at == nullptr) return false;
    } while (opened_);
    at = after_value(at);
    if (at == nullptr) return false;
  } while (builder_.depth() > 0);
  at = space(at);
  if (at != end_) {
    fail(at, "the end of the document");
    return false;
  }
  return !high_bytes_ || check_utf8();
}

char const* Scanner::space(char const* at) const {
  while (at != end_ && is_space(*at)) ++at;
  return at;
}

char const* Scanner::value(char const* at) {
  opened_ = false;
  switch (peek(at)) {
    case '"': return string(at);
    case '{': return open(at, true);
    case '[': return open(at, false);
    case 't':
    case 'f':
    case 'n': return scalar(at, false);
    case '-':
    case '0':
    case '1':
    case '2':
    case '3':
    case '4':
    case '5':
    case '6':
    case '7':
    case '8':
    case '9': return scalar(at, true);
    default: return fail(at, "a value");
  }
}

char const* Scanner::open(char const* at, bool object) {
  if (builder_.full())
    return fail(at, "no more levels of arrays and objects", base::ErrorCode::kTooLarge);
  if (!builder_.open(object, offset(at)))
    return fail(at, "no more values", base::ErrorCode::kTooLarge);
  at = space(at + 1);
  if (peek(at) == (object ? '}' : ']')) return close(at);
  opened_ = true;
  return object ? key(at) : at;
}

char const* Scanner::key(char const* at) {
  if (peek(at) != '"') return fail(at, "a key in quotes");
  at = string(at);
  if (at == nullptr) return nullptr;
  at = space(at);
  if (peek(at) != ':') return fail(at, "':' after the key");
  return at + 1;
}

// Ends every container that ends here; stops before the next value, or after the root.
char const* Scanner::after_value(char const* at) {
  while (builder_.depth() > 0) {
    at = space(at);
    char const c = peek(at);
    bool const object = builder_.in_object();
    if (c == ',') return object ? key(space(at + 1)) : at + 1;
    if (c != (object ? '}' : ']'))
      return fail(at, object ? "',' or '}' after a member" : "',' or ']' after an element");
    at = close(at);
  }
  return at;
}

char const* Scanner::close(char const* at) {
  builder_.close(offset(at + 1));
  return at + 1;
}

char const* Scanner::string(char const* at) {
  bool escaped = false;
  char const* const end = string_body(at + 1, escaped);
  return end == nullptr ? nullptr : record(Kind::kString, at, end, escaped);
}

char const* Scanner::string_body(char const* at, bool& escaped) {
  for (;;) {
#if defined(__SSE2__)
    while (end_ - at >= 16) {
      __m128i const text = _mm_loadu_si128(reinterpret_cast<__m128i const*>(at));
      __m128i const quote = _mm_cmpeq_epi8(text, _mm_set1_epi8('"'));
      __m128i const backslash = _mm_cmpeq_epi8(text, _mm_set1_epi8('\\'));
      __m128i const control = _mm_cmpeq_epi8(_mm_min_epu8(text, _mm_set1_epi8(0x1F)), text);
      auto const special = static_cast<unsigned>(
          _mm_movemask_epi8(_mm_or_si128(_mm_or_si128(quote, backslash), control)));
      auto const high = static_cast<unsigned>(_mm_movemask_epi8(text));
      if (special != 0) {
        high_bytes_ |= (high & (special ^ (special - 1))) != 0;
        at += std::countr_zero(special);
        break;
      }
      high_bytes_ |= high != 0;
      at += 16;
    }
#endif
    while (at != end_ && !is_special(*at)) high_bytes_ |= static_cast<signed char>(*at++) < 0;
    if (at == end_) return fail(at, "'\"' at the end of the string");
    if (*at == '"') return at + 1;
    if (*at != '\\') return fail(at, "an escape: control characters are written as \\u00XX");
    escaped = true;
    at = scan_escape(at + 1, end_, fault_);
    if (at == nullptr) return nullptr;
  }
}

char const* Scanner::scalar(char const* at, bool number) {
  Kind kind = Kind::kNull;
  char const* const end =
      number ? scan_number(at, end_, kind, fault_) : scan_literal(at, end_, kind, fault_);
  return end == nullptr ? nullptr : record(kind, at, end);
}

char const* Scanner::record(Kind kind, char const* begin, char const* end, bool escaped) {
  if (!builder_.add(kind, offset(begin), offset(end), escaped))
    return fail(begin, "no more values", base::ErrorCode::kTooLarge);
  return end;
}

bool Scanner::check_utf8() {
  std::string_view const text(begin_, static_cast<std::size_t>(end_ - begin_));
  if (base::valid_utf8(text)) return true;
  fail(begin_ + base::find_invalid_utf8(text).value_or(0), "valid UTF-8");
  return false;
}

std::nullptr_t Scanner::fail(char const* at, char const* expected, base::ErrorCode code) {
  fault_ = {at, expected};
  fault_code_ = code;
  return nullptr;
}

base::Error Scanner::fault() const {
  return {fault_code_, fmt::format("JSON, byte {}: found {}, expected {}", fault_.at - begin_,
                                   found(fault_.at, end_), fault_.expected)};
}

}  // namespace headrace::codec::json::impl
