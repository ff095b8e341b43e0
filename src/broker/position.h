// SPDX-License-Identifier: Apache-2.0
// Position, TopicPartition: where a record stands in a broker. Threads: values.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace headrace::broker {

// Opaque; ordered within a partition; may have gaps; names records, not bytes. Never subtracted:
// ask Broker::count_after.
// "A position p" as a place to read from means: the first record at or after p.
//   embedded log: hi = segment number, lo = byte in it.  Kafka: lo = offset.  Redis: hi =
//                 milliseconds, lo = sequence.
struct Position {
  std::uint64_t hi = 0;
  std::uint64_t lo = 0;
  auto operator<=>(Position const&) const = default;
};

std::string to_string(Position position);  // "<hi>-<lo>", for logs, tokens and stored state
std::optional<Position> parse_position(std::string_view text);

using TopicId = std::
    uint32_t;  // given out by Broker::open_topic; the same for a name as long as the data lives

struct TopicPartition {
  TopicId topic = 0;
  std::uint32_t partition = 0;
  auto operator<=>(TopicPartition const&) const = default;
};

}  // namespace headrace::broker

template <>
struct std::hash<headrace::broker::TopicPartition> {
  std::size_t operator()(headrace::broker::TopicPartition const& tp) const noexcept {
    return (std::size_t{tp.topic} << 32 | tp.partition) * 0x9E3779B97F4A7C15ull;
  }
};
