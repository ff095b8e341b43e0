// SPDX-License-Identifier: Apache-2.0
#include "documents/sqlite/impl/compact_id.h"

#include <fmt/format.h>

#include <charconv>

namespace headrace::documents::impl {

namespace {

constexpr std::size_t kUuidText = 36, kUuidBytes = 16;
constexpr std::string_view kHex = "0123456789abcdef";

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

bool is_dash_at(std::size_t i) { return i == 8 || i == 13 || i == 18 || i == 23; }

bool parse_canonical_uuid(std::string_view text, std::byte* out) {
  for (std::size_t i = 0; i < kUuidText;) {
    if (is_dash_at(i)) {
      if (text[i++] != '-') return false;
      continue;
    }
    int const high = hex_value(text[i]), low = hex_value(text[i + 1]);
    if (high < 0 || low < 0) return false;
    *out++ = static_cast<std::byte>(high << 4 | low);
    i += 2;
  }
  return true;
}

// Digits without leading zeros that fit into T.
template <class T>
bool take_number(std::string_view& text, T& value) {
  auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  auto const length = static_cast<std::size_t>(end - text.data());
  if (error != std::errc() || (length > 1 && text.front() == '0')) return false;
  text.remove_prefix(length);
  return true;
}

template <class T>
void store_big_endian(std::byte* to, T value) {
  for (std::size_t i = 0; i < sizeof value; ++i)
    to[i] = static_cast<std::byte>(value >> 8 * (sizeof value - 1 - i));
}

template <class T>
T load_big_endian(std::byte const* from) {
  T value = 0;
  for (std::size_t i = 0; i < sizeof value; ++i)
    value = static_cast<T>(value << 8 | static_cast<unsigned char>(from[i]));
  return value;
}

}  // namespace

CompactId::CompactId(std::string_view id) : text_(id) {
  if (id.size() < kUuidText || !parse_canonical_uuid(id, bytes_.data())) return;
  if (id.size() == kUuidText) {
    size_ = kUuidBytes;
    return;
  }
  std::string_view rest = id.substr(kUuidText + 1);
  std::uint32_t epoch = 0;
  std::uint64_t sequence = 0;
  if (id[kUuidText] != '.' || !take_number(rest, epoch) || !rest.starts_with('.')) return;
  rest.remove_prefix(1);
  if (!take_number(rest, sequence) || !rest.empty()) return;
  store_big_endian(bytes_.data() + 16, epoch);
  store_big_endian(bytes_.data() + 20, sequence);
  size_ = bytes_.size();
}

void CompactId::bind(sqlite::Statement& statement, int index) const {
  if (is_text())
    statement.bind(index, text_);
  else
    statement.bind(index, bytes());
}

void append_id(std::string& out, base::Bytes compact) {
  for (std::size_t i = 0; i < std::min(compact.size(), kUuidBytes); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) out += '-';
    auto const byte = static_cast<unsigned char>(compact[i]);
    out += kHex[byte >> 4];
    out += kHex[byte & 15];
  }
  if (compact.size() == 28)
    fmt::format_to(std::back_inserter(out), ".{}.{}",
                   load_big_endian<std::uint32_t>(compact.data() + 16),
                   load_big_endian<std::uint64_t>(compact.data() + 20));
}

}  // namespace headrace::documents::impl
