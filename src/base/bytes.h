// SPDX-License-Identifier: Apache-2.0
// Views of bytes and fixed-width little-endian numbers in them. Threads: pure.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <type_traits>

namespace headrace::base {

using Bytes = std::span<std::byte const>;

inline Bytes as_bytes(std::string_view text) {
  return {reinterpret_cast<std::byte const*>(text.data()), text.size()};
}
inline std::string_view as_text(Bytes bytes) {
  return {reinterpret_cast<char const*>(bytes.data()), bytes.size()};
}

static_assert(std::endian::native == std::endian::little, "stored numbers are little-endian");

// Unaligned load and store. The caller has checked that sizeof(T) bytes are there.
template <class T>
  requires std::is_arithmetic_v<T>
T load(std::byte const* from) {
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}
template <class T>
  requires std::is_arithmetic_v<T>
void store(std::byte* to, T value) {
  std::memcpy(to, &value, sizeof value);
}

}  // namespace headrace::base
