// SPDX-License-Identifier: Apache-2.0
#include "ingest/position_token.h"

#include <gtest/gtest.h>

namespace headrace::ingest {
namespace {

TEST(PositionToken, ReadsWhatItWrote) {
  PositionToken token;
  token.cover({3, 1}, {7, 9});
  token.cover({1, 2}, {UINT64_MAX, 0});
  token.cover({3, 1}, {6, 100});  // lower: changes nothing
  token.cover({3, 1}, {7, 10});
  EXPECT_EQ(token.encode(), "t1.1:2:18446744073709551615-0~3:1:7-10");
  auto const read = PositionToken::decode(token.encode());
  ASSERT_TRUE(read);
  EXPECT_EQ(read->entries(), token.entries());
  EXPECT_TRUE(PositionToken::decode("t1.")->empty());
}

TEST(PositionToken, MergingKeepsTheHigherPositions) {
  PositionToken a, b;
  a.cover({1, 0}, {1, 5});
  b.cover({1, 0}, {1, 7});
  b.cover({0, 0}, {1, 1});
  a.merge(b);
  EXPECT_EQ(a.encode(), "t1.0:0:1-1~1:0:1-7");
}

TEST(PositionToken, RefusesEverythingElseWithTheByte) {
  struct Case {
    std::string_view text, says;
  };
  for (auto const& c :
       {Case{"", "byte 0"}, Case{"t2.1:1:1-1", "byte 0"}, Case{"t1.x", "byte 3: expected a topic"},
        Case{"t1.1", "byte 4: expected ':'"}, Case{"t1.1:1:1", "expected '-'"},
        Case{"t1.1:1:1-", "a position"}, Case{"t1.1:1:1-1~", "a topic"},
        Case{"t1.1:1:1-1,2:1:1-1", "'~'"}, Case{"t1.2:1:1-1~1:1:1-1", "ascending"},
        Case{"t1.1:1:1-1~1:1:1-2", "ascending"}, Case{"t1.01:1:1-1", "topic"},
        Case{"t1.-1:1:1-1", "topic"}, Case{"t1.4294967296:1:1-1", "topic"},
        Case{"t1.1:1:18446744073709551616-1", "position"}}) {
    auto const read = PositionToken::decode(c.text);
    ASSERT_FALSE(read) << c.text;
    EXPECT_NE(read.error().context.find(c.says), std::string::npos) << read.error().context;
  }
  std::string many = "t1.";
  for (std::size_t i = 0; i <= PositionToken::kEntriesMax; ++i)
    many += fmt::format("{}{}:0:1-1", i ? "~" : "", i);
  EXPECT_FALSE(PositionToken::decode(many));
}

}  // namespace
}  // namespace headrace::ingest
