// SPDX-License-Identifier: Apache-2.0
#include "codec/json/impl/scanner.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "base/utf8.h"

namespace headrace::codec::json::impl {
namespace {

constexpr std::uint32_t kFirstNodes = 256;

bool is_digit(char c) { return c >= '0' && c <= '9'; }
// What ends the plain run of a string.
bool is_special(char c) { return c == '"' || c == '\\' || static_cast<unsigned char>(c) < 0x20; }

std::string found(char const* at, char const* end) {
  if (at >= end) return "the end";
  auto const byte = static_cast<unsigned char>(*at);
  if (byte > 0x20 && byte < 0x7F) return fmt::format("'{}'", *at);
  return fmt::format("byte 0x{:02x}", byte);
}

std::uint32_t clamp(std::size_t value) { return static_cast<std::uint32_t>(std::min<std::size_t>(value, UINT32_MAX - 1)); }

}  // namespace

Scanner::Scanner(tape::Tape& tape, tape::ParseOptions const& options)
    : tape_(tape),
      begin_(base::as_text(tape.bytes).data()),
      end_(begin_ + tape.bytes.size()),
      nodes_(tape.nodes.data()),
      capacity_(static_cast<std::uint32_t>(tape.nodes.size())),
      recorded_depth_(clamp(options.recorded_depth)),
      nesting_max_(clamp(std::min(options.nesting_max, tape::kNestingCap))),
      values_max_(options.values_max) {}

bool Scanner::run() {
  if (tape_.bytes.size() >= UINT32_MAX) {
    fault_code_ = base::ErrorCode::kTooLarge;
    return refuse(begin_, "less than 4 GB");
  }
  char const* at = begin_;
  do {
    do {
      at = value(space(at));
      if (at == nullptr) return false;
    } while (opened_);
    at = after_value(at);
    if (at == nullptr) return false;
  } while (depth_ > 0);
  at = space(at);
  if (at != end_) return refuse(at, "the end of the document");
  return !high_bytes_ || check_utf8();
}

char const* Scanner::space(char const* at) const {
  while (at != end_ && static_cast<unsigned char>(*at) <= ' ' && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t')) ++at;
  return at;
}

char const* Scanner::value(char const* at) {
  opened_ = false;
  switch (peek(at)) {
    case '"': return string(at);
    case '{': return open(at, true);
    case '[': return open(at, false);
    case 't': return literal(at, "true", Kind::kTrue);
    case 'f': return literal(at, "false", Kind::kFalse);
    case 'n': return literal(at, "null", Kind::kNull);
    case '-': case '0': case '1': case '2': case '3': case '4': case '5': case '6': case '7': case '8': case '9':
      return number(at);
    default: return fail(at, "a value");
  }
}

char const* Scanner::open(char const* at, bool object) {
  if (depth_ == nesting_max_) {
    fault_code_ = base::ErrorCode::kTooLarge;
    return fail(at, "no more levels of arrays and objects");
  }
  std::uint32_t node = kNoNode;
  if (depth_ <= recorded_depth_) {
    node = count_;
    if (!record(object ? Kind::kObject : Kind::kArray, at, at, false)) return nullptr;
  }
  levels_[depth_++] = {node, 0, object};
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
  while (depth_ > 0) {
    at = space(at);
    char const c = peek(at);
    bool const object = levels_[depth_ - 1].object;
    if (c == ',') return object ? key(space(at + 1)) : at + 1;
    if (c != (object ? '}' : ']')) return fail(at, object ? "',' or '}' after a member" : "',' or ']' after an element");
    at = close(at);
  }
  return at;
}

char const* Scanner::close(char const* at) {
  Level const level = levels_[--depth_];
  std::uint16_t const nesting = static_cast<std::uint16_t>(level.nesting + 1);
  if (depth_ > 0) levels_[depth_ - 1].nesting = std::max(levels_[depth_ - 1].nesting, nesting);
  if (level.node != kNoNode) {
    tape::Node& node = nodes_[level.node];
    node.end = static_cast<std::uint32_t>(at + 1 - begin_);
    node.next = count_;
    node.nesting = nesting;
  }
  return at + 1;
}

char const* Scanner::string(char const* at) {
  bool escaped = false;
  char const* const end = string_body(at + 1, escaped);
  if (end == nullptr) return nullptr;
  if (depth_ <= recorded_depth_ && !record(Kind::kString, at, end, escaped)) return nullptr;
  return end;
}

char const* Scanner::string_body(char const* at, bool& escaped) {
  for (;;) {
#if defined(__SSE2__)
    while (end_ - at >= 16) {
      __m128i const text = _mm_loadu_si128(reinterpret_cast<__m128i const*>(at));
      __m128i const quote = _mm_cmpeq_epi8(text, _mm_set1_epi8('"'));
      __m128i const backslash = _mm_cmpeq_epi8(text, _mm_set1_epi8('\\'));
      __m128i const control = _mm_cmpeq_epi8(_mm_min_epu8(text, _mm_set1_epi8(0x1F)), text);
      auto const special = static_cast<unsigned>(_mm_movemask_epi8(_mm_or_si128(_mm_or_si128(quote, backslash), control)));
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
    at = escape(at + 1);
    if (at == nullptr) return nullptr;
  }
}

char const* Scanner::escape(char const* at) {
  switch (peek(at)) {
    case '"': case '\\': case '/': case 'b': case 'f': case 'n': case 'r': case 't': return at + 1;
    case 'u': return unicode_escape(at + 1);
    default: return fail(at, "one of \"\\/bfnrtu after a backslash");
  }
}

namespace {
// The four hexadecimal digits at `at`; -1 - i when the i-th is none.
int hex4(char const* at, char const* end) {
  int code = 0;
  for (int i = 0; i < 4; ++i) {
    char const c = at + i < end ? at[i] : '\0';
    if (is_digit(c)) code = code * 16 + (c - '0');
    else if (c >= 'a' && c <= 'f') code = code * 16 + (c - 'a' + 10);
    else if (c >= 'A' && c <= 'F') code = code * 16 + (c - 'A' + 10);
    else return -1 - i;
  }
  return code;
}
}  // namespace

char const* Scanner::unicode_escape(char const* at) {
  constexpr char const* kDigits = "four hexadecimal digits";
  int const code = hex4(at, end_);
  if (code < 0) return fail(at - code - 1, kDigits);
  if (code < 0xD800 || code > 0xDFFF) return at + 4;
  if (code >= 0xDC00) return fail(at - 2, "no low surrogate without a high one before it");
  if (peek(at + 4) != '\\') return fail(at + 4, "\\u and a low surrogate after the high one");
  if (peek(at + 5) != 'u') return fail(at + 5, "u and a low surrogate after the high one");
  int const low = hex4(at + 6, end_);
  if (low < 0) return fail(at + 6 - low - 1, kDigits);
  if (low < 0xDC00 || low > 0xDFFF) return fail(at + 4, "a low surrogate (\\uDC00 to \\uDFFF) after the high one");
  return at + 10;
}

char const* Scanner::number(char const* at) {
  char const* const begin = at;
  bool const negative = *at == '-';
  at += negative;
  char const* const digits = at;
  if (!is_digit(peek(at))) return fail(at, "a digit");
  while (at != end_ && is_digit(*at)) ++at;
  auto const digit_count = static_cast<std::size_t>(at - digits);
  if (*digits == '0' && digit_count > 1) return fail(digits + 1, "no digit after a leading 0");
  Kind kind = Kind::kInt64;
  std::int64_t exponent = 0;
  if (peek(at) == '.') {
    kind = Kind::kDouble;
    if (!is_digit(peek(++at))) return fail(at, "a digit after the point");
    while (at != end_ && is_digit(*at)) ++at;
  }
  if (peek(at) == 'e' || peek(at) == 'E') {
    kind = Kind::kDouble;
    ++at;
    bool const minus = peek(at) == '-';
    if (minus || peek(at) == '+') ++at;
    if (!is_digit(peek(at))) return fail(at, "a digit of the exponent");
    for (; at != end_ && is_digit(*at); ++at) exponent = std::min<std::int64_t>(exponent * 10 + (*at - '0'), 1'000'000'000);
    if (minus) exponent = 0;  // only its help towards an overflow counts here
  }
  std::string_view const text(begin, static_cast<std::size_t>(at - begin));
  if (kind == Kind::kDouble) {
    if (static_cast<std::int64_t>(digit_count) + exponent > 308 && overflows_double(text))
      return fail(begin, "a number of at most 1.7976931348623157e308");
  } else if (digit_count > 18) {
    std::string_view const magnitude = text.substr(negative);
    // Of the same length, texts order as their numbers do.
    auto const above = [&](std::string_view bound) {
      return magnitude.size() > bound.size() || (magnitude.size() == bound.size() && magnitude > bound);
    };
    if (above(negative ? "9223372036854775808" : "18446744073709551615"))
      return fail(begin, "an integer from -9223372036854775808 to 18446744073709551615");
    if (!negative && above("9223372036854775807")) kind = Kind::kUint64;
  }
  if (depth_ <= recorded_depth_ && !record(kind, begin, at, false)) return nullptr;
  return at;
}

char const* Scanner::literal(char const* at, std::string_view word, Kind kind) {
  char const* const begin = at;
  if (static_cast<std::size_t>(end_ - at) < word.size() || std::memcmp(at, word.data(), word.size()) != 0) {
    for (char const c : word) {
      if (peek(at) != c) break;
      ++at;
    }
    return fail(at, kind == Kind::kTrue ? "true" : kind == Kind::kFalse ? "false" : "null");
  }
  at += word.size();
  if (depth_ <= recorded_depth_ && !record(kind, begin, at, false)) return nullptr;
  return at;
}

bool Scanner::record(Kind kind, char const* begin, char const* end, bool escaped) {
  if (count_ == capacity_ && !grow()) [[unlikely]] {
    fault_code_ = base::ErrorCode::kTooLarge;
    return refuse(begin, "no more values");
  }
  tape::Node& node = nodes_[count_++];
  node.begin = static_cast<std::uint32_t>(begin - begin_);
  node.end = static_cast<std::uint32_t>(end - begin_);
  node.next = count_;
  node.kind = kind;
  node.escaped = escaped;
  node.nesting = 0;
  return true;
}

bool Scanner::grow() {
  std::size_t const values_max = std::min<std::size_t>(values_max_, UINT32_MAX - 1);
  if (capacity_ >= values_max) return false;
  tape_.nodes.resize(std::min<std::size_t>(std::max<std::size_t>(kFirstNodes, std::size_t{capacity_} * 2), values_max));
  nodes_ = tape_.nodes.data();
  capacity_ = static_cast<std::uint32_t>(tape_.nodes.size());
  return true;
}

bool Scanner::check_utf8() {
  std::string_view const text(begin_, static_cast<std::size_t>(end_ - begin_));
  if (base::valid_utf8(text)) [[likely]]
    return true;
  return refuse(begin_ + base::find_invalid_utf8(text).value_or(0), "valid UTF-8");
}

base::Error Scanner::fault() const {
  return {fault_code_, fmt::format("JSON, byte {}: found {}, expected {}", fault_at_ - begin_, found(fault_at_, end_), expected_)};
}

}  // namespace headrace::codec::json::impl
