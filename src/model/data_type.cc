// SPDX-License-Identifier: Apache-2.0
#include "model/data_type.h"

#include <xxhash.h>

#include "base/assert.h"

namespace headrace::model {

std::string_view name(BodyKind kind) { return kind == BodyKind::kDocument ? "document" : "points"; }

std::string_view name(Durability durability) {
  switch (durability) {
    case Durability::kMemory: return "memory";
    case Durability::kOs: return "os";
    case Durability::kDisk: return "disk";
  }
  return "disk";
}

std::optional<Durability> parse_durability(std::string_view text) {
  for (auto const durability : {Durability::kMemory, Durability::kOs, Durability::kDisk})
    if (name(durability) == text) return durability;
  return std::nullopt;
}

std::uint32_t partition_of(std::string_view source, std::uint32_t partition_count) {
  HEADRACE_ASSERT(partition_count > 0, "a topic has partitions");
  return static_cast<std::uint32_t>(XXH3_64bits(source.data(), source.size()) % partition_count);
}

}  // namespace headrace::model
