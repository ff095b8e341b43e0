// SPDX-License-Identifier: Apache-2.0
#include "codec/json/impl/indexed_scanner.h"

#include <algorithm>
#include <cstring>

#include "codec/json/impl/token.h"

namespace headrace::codec::json::impl {
namespace {

using tape::Kind;
using tape::Node;

constexpr std::uint32_t kNoNode = UINT32_MAX;

struct Level {
  std::uint32_t node;     // kNoNode when it is not recorded
  std::uint16_t nesting;  // of what was in it so far
  char closer;            // '}' or ']'
};

// Whether the escapes in a string's characters are good; tells whether there are any.
bool good_escapes(char const* at, char const* end, bool& escaped) {
  Fault fault;
  while (at < end) {
    auto const* const escape =
        static_cast<char const*>(std::memchr(at, '\\', static_cast<std::size_t>(end - at)));
    if (escape == nullptr) return true;
    escaped = true;
    at = scan_escape(escape + 1, end, fault);
    if (at == nullptr) return false;
  }
  return true;
}

// All that the walk needs, in one place that the compiler can keep in registers: no member function
// lets `this` out.
struct Walk {
  char const* text;
  char const* end;
  std::uint32_t const* next;  // the next token
  std::uint32_t const* last;  // one past the last token; it can be read: the size of the text
  Node* nodes;
  Level* levels;
  std::uint32_t capacity, recorded_depth, nesting_max;
  std::uint32_t count = 0, depth = 0;
  bool opened = false;  // a container has begun and is not empty: its first value is next

  [[gnu::always_inline]] bool add(Kind kind, std::uint32_t begin, std::uint32_t end_at,
                                  bool escaped) {
    if (depth > recorded_depth) return true;
    if (count == capacity) [[unlikely]]
      return false;
    nodes[count] = Node{begin, end_at, count + 1, kind, escaped, 0};
    ++count;
    return true;
  }

  template <bool kBackslashes>
  [[gnu::always_inline]] bool string(std::uint32_t at) {
    if (!kBackslashes && depth > recorded_depth) return true;
    // The index has no closing quotes: between one and the next token there is only white space.
    std::uint32_t end_at = *next;
    while (text[end_at - 1] != '"') --end_at;
    bool escaped = false;
    if (kBackslashes && !good_escapes(text + at + 1, text + end_at - 1, escaped)) return false;
    return add(Kind::kString, at, end_at, escaped);
  }

  template <bool kBackslashes>
  [[gnu::always_inline]] bool key() {
    if (last - next < 2 || text[next[0]] != '"' || text[next[1]] != ':') return false;
    std::uint32_t const at = *next++;
    bool const good = string<kBackslashes>(at);
    ++next;
    return good;
  }

  // Nothing but white space may stand before the next token, or it was no number or literal: 1x,
  // 1"a".
  [[gnu::always_inline]] bool scalar(Kind kind, std::uint32_t at, char const* value_end) {
    if (value_end == nullptr) return false;
    auto const end_at = static_cast<std::uint32_t>(value_end - text);
    if (end_at != *next && !is_space(*value_end)) return false;
    return add(kind, at, end_at, false);
  }

  template <bool kBackslashes>
  [[gnu::always_inline]] bool open(std::uint32_t at, char closer) {
    if (depth == nesting_max || next == last) return false;
    std::uint32_t const node = depth <= recorded_depth ? count : kNoNode;
    if (!add(closer == '}' ? Kind::kObject : Kind::kArray, at, at, false)) return false;
    levels[depth++] = {node, 0, closer};
    opened = text[*next] != closer;
    if (opened) return closer == ']' || key<kBackslashes>();
    close(*next++);
    return true;
  }

  [[gnu::always_inline]] void close(std::uint32_t at) {
    Level const level = levels[--depth];
    auto const nesting = static_cast<std::uint16_t>(level.nesting + 1);
    if (depth > 0) levels[depth - 1].nesting = std::max(levels[depth - 1].nesting, nesting);
    if (level.node == kNoNode) return;
    nodes[level.node].end = at + 1;
    nodes[level.node].next = count;
    nodes[level.node].nesting = nesting;
  }

  template <bool kBackslashes>
  [[gnu::always_inline]] bool value(std::uint32_t at) {
    Kind kind = Kind::kNull;
    Fault fault;
    opened = false;
    switch (text[at]) {
      case '"': return string<kBackslashes>(at);
      case '{': return open<kBackslashes>(at, '}');
      case '[': return open<kBackslashes>(at, ']');
      case 't':
      case 'f':
      case 'n': {
        char const* const value_end = scan_literal(text + at, end, kind, fault);
        return scalar(kind, at, value_end);
      }
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
      case '9': {
        char const* const value_end = scan_number(text + at, end, kind, fault);
        return scalar(kind, at, value_end);
      }
      default: return false;
    }
  }

  template <bool kBackslashes>
  bool run() {
    for (;;) {
      do {
        if (next == last || !value<kBackslashes>(*next++)) return false;
      } while (opened);
      for (;;) {  // after a value: end what ends here
        if (depth == 0) return next == last;
        if (next == last) return false;
        std::uint32_t const at = *next++;
        char const c = text[at], closer = levels[depth - 1].closer;
        if (c == ',') {
          if (closer == '}' && !key<kBackslashes>()) return false;
          break;
        }
        if (c != closer) return false;
        close(at);
      }
    }
  }
};

template <bool kBackslashes>
bool walk(tape::Tape& tape, tape::ParseOptions const& options,
          std::span<std::uint32_t const> index) {
  Level levels[tape::kNestingCap];  // not initialised
  char const* const text = base::as_text(tape.bytes).data();
  Walk w{
      .text = text,
      .end = text + tape.bytes.size(),
      .next = index.data(),
      .last = index.data() + index.size(),
      .nodes = tape.nodes.data(),
      .levels = levels,
      .capacity =
          static_cast<std::uint32_t>(std::min<std::size_t>(tape.nodes.size(), UINT32_MAX - 1)),
      .recorded_depth = static_cast<std::uint32_t>(
          std::min<std::size_t>(options.recorded_depth, tape::kNestingCap)),
      .nesting_max = static_cast<std::uint32_t>(std::min(options.nesting_max, tape::kNestingCap))};
  return w.run<kBackslashes>();
}

}  // namespace

bool scan_indexed(tape::Tape& tape, tape::ParseOptions const& options,
                  std::span<std::uint32_t const> index) {
  bool const backslashes = std::memchr(tape.bytes.data(), '\\', tape.bytes.size()) != nullptr;
  return backslashes ? walk<true>(tape, options, index) : walk<false>(tape, options, index);
}

}  // namespace headrace::codec::json::impl
