// SPDX-License-Identifier: Apache-2.0
#include <bit>

#include "codec/tape/impl/scalar.h"

namespace headrace::codec::tape::impl {
namespace {

std::uint64_t big_endian(std::byte const* at, std::size_t size) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < size; ++i) value = value << 8 | static_cast<std::uint8_t>(at[i]);
  return value;
}

unsigned format(base::Bytes raw) { return static_cast<std::uint8_t>(raw[0]); }

std::optional<base::Timestamp> join(std::int64_t seconds, std::uint64_t ns) {
  constexpr std::int64_t kNsPerSecond = 1'000'000'000;
  auto rest = static_cast<std::int64_t>(ns);
  if (seconds < 0 && rest > 0) {
    ++seconds;
    rest -= kNsPerSecond;
  }
  std::int64_t total = 0;
  if (__builtin_mul_overflow(seconds, kNsPerSecond, &total) ||
      __builtin_add_overflow(total, rest, &total))
    return std::nullopt;
  return base::Timestamp{total};
}

}  // namespace

std::uint64_t msgpack_integer(base::Bytes raw) {
  unsigned const f = format(raw);
  if (f <= 0x7F) return f;
  if (f >= 0xE0)
    return static_cast<std::uint64_t>(static_cast<std::int64_t>(static_cast<std::int8_t>(f)));
  std::uint64_t const value = big_endian(raw.data() + 1, raw.size() - 1);
  if (f <= 0xCF) return value;
  unsigned const unused =
      64 - 8 * static_cast<unsigned>(raw.size() - 1);  // int8..int64: spread the sign
  return static_cast<std::uint64_t>(static_cast<std::int64_t>(value << unused) >> unused);
}

double msgpack_double(base::Bytes raw) {
  std::uint64_t const bits = big_endian(raw.data() + 1, raw.size() - 1);
  if (raw.size() == 9) return std::bit_cast<double>(bits);
  return static_cast<double>(std::bit_cast<float>(static_cast<std::uint32_t>(bits)));
}

base::Bytes msgpack_payload(base::Bytes raw) {
  unsigned const f = format(raw);
  std::size_t header = 1;
  if (f == 0xC4 || f == 0xD9)
    header = 2;
  else if (f == 0xC5 || f == 0xDA)
    header = 3;
  else if (f == 0xC6 || f == 0xDB)
    header = 5;
  else if (f >= 0xD4 && f <= 0xD8)
    header = 2;  // fixext: format, type
  else if (f == 0xC7)
    header = 3;
  else if (f == 0xC8)
    header = 4;
  else if (f == 0xC9)
    header = 6;
  return raw.subspan(header);
}

std::int8_t msgpack_extension_type(base::Bytes raw) {
  return static_cast<std::int8_t>(*(msgpack_payload(raw).data() - 1));
}

std::optional<base::Timestamp> msgpack_timestamp(base::Bytes raw) {
  base::Bytes const data = msgpack_payload(raw);
  switch (data.size()) {
    case 4: return join(static_cast<std::int64_t>(big_endian(data.data(), 4)), 0);
    case 8: {
      std::uint64_t const both = big_endian(data.data(), 8);
      return join(static_cast<std::int64_t>(both & ((std::uint64_t{1} << 34) - 1)), both >> 34);
    }
    default:
      return join(static_cast<std::int64_t>(big_endian(data.data() + 4, 8)),
                  big_endian(data.data(), 4));
  }
}

}  // namespace headrace::codec::tape::impl
