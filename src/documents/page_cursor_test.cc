// SPDX-License-Identifier: Apache-2.0
#include "documents/page_cursor.h"

#include "documents/documents.h"

namespace headrace::documents {
namespace {

PageCursor const kCursor{0x0123456789ABCDEFull, {-5}, 7, 9};

TEST(PageCursor, ComesBack) {
  auto const back = decode_page_cursor(encode_page_cursor(kCursor));
  ASSERT_TRUE(back);
  EXPECT_EQ(*back, kCursor);
}

TEST(PageCursor, EveryDamageIsRefused) {
  std::string const good = encode_page_cursor(kCursor);
  for (std::size_t i = 0; i < good.size(); ++i) {
    for (char const c : {'A', '_', '+', '\0', '9'}) {
      std::string bad = good;
      if (bad[i] == c) continue;
      bad[i] = c;
      auto const got = decode_page_cursor(bad);
      ASSERT_FALSE(got) << i;
      EXPECT_EQ(got.error().code, base::ErrorCode::kInvalidArgument);
    }
    EXPECT_FALSE(decode_page_cursor(good.substr(0, i)));
  }
  EXPECT_FALSE(decode_page_cursor(good + "A"));
}

TEST(PageCursor, TheFingerprintTellsQueriesApart) {
  Query const query{.types = {"a", "b"},
                    .source = "s",
                    .from = {},
                    .to = {},
                    .where = {},
                    .order = Order::kAscending,
                    .limit = 1,
                    .cursor = ""};
  auto const with = [&](auto change) {
    Query changed = query;
    change(changed);
    return fingerprint(changed);
  };
  std::uint64_t const same = fingerprint(query);
  EXPECT_EQ(with([](Query& q) { q.limit = 2; }), same);
  EXPECT_EQ(with([](Query& q) { q.types = {"b", "a", "a"}; }), same);
  EXPECT_NE(with([](Query& q) { q.types = {"a"}; }), same);
  EXPECT_NE(with([](Query& q) { q.types = {"ab"}; }), same);
  EXPECT_NE(with([](Query& q) { q.source = "t"; }), same);
  EXPECT_NE(with([](Query& q) { q.from = base::Timestamp{0}; }), same);
  EXPECT_NE(with([](Query& q) { q.to = base::Timestamp{0}; }),
            with([](Query& q) { q.from = base::Timestamp{0}; }));
  EXPECT_NE(with([](Query& q) { q.where = parse_where("a = 1").value(); }), same);
  EXPECT_NE(with([](Query& q) { q.order = Order::kDescending; }), same);
}

}  // namespace
}  // namespace headrace::documents
