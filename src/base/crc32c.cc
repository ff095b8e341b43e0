// SPDX-License-Identifier: Apache-2.0
#include "base/crc32c.h"

#include <array>
#include <cstring>

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

namespace headrace::base {
namespace {

constexpr std::uint32_t kPolynomial = 0x82F63B78;  // reflected

using Table = std::array<std::uint32_t, 256>;

constexpr std::array<Table, 8> make_slices() {
  std::array<Table, 8> slices{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ (crc & 1 ? kPolynomial : 0);
    slices[0][i] = crc;
  }
  for (std::uint32_t i = 0; i < 256; ++i)
    for (std::size_t s = 1; s < 8; ++s)
      slices[s][i] = (slices[s - 1][i] >> 8) ^ slices[0][slices[s - 1][i] & 0xFF];
  return slices;
}
constexpr auto kSlices = make_slices();

std::uint32_t portable(std::uint32_t crc, std::byte const* at, std::size_t size) {
  for (; size >= 8; at += 8, size -= 8) {
    std::uint64_t word;
    std::memcpy(&word, at, 8);
    word ^= crc;
    crc = 0;
    for (std::size_t s = 0; s < 8; ++s) crc ^= kSlices[7 - s][word >> (8 * s) & 0xFF];
  }
  for (; size > 0; ++at, --size)
    crc = (crc >> 8) ^ kSlices[0][(crc ^ static_cast<std::uint8_t>(*at)) & 0xFF];
  return crc;
}

#if defined(__x86_64__)

// What a checksum becomes after `kBlock` zero bytes is linear in its 32 bits: four tables of 256,
// one per byte.
using Matrix = std::array<std::uint32_t, 32>;

constexpr std::uint32_t times(Matrix const& m, std::uint32_t vector) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; vector != 0; vector >>= 1, ++i)
    if (vector & 1) sum ^= m[i];
  return sum;
}

constexpr std::array<Table, 4> make_shift(std::size_t bytes) {
  Matrix one_bit{};
  one_bit[0] = kPolynomial;
  for (std::size_t i = 1; i < 32; ++i) one_bit[i] = std::uint32_t{1} << (i - 1);
  Matrix power = one_bit, next{};
  for (std::size_t bits = 1; bits < bytes * 8; bits *= 2) {  // `bytes` is a power of two
    for (std::size_t i = 0; i < 32; ++i) next[i] = times(power, power[i]);
    power = next;
  }
  std::array<Table, 4> tables{};
  for (std::size_t b = 0; b < 4; ++b)
    for (std::uint32_t v = 0; v < 256; ++v) tables[b][v] = times(power, v << (8 * b));
  return tables;
}

// The instruction takes three cycles but one can start every cycle: three blocks run side by side.
constexpr std::size_t kLongBlock = 4096, kShortBlock = 256;
constexpr auto kLongShift = make_shift(kLongBlock);
constexpr auto kShortShift = make_shift(kShortBlock);

std::uint32_t shift(std::array<Table, 4> const& tables, std::uint32_t crc) {
  return tables[0][crc & 0xFF] ^ tables[1][crc >> 8 & 0xFF] ^ tables[2][crc >> 16 & 0xFF] ^
         tables[3][crc >> 24];
}

std::uint64_t word_at(std::byte const* at) {
  std::uint64_t word;
  std::memcpy(&word, at, 8);
  return word;
}

template <std::size_t kBlock>
[[gnu::target("sse4.2")]] std::uint32_t three_blocks(std::uint32_t crc, std::byte const* at,
                                                     std::array<Table, 4> const& tables) {
  std::uint64_t a = crc, b = 0, c = 0;
  for (std::size_t i = 0; i < kBlock; i += 8) {
    a = _mm_crc32_u64(a, word_at(at + i));
    b = _mm_crc32_u64(b, word_at(at + kBlock + i));
    c = _mm_crc32_u64(c, word_at(at + 2 * kBlock + i));
  }
  std::uint32_t const ab =
      shift(tables, static_cast<std::uint32_t>(a)) ^ static_cast<std::uint32_t>(b);
  return shift(tables, ab) ^ static_cast<std::uint32_t>(c);
}

[[gnu::target("sse4.2")]] std::uint32_t with_instruction(std::uint32_t crc, std::byte const* at,
                                                         std::size_t size) {
  for (; size >= 3 * kLongBlock; at += 3 * kLongBlock, size -= 3 * kLongBlock)
    crc = three_blocks<kLongBlock>(crc, at, kLongShift);
  for (; size >= 3 * kShortBlock; at += 3 * kShortBlock, size -= 3 * kShortBlock)
    crc = three_blocks<kShortBlock>(crc, at, kShortShift);
  std::uint64_t wide = crc;
  for (; size >= 8; at += 8, size -= 8) wide = _mm_crc32_u64(wide, word_at(at));
  crc = static_cast<std::uint32_t>(wide);
  for (; size > 0; ++at, --size) crc = _mm_crc32_u8(crc, static_cast<std::uint8_t>(*at));
  return crc;
}

bool const kHasInstruction = __builtin_cpu_supports("sse4.2");

#endif

}  // namespace

std::uint32_t crc32c(std::span<std::byte const> bytes, std::uint32_t seed) {
#if defined(__x86_64__)
  if (kHasInstruction) [[likely]]
    return ~with_instruction(~seed, bytes.data(), bytes.size());
#endif
  return ~portable(~seed, bytes.data(), bytes.size());
}

std::uint32_t crc32c_portable(std::span<std::byte const> bytes, std::uint32_t seed) {
  return ~portable(~seed, bytes.data(), bytes.size());
}

}  // namespace headrace::base
