// SPDX-License-Identifier: Apache-2.0
#include "model/data_type.h"

#include <gtest/gtest.h>
#include <xxhash.h>

namespace headrace::model {
namespace {

// The stored format depends on it: these numbers never change.
TEST(PartitionOf, IsTheSameForEver) {
  EXPECT_EQ(XXH3_64bits("", 0), 0x2D06800538D394C2ull);
  EXPECT_EQ(partition_of("", 8), 2u);
  struct Case {
    std::string_view source;
    std::uint32_t of_8, of_7;
  };
  for (auto const& c : {Case{"meter-1", 4, 4}, Case{"meter-2", 3, 5}, Case{"agentID", 2, 6},
                        Case{"Zähler", 3, 3}}) {
    EXPECT_EQ(partition_of(c.source, 8), c.of_8) << c.source;
    EXPECT_EQ(partition_of(c.source, 7), c.of_7) << c.source;
  }
}

TEST(PartitionOf, SpreadsSources) {
  int counts[8] = {};
  for (int i = 0; i < 8000; ++i) ++counts[partition_of("meter-" + std::to_string(i), 8)];
  for (int const count : counts) {
    EXPECT_GT(count, 850);
    EXPECT_LT(count, 1150);
  }
}

TEST(Durability, NamesGoBothWays) {
  for (auto const d : {Durability::kMemory, Durability::kOs, Durability::kDisk})
    EXPECT_EQ(parse_durability(name(d)), d);
  EXPECT_EQ(parse_durability("Disk"), std::nullopt);
}

}  // namespace
}  // namespace headrace::model
