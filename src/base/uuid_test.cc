// SPDX-License-Identifier: Apache-2.0
#include "base/uuid.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <unordered_set>

namespace headrace::base {
namespace {

// RFC 9562, appendix A.4: the DNS namespace and "www.example.com".
TEST(Uuid, Version5IsThatOfTheStandard) {
  auto const dns = parse_uuid("6ba7b810-9dad-11d1-80b4-00c04fd430c8");
  ASSERT_TRUE(dns);
  EXPECT_EQ(to_string(uuid5(*dns, "www.example.com")), "2ed6657d-e927-568b-95e1-2665a8aea6a2");
}

TEST(Uuid, ReadsBothSpellingsAndNoOther) {
  auto const want = parse_uuid("2ed6657d-e927-568b-95e1-2665a8aea6a2");
  ASSERT_TRUE(want);
  EXPECT_EQ(parse_uuid("2ED6657De927568b95e12665a8aea6a2"), want);
  for (std::string_view const text :
       {"", "2ed6657d", "2ed6657d-e927-568b-95e1-2665a8aea6a",
        "2ed6657d-e927-568b-95e1-2665a8aea6ag", "2ed6657de927-568b-95e1-2665a8aea6a2-",
        "2ed6657d0e927-568b-95e1-2665a8aea6a2", "{2ed6657de927568b95e12665a8aea6a}"})
    EXPECT_FALSE(parse_uuid(text)) << text;
}

int version(Uuid const& uuid) { return uuid.bytes[6] >> 4; }
int variant(Uuid const& uuid) { return uuid.bytes[8] >> 6; }

TEST(Uuid, Version4DoesNotRepeat) {
  std::unordered_set<Uuid> seen;
  for (int i = 0; i < 10'000; ++i) {
    Uuid const uuid = uuid4();
    EXPECT_EQ(version(uuid), 4);
    EXPECT_EQ(variant(uuid), 2);
    EXPECT_TRUE(seen.insert(uuid).second);
  }
}

TEST(Uuid, Version7AscendsWithinAThreadWhateverTheClockDoes) {
  Timestamp now{1'700'000'000'000'000'000};
  Uuid last = uuid7(now);
  EXPECT_EQ(version(last), 7);
  EXPECT_EQ(variant(last), 2);
  EXPECT_EQ(to_string(last).substr(0, 13), "018bcfe5-6800");
  for (int i = 0; i < 20'000; ++i) {  // more than the counter holds
    if (i == 15'000) now.ns -= 3'600'000'000'000;
    Uuid const next = uuid7(now);
    ASSERT_LT(last, next) << i;
    ASSERT_EQ(version(next), 7);
    last = next;
  }
  EXPECT_LT(last, uuid7({1'700'000'100'000'000'000}));
}

TEST(RandomBytes, FillsAll) {
  std::array<std::byte, 1000> bytes{};
  random_bytes(bytes);
  EXPECT_LT(std::count(bytes.begin(), bytes.end(), std::byte{0}), 50);
}

}  // namespace
}  // namespace headrace::base
