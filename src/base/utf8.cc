// SPDX-License-Identifier: Apache-2.0
#include "base/utf8.h"

#include <simdjson.h>

#include <cstdint>

namespace headrace::base {
namespace {

// How many bytes the character at `at` has; 0 when it is none. The bounds of the second byte depend
// on the first.
std::size_t character_bytes(unsigned char const* at, std::size_t left) {
  unsigned char const lead = at[0];
  if (lead < 0x80) return 1;
  std::size_t const size = lead < 0xC2   ? 0
                           : lead < 0xE0 ? 2
                           : lead < 0xF0 ? 3
                           : lead < 0xF5 ? 4
                                         : 0;
  if (size == 0 || left < size) return 0;
  unsigned char const low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  unsigned char const high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  if (at[1] < low || at[1] > high) return 0;
  for (std::size_t i = 2; i < size; ++i)
    if ((at[i] & 0xC0) != 0x80) return 0;
  return size;
}

}  // namespace

bool valid_utf8(std::string_view text) { return simdjson::validate_utf8(text.data(), text.size()); }

std::optional<std::size_t> find_invalid_utf8(std::string_view text) {
  auto const* const bytes = reinterpret_cast<unsigned char const*>(text.data());
  for (std::size_t at = 0; at < text.size();) {
    std::size_t const size = character_bytes(bytes + at, text.size() - at);
    if (size == 0) return at;
    at += size;
  }
  return std::nullopt;
}

}  // namespace headrace::base
