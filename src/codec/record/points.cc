// SPDX-License-Identifier: Apache-2.0
#include "codec/record/points.h"

#include <fmt/format.h>

#include <cstring>

#include "base/assert.h"

namespace headrace::codec::record {
namespace {

constexpr std::size_t kHeaderBytes = 8, kStreamBytes = 24;

std::size_t padded(std::size_t bytes) { return (bytes + 7) & ~std::size_t{7}; }

template <class T>
void append(std::string& out, T value) {
  out.append(reinterpret_cast<char const*>(&value), sizeof value);
}

template <class T>
void append_column(std::string& out, std::vector<T> const& column) {
  out.append(reinterpret_cast<char const*>(column.data()), column.size() * sizeof(T));
}

template <class T>
std::byte const* read_column(std::vector<T>& column, std::size_t count, std::byte const* at) {
  column.resize(count);
  if (count != 0) std::memcpy(column.data(), at, count * sizeof(T));
  return at + count * sizeof(T);
}

template <class... Args>
base::Error corrupt(std::size_t at, fmt::format_string<Args...> what, Args&&... args) {
  return {base::ErrorCode::kCorrupt,
          fmt::format("points, byte {}: {}", at, fmt::format(what, std::forward<Args>(args)...))};
}

}  // namespace

void encode_points(std::string& out, model::Points const& points) {
  std::size_t total = 0, key_bytes = 0;
  for (auto const& stream : points) {
    HEADRACE_ASSERT(stream.times_ns.size() == stream.value_bits.size(), "as many values as times");
    HEADRACE_ASSERT(stream.key.size() <= UINT16_MAX, "a stream's key of at most 65535 bytes");
    total += stream.times_ns.size();
    key_bytes += stream.key.size();
  }
  HEADRACE_ASSERT(points.size() <= UINT32_MAX && total <= UINT32_MAX, "points within 32 bits");
  std::size_t const begin = out.size(),
                    columns_at = padded(kHeaderBytes + points.size() * kStreamBytes + key_bytes);
  out.reserve(begin + columns_at + total * 16);
  append(out, static_cast<std::uint32_t>(points.size()));
  append(out, static_cast<std::uint32_t>(total));
  for (auto const& stream : points) {
    out.append(reinterpret_cast<char const*>(stream.stream.bytes.data()), 16);
    append(out, static_cast<std::uint32_t>(stream.times_ns.size()));
    append(out, static_cast<std::uint16_t>(stream.key.size()));
    append(out, static_cast<std::uint8_t>(stream.value_type));
    append(out, std::uint8_t{0});
  }
  for (auto const& stream : points) out += stream.key;
  out.resize(begin + columns_at, '\0');
  for (auto const& stream : points) append_column(out, stream.times_ns);
  for (auto const& stream : points) append_column(out, stream.value_bits);
}

base::Result<model::Points> decode_points(base::Bytes bytes) {
  if (bytes.size() < kHeaderBytes)
    return corrupt(0, "{} bytes, expected at least {}", bytes.size(), kHeaderBytes);
  std::uint64_t const streams = base::load<std::uint32_t>(bytes.data()),
                      total = base::load<std::uint32_t>(bytes.data() + 4);
  std::uint64_t const keys_at = kHeaderBytes + streams * kStreamBytes;
  if (keys_at > bytes.size())
    return corrupt(0, "{} streams, expected them within {} bytes", streams, bytes.size());
  std::uint64_t key_bytes = 0, count = 0;
  for (std::uint64_t i = 0; i < streams; ++i) {
    std::size_t const at = kHeaderBytes + i * kStreamBytes;
    count += base::load<std::uint32_t>(bytes.data() + at + 16);
    key_bytes += base::load<std::uint16_t>(bytes.data() + at + 20);
    auto const value_type = base::load<std::uint8_t>(bytes.data() + at + 22);
    if (value_type > static_cast<std::uint8_t>(model::ValueType::kInt64))
      return corrupt(at + 22, "value type {}, expected 0 or 1", value_type);
    if (bytes[at + 23] != std::byte{0}) return corrupt(at + 23, "expected 0");
  }
  if (count != total)
    return corrupt(4, "{} points, expected {}, as the streams have", total, count);
  std::uint64_t const columns_at = padded(keys_at + key_bytes);
  if (columns_at + total * 16 != bytes.size())
    return corrupt(columns_at, "columns of {} points end at byte {}, expected {}", total,
                   columns_at + total * 16, bytes.size());

  model::Points points(streams);
  std::byte const* key = bytes.data() + keys_at;
  std::byte const* times = bytes.data() + columns_at;
  std::byte const* values = times + total * 8;
  for (std::uint64_t i = 0; i < streams; ++i) {
    std::byte const* const head = bytes.data() + kHeaderBytes + i * kStreamBytes;
    std::size_t const stream_count = base::load<std::uint32_t>(head + 16),
                      stream_key = base::load<std::uint16_t>(head + 20);
    auto& stream = points[i];
    std::memcpy(stream.stream.bytes.data(), head, 16);
    stream.value_type = static_cast<model::ValueType>(base::load<std::uint8_t>(head + 22));
    stream.key.assign(reinterpret_cast<char const*>(key), stream_key);
    key += stream_key;
    times = read_column(stream.times_ns, stream_count, times);
    values = read_column(stream.value_bits, stream_count, values);
  }
  return points;
}

}  // namespace headrace::codec::record
