// SPDX-License-Identifier: Apache-2.0
#include "broker/position.h"

#include <gtest/gtest.h>

namespace headrace::broker {
namespace {

TEST(Position, TextReadsBackTheSame) {
  for (Position const p : {Position{0, 0}, Position{1, 4096}, Position{~0ull, ~0ull}}) {
    EXPECT_EQ(parse_position(to_string(p)), p) << to_string(p);
  }
  EXPECT_EQ(to_string(Position{7, 42}), "7-42");
}

TEST(Position, RefusesWhatIsNotOne) {
  for (auto const* text : {"", "-", "1", "1-", "-1", "1-2-3", "1-x", " 1-2", "1-2 ",
                           "18446744073709551616-0", "+1-2"}) {
    EXPECT_FALSE(parse_position(text).has_value()) << text;
  }
}

TEST(Position, OrdersBySegmentThenByte) {
  EXPECT_LT((Position{1, 9}), (Position{2, 0}));
  EXPECT_LT((Position{1, 8}), (Position{1, 9}));
}

}  // namespace
}  // namespace headrace::broker
