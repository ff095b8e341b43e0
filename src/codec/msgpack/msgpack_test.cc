// SPDX-License-Identifier: Apache-2.0
#include "codec/msgpack/msgpack.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "codec/msgpack/msgpack_write.h"

namespace headrace::codec::msgpack {
namespace {

using base::ErrorCode;

std::string bytes(std::initializer_list<unsigned> list) {
  std::string out;
  for (unsigned const b : list) out += static_cast<char>(b);
  return out;
}

struct Accepted {
  char const* name;
  std::string data;
  Kind kind;
};

std::vector<Accepted> accepted() {
  return {
      {"nil", bytes({0xC0}), Kind::kNull},
      {"false", bytes({0xC2}), Kind::kFalse},
      {"true", bytes({0xC3}), Kind::kTrue},
      {"fixint", bytes({0x7F}), Kind::kInt64},
      {"negative fixint", bytes({0xE0}), Kind::kInt64},
      {"uint8", bytes({0xCC, 0xFF}), Kind::kInt64},
      {"uint16", bytes({0xCD, 0xFF, 0xFF}), Kind::kInt64},
      {"uint32", bytes({0xCE, 0xFF, 0xFF, 0xFF, 0xFF}), Kind::kInt64},
      {"uint64, small", bytes({0xCF, 0x7F, 0, 0, 0, 0, 0, 0, 0}), Kind::kInt64},
      {"uint64, large", bytes({0xCF, 0x80, 0, 0, 0, 0, 0, 0, 0}), Kind::kUint64},
      {"int8", bytes({0xD0, 0x80}), Kind::kInt64},
      {"int16", bytes({0xD1, 0x80, 0}), Kind::kInt64},
      {"int32", bytes({0xD2, 0x80, 0, 0, 0}), Kind::kInt64},
      {"int64", bytes({0xD3, 0x80, 0, 0, 0, 0, 0, 0, 0}), Kind::kInt64},
      {"float32", bytes({0xCA, 0x3F, 0x80, 0, 0}), Kind::kDouble},
      {"float64", bytes({0xCB, 0x3F, 0xF0, 0, 0, 0, 0, 0, 0}), Kind::kDouble},
      {"fixstr", bytes({0xA1, 'a'}), Kind::kString},
      {"str8", bytes({0xD9, 1, 'a'}), Kind::kString},
      {"str16", bytes({0xDA, 0, 1, 'a'}), Kind::kString},
      {"str32", bytes({0xDB, 0, 0, 0, 1, 'a'}), Kind::kString},
      {"bin8", bytes({0xC4, 1, 0xFF}), Kind::kBinary},
      {"bin16", bytes({0xC5, 0, 1, 0xFF}), Kind::kBinary},
      {"bin32", bytes({0xC6, 0, 0, 0, 1, 0xFF}), Kind::kBinary},
      {"empty array", bytes({0x90}), Kind::kArray},
      {"array16", bytes({0xDC, 0, 1, 0xC0}), Kind::kArray},
      {"array32", bytes({0xDD, 0, 0, 0, 1, 0xC0}), Kind::kArray},
      {"empty map", bytes({0x80}), Kind::kObject},
      {"map16", bytes({0xDE, 0, 1, 1, 2}), Kind::kObject},
      {"map32", bytes({0xDF, 0, 0, 0, 1, 0x91, 1, 2}), Kind::kObject},
      {"fixext1", bytes({0xD4, 5, 1}), Kind::kExtension},
      {"fixext16", bytes({0xD8, 5}) + std::string(16, 'x'), Kind::kExtension},
      {"ext8", bytes({0xC7, 3, 5, 1, 2, 3}), Kind::kExtension},
      {"ext8, empty", bytes({0xC7, 0, 5}), Kind::kExtension},
      {"ext16", bytes({0xC8, 0, 1, 5, 1}), Kind::kExtension},
      {"ext32", bytes({0xC9, 0, 0, 0, 1, 5, 1}), Kind::kExtension},
      {"timestamp 32", bytes({0xD6, 0xFF, 0, 0, 0, 1}), Kind::kExtension},
  };
}

TEST(MsgpackParser, AcceptsEveryFormatAndNoPrefixOfIt) {
  Parser parser;
  for (auto const& c : accepted()) {
    SCOPED_TRACE(c.name);
    auto const parsed = parser.parse(c.data);
    ASSERT_TRUE(parsed) << parsed.error().context;
    EXPECT_EQ(parsed->kind(), c.kind);
    EXPECT_EQ(base::as_text(parsed->raw()), c.data);
    for (std::size_t size = 0; size < c.data.size(); ++size) {
      std::vector<char> const exact(c.data.begin(),
                                    c.data.begin() + static_cast<std::ptrdiff_t>(size));
      EXPECT_FALSE(parser.parse(std::string_view(exact.data(), exact.size()))) << size;
    }
    EXPECT_FALSE(parser.parse(c.data + '\x01'));
  }
}

TEST(MsgpackParser, RefusesWithOffsetFoundAndExpected) {
  struct Case {
    char const* name;
    std::string data, error;
  };
  Parser parser;
  for (auto const& c : {
           Case{"empty", "", "byte 0: found the end, expected a value"},
           Case{"unused byte", bytes({0x91, 0xC1}),
                "byte 1: found byte 0xc1, which MessagePack never uses, expected a value"},
           Case{"bytes after", bytes({0xC0, 0xC0, 1}),
                "byte 1: 2 bytes after the value, expected the end"},
           Case{"str ends", bytes({0xA3, 'a'}),
                "byte 0: found the end after 2 bytes, expected a string of 3 bytes after a header "
                "of 1"},
           Case{"huge str", bytes({0xDB, 0xFF, 0xFF, 0xFF, 0xFF}),
                "byte 0: found the end after 5 bytes, expected a string of 4294967295 bytes after "
                "a header of 5"},
           Case{"huge map", bytes({0xDF, 0xFF, 0xFF, 0xFF, 0xFF}),
                "byte 0: found 0 bytes left, expected 8589934590 values of at least one byte each"},
           Case{"map without its value", bytes({0x81, 1}),
                "byte 0: found 1 bytes left, expected 2 values of at least one byte each"},
           Case{"not UTF-8", bytes({0x91, 0xA2, 'a', 0xFF}),
                "byte 3: found byte 0xff in a string, expected valid UTF-8"},
           Case{"long, not UTF-8", bytes({0xAA, '0', '1', '2', '3', '4', '5', '6', '7', 0xC3, '9'}),
                "byte 9: found byte 0xc3 in a string, expected valid UTF-8"},
           Case{"timestamp size", bytes({0xD4, 0xFF, 0}),
                "byte 0: found a timestamp of 1 bytes, expected 4, 8 or 12"},
           Case{"timestamp ns",
                bytes({0xC7, 12, 0xFF, 0x3B, 0x9A, 0xCA, 0, 0, 0, 0, 0, 0, 0, 0, 0}),
                "byte 0: found a timestamp with 1000000000 ns, expected at most 999999999"},
       }) {
    SCOPED_TRACE(c.name);
    auto const parsed = parser.parse(c.data);
    ASSERT_FALSE(parsed);
    EXPECT_EQ(parsed.error().context, "MessagePack, " + c.error);
    EXPECT_EQ(parsed.error().code, ErrorCode::kInvalidArgument);
  }
}

TEST(MsgpackParser, BoundsLevelsAndValues) {
  Parser parser({.nesting_max = 3, .values_max = 4});
  EXPECT_EQ(parser.parse(bytes({0x91, 0x91, 0x91, 0xC0}))->nesting(), 3u);
  auto const deep = parser.parse(bytes({0x91, 0x91, 0x91, 0x90}));
  ASSERT_FALSE(deep);
  EXPECT_EQ(deep.error().code, ErrorCode::kTooLarge);
  EXPECT_EQ(deep.error().context,
            "MessagePack, byte 3: found level 4 of arrays and maps, expected at most 3");
  EXPECT_EQ(parser.parse(bytes({0x94, 1, 2, 3, 4})).error().code, ErrorCode::kTooLarge);
  EXPECT_TRUE(validate(base::as_bytes(std::string(1023, '\x91') + '\x90'), 5000));
  EXPECT_FALSE(validate(base::as_bytes(std::string(1024, '\x91') + '\x90'), 5000)) << "the cap";
}

TEST(MsgpackParser, RecordsOnlyAsDeepAsAsked) {
  std::string data;
  MsgpackWriter w(data);
  w.array(2).map(2).member("id", "a").value("body").map(1).value("x").array(2).value(1).nil().map(
      0);
  Parser parser({.recorded_depth = 2, .values_max = 7});
  auto const root = parser.parse(data);
  ASSERT_TRUE(root) << root.error().context;
  auto const body = (*root->elements().begin()).find("body");
  ASSERT_TRUE(body);
  EXPECT_EQ(body->nesting(), 2u);
  EXPECT_TRUE(body->members().empty());
  EXPECT_EQ(base::as_text(body->raw()), bytes({0x81, 0xA1, 'x', 0x92, 1, 0xC0}));
}

TEST(MsgpackParser, ReadsWhatTheWriterWrote) {
  Parser parser;
  std::string scratch;
  for (std::int64_t const v : {std::int64_t{0},
                               std::int64_t{127},
                               std::int64_t{128},
                               std::int64_t{255},
                               std::int64_t{256},
                               std::int64_t{65535},
                               std::int64_t{65536},
                               std::int64_t{4294967295},
                               std::int64_t{4294967296},
                               INT64_MAX,
                               std::int64_t{-1},
                               std::int64_t{-32},
                               std::int64_t{-33},
                               std::int64_t{-128},
                               std::int64_t{-129},
                               std::int64_t{-32768},
                               std::int64_t{-32769},
                               std::int64_t{INT32_MIN},
                               std::int64_t{INT32_MIN} - 1,
                               INT64_MIN}) {
    std::string data;
    MsgpackWriter(data).value(v);
    auto const read = parser.parse(data);
    ASSERT_TRUE(read) << v;
    EXPECT_EQ(read->as_int64(), v);
    EXPECT_EQ(read->as_double(), static_cast<double>(v));
  }
  std::string largest;
  MsgpackWriter(largest).value(UINT64_MAX);
  EXPECT_EQ(parser.parse(largest)->as_uint64(), UINT64_MAX);
  EXPECT_EQ(parser.parse(largest)->as_int64(), std::nullopt);
  for (std::size_t const size : {0u, 31u, 32u, 255u, 256u, 65535u, 65536u}) {
    std::string const text(size, 'x');
    std::string data;
    MsgpackWriter w(data);
    w.array(3).value(text).binary(base::as_bytes(text)).extension(7, base::as_bytes(text));
    auto const read = parser.parse(data);
    ASSERT_TRUE(read) << size;
    auto element = read->elements().begin();
    EXPECT_EQ((*element).as_string(scratch), text);
    EXPECT_EQ(base::as_text(*(*++element).as_binary()), text);
    EXPECT_EQ(base::as_text(*(*++element).as_binary()), text);
    EXPECT_EQ((*element).extension_type(), 7);
  }
  for (std::uint32_t const count : {0u, 15u, 16u, 65535u, 65536u}) {
    std::string data;
    MsgpackWriter w(data);
    w.array(2).array(count);
    for (std::uint32_t i = 0; i < count; ++i) w.value(1);
    w.map(count);
    for (std::uint32_t i = 0; i < count; ++i) w.value(i).value(true);
    auto const read = parser.parse(data);
    ASSERT_TRUE(read) << count << read.error().context;
    auto const members = (*++read->elements().begin()).members();
    EXPECT_EQ(std::distance(std::begin(data), std::end(data)),
              static_cast<std::ptrdiff_t>(read->raw().size()));
    std::uint32_t seen = 0;
    for (auto const [key, value] : members)
      seen += key.as_int64() == std::int64_t{seen} && value.as_bool() == true;
    EXPECT_EQ(seen, count);
  }
}

TEST(MsgpackParser, TimestampsGoBothWays) {
  Parser parser;
  for (std::int64_t const ns :
       {std::int64_t{0}, std::int64_t{1}, std::int64_t{-1}, std::int64_t{1'700'000'000'000'000'000},
        std::int64_t{4'294'967'295'000'000'000}, std::int64_t{4'294'967'296'000'000'000}, INT64_MAX,
        INT64_MIN}) {
    std::string data;
    MsgpackWriter(data).value(base::Timestamp{ns});
    auto const read = parser.parse(data);
    ASSERT_TRUE(read) << ns << read.error().context;
    EXPECT_EQ(read->as_timestamp(), base::Timestamp{ns});
  }
  std::string const beyond = bytes({0xC7, 12, 0xFF, 0, 0, 0, 0, 0x7F, 0, 0, 0, 0, 0, 0, 0});
  EXPECT_EQ(parser.parse(beyond)->as_timestamp(), std::nullopt)
      << "good, but not an int64 of nanoseconds";
}

TEST(MsgpackParser, ReadsFloats) {
  Parser parser;
  EXPECT_EQ(parser.parse(bytes({0xCA, 0x3D, 0xCC, 0xCC, 0xCD}))->as_double(),
            static_cast<double>(0.1f));
  EXPECT_EQ(parser.parse(bytes({0xCB, 0xFF, 0xF0, 0, 0, 0, 0, 0, 0}))->as_double(),
            -std::numeric_limits<double>::infinity());
  EXPECT_TRUE(std::isnan(*parser.parse(bytes({0xCB, 0x7F, 0xF8, 0, 0, 0, 0, 0, 0}))->as_double()));
}

TEST(MsgpackParser, LookUpTakesTheLastAndDuplicatesAreFound) {
  Parser parser;
  std::string data;
  MsgpackWriter w(data);
  w.map(4).member("a", 1).value(1).value(2).member("a", 3).value(1).value(4);
  auto const root = parser.parse(data);
  EXPECT_EQ(root->find("a")->as_int64(), 3);
  auto const duplicate = tape::find_duplicate_key(*root);
  ASSERT_TRUE(duplicate);
  EXPECT_EQ(duplicate->offset(), 6u);
}

}  // namespace
}  // namespace headrace::codec::msgpack
