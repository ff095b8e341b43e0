// SPDX-License-Identifier: Apache-2.0
#include "documents/page_cursor.h"

#include <fmt/format.h>

#include "base/crc32c.h"
#include "documents/documents.h"

namespace headrace::documents {

namespace {

constexpr char kVersion = 1;
constexpr std::size_t kBytes = 1 + 4 * 8 + 4;
constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

std::string to_base64url(std::string_view bytes) {
  std::string text;
  std::uint32_t bits = 0;
  int held = 0;
  for (unsigned char const byte : bytes) {
    bits = bits << 8 | byte;
    for (held += 8; held >= 6; held -= 6) text += kAlphabet[bits >> (held - 6) & 63];
  }
  if (held > 0) text += kAlphabet[bits << (6 - held) & 63];
  return text;
}

// False: a character that is not of the alphabet, or bits left over that are not zero.
bool from_base64url(std::string_view text, std::string& bytes) {
  std::uint32_t bits = 0;
  int held = 0;
  for (char const c : text) {
    auto const value = kAlphabet.find(c);
    if (value == std::string_view::npos) return false;
    bits = bits << 6 | static_cast<std::uint32_t>(value);
    held += 6;
    if (held < 8) continue;
    held -= 8;
    bytes += static_cast<char>(bits >> held & 0xFF);
  }
  return held < 6 && (bits & ((1u << held) - 1)) == 0;
}

template <class T>
void put(std::string& out, T value) {
  char bytes[sizeof value];
  std::memcpy(bytes, &value, sizeof value);
  out.append(bytes, sizeof value);
}

// FNV-1a, 64 bits: cursors outlive a process, so the function is fixed here. Each part is ended by
// its length.
void mix(std::uint64_t& hash, std::string_view part) {
  auto const step = [&hash](unsigned char byte) { hash = (hash ^ byte) * 0x100000001B3ull; };
  for (char const c : part) step(static_cast<unsigned char>(c));
  for (std::size_t n = part.size(), i = 0; i < 8; ++i)
    step(static_cast<unsigned char>(n >> (8 * i)));
}

}  // namespace

std::uint64_t fingerprint(Query const& query) {
  std::uint64_t hash = 0xCBF29CE484222325ull;
  std::vector<std::string> types = query.types;
  std::sort(types.begin(), types.end());
  types.erase(std::unique(types.begin(), types.end()), types.end());
  for (auto const& type : types) mix(hash, type);
  mix(hash, "|");
  mix(hash, query.source);
  mix(hash, query.from ? fmt::format("{}", query.from->ns) : "");
  mix(hash, query.to ? fmt::format("{}", query.to->ns) : "");
  mix(hash, to_string(query.where));
  mix(hash, query.order == Order::kAscending ? "asc" : "desc");
  return hash;
}

std::string encode_page_cursor(PageCursor const& cursor) {
  std::string bytes;
  bytes.reserve(kBytes);
  bytes += kVersion;
  put(bytes, cursor.query);
  put(bytes, cursor.time.ns);
  put(bytes, cursor.row);
  put(bytes, cursor.row_last);
  put(bytes, base::crc32c(base::as_bytes(bytes)));
  return to_base64url(bytes);
}

base::Result<PageCursor> decode_page_cursor(std::string_view text) {
  auto const refuse = [](std::string_view why) {
    return base::Error{
        base::ErrorCode::kInvalidArgument,
        fmt::format("cursor: {}; expected the \"next\" of the page before, unchanged", why)};
  };
  constexpr std::size_t kTextBytes = (kBytes * 8 + 5) / 6;
  if (text.size() != kTextBytes)
    return refuse(fmt::format("{} characters instead of {}", text.size(), kTextBytes));
  std::string bytes;
  if (!from_base64url(text, bytes)) return refuse("not base64url");
  auto const* const at = reinterpret_cast<std::byte const*>(bytes.data());
  if (bytes.front() != kVersion)
    return refuse(fmt::format("version {}", static_cast<int>(bytes.front())));
  if (base::load<std::uint32_t>(at + kBytes - 4) != base::crc32c({at, kBytes - 4}))
    return refuse("damaged");
  PageCursor cursor;
  cursor.query = base::load<std::uint64_t>(at + 1);
  cursor.time.ns = base::load<std::int64_t>(at + 9);
  cursor.row = base::load<std::uint64_t>(at + 17);
  cursor.row_last = base::load<std::uint64_t>(at + 25);
  if (cursor.row > cursor.row_last) return refuse("damaged");
  return cursor;
}

}  // namespace headrace::documents
