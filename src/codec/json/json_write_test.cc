// SPDX-License-Identifier: Apache-2.0
#include "codec/json/json_write.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/random.h"
#include "codec/json/json.h"

namespace headrace::codec::json {
namespace {

std::string text_of(std::string_view text) {
  std::string out;
  append_string(out, text);
  return out;
}

TEST(JsonWrite, EscapesStrings) {
  EXPECT_EQ(text_of(""), R"("")");
  EXPECT_EQ(text_of("plain \xC3\xA9"), "\"plain \xC3\xA9\"");
  EXPECT_EQ(text_of("\"\\\b\f\n\r\t/"), R"("\"\\\b\f\n\r\t/")");
  EXPECT_EQ(text_of(std::string_view("\0\x1f\x7f", 3)), "\"\\u0000\\u001f\x7f\"");
  EXPECT_EQ(text_of("a\xFF\xC3"), "\"a\xEF\xBF\xBD\xEF\xBF\xBD\"") << "never invalid UTF-8";
}

std::string text_of(double value) {
  std::string out;
  append_double(out, value);
  return out;
}

TEST(JsonWrite, WritesDoublesShortestAndRecognisable) {
  EXPECT_EQ(text_of(0.1), "0.1");
  EXPECT_EQ(text_of(1.0), "1.0");
  EXPECT_EQ(text_of(-0.0), "-0.0");
  EXPECT_EQ(text_of(1e300), "1e+300");
  EXPECT_EQ(text_of(5e-324), "5e-324");
  EXPECT_EQ(text_of(std::numeric_limits<double>::quiet_NaN()), "\"NaN\"");
  EXPECT_EQ(text_of(std::numeric_limits<double>::infinity()), "\"Infinity\"");
  EXPECT_EQ(text_of(-std::numeric_limits<double>::infinity()), "\"-Infinity\"");
}

TEST(JsonWrite, DoublesReadBackTheSame) {
  base::Random random(7);
  Parser parser;
  for (int i = 0; i < 20'000; ++i) {
    auto const value = std::bit_cast<double>(random.next());
    if (!std::isfinite(value)) continue;
    std::string const text = text_of(value);
    auto const read = parser.parse(text);
    ASSERT_TRUE(read) << text;
    ASSERT_EQ(std::bit_cast<std::uint64_t>(*read->as_double()), std::bit_cast<std::uint64_t>(value))
        << text;
  }
}

TEST(JsonWriter, SeparatesMembersAndElements) {
  std::string out = "before";
  JsonWriter w(out);
  w.begin_object()
      .member("a", 1)
      .member("b", "x")
      .key("c")
      .begin_array()
      .value(true)
      .null()
      .value(1.5)
      .end_array();
  w.key("d")
      .begin_object()
      .end_object()
      .key("e")
      .begin_array()
      .begin_array()
      .end_array()
      .begin_array()
      .end_array()
      .end_array();
  w.member("f", std::numeric_limits<std::uint64_t>::max())
      .member("g", std::numeric_limits<std::int64_t>::min());
  w.key("h")
      .raw(R"({"x":[]})")
      .member("t", base::Timestamp{1'500'000'000})
      .member("", ":")
      .end_object();
  EXPECT_EQ(
      out,
      R"(before{"a":1,"b":"x","c":[true,null,1.5],"d":{},"e":[[],[]],"f":18446744073709551615,)"
      R"("g":-9223372036854775808,"h":{"x":[]},"t":"1970-01-01T00:00:01.500Z","":":"})");
}

}  // namespace
}  // namespace headrace::codec::json
