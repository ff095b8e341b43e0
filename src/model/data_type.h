// SPDX-License-Identifier: Apache-2.0
// DataType: what the config declares about one "type of data". Threads: a value.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "model/names.h"

namespace headrace::model {

enum class BodyKind : unsigned char { kDocument, kPoints };
// What an acknowledgement promises. disk: survives a power failure. os: survives our end. memory:
// accepted.
enum class Durability : unsigned char { kMemory, kOs, kDisk };

std::string_view name(BodyKind kind);
std::string_view name(Durability durability);  // "disk", "os", "memory"
std::optional<Durability> parse_durability(std::string_view text);

struct DataType {
  DataTypeName name;
  BodyKind body = BodyKind::kDocument;
  Durability durability = Durability::kDisk;
  std::chrono::nanoseconds retention =
      std::chrono::hours(24 * 7);     // of the broker's log; stores have their own
  std::uint32_t partition_count = 8;  // fixed when the topic is created

  bool operator==(DataType const&) const = default;
};

// The partition of a source: XXH3-64 of its bytes, modulo the count. Part of the stored format:
// never changes.
std::uint32_t partition_of(std::string_view source, std::uint32_t partition_count);

}  // namespace headrace::model
