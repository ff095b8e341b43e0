// SPDX-License-Identifier: Apache-2.0
#include "documents/where.h"

#include <limits>

namespace headrace::documents {
namespace {

using codec::record::Scalar;

struct Good {
  char const* name;
  std::string_view text;
  Where want;
};

TEST(ParseWhere, Accepts) {
  Good const cases[] = {
      {"nothing", "", {}},
      {"blanks", " \t\n ", {}},
      {"integer", "a = 1", {{"a", Operator::kEqual, std::int64_t{1}}}},
      {"no blanks", "a.b>=-1", {{"a.b", Operator::kGreaterOrEqual, std::int64_t{-1}}}},
      {"uint64",
       "a<18446744073709551615",
       {{"a", Operator::kLess, std::uint64_t{18446744073709551615u}}}},
      {"int64 lowest",
       "a = -9223372036854775808",
       {{"a", Operator::kEqual, std::numeric_limits<std::int64_t>::min()}}},
      {"beyond uint64",
       "a = 18446744073709551616",
       {{"a", Operator::kEqual, 18446744073709551616.0}}},
      {"double", "a <= 1.5e3", {{"a", Operator::kLessOrEqual, 1500.0}}},
      {"string", R"(name != "x")", {{"name", Operator::kNotEqual, std::string("x")}}},
      {"escapes",
       R"(n = "\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00")",
       {{"n", Operator::kEqual, std::string("\"\\/\b\f\n\r\t\xC3\xA9\xF0\x9F\x98\x80")}}},
      {"literals",
       "a = true and b != false and c = null",
       {{"a", Operator::kEqual, true},
        {"b", Operator::kNotEqual, false},
        {"c", Operator::kEqual, nullptr}}},
      {"field named like a word",
       "and = 1 and true.null = null",
       {{"and", Operator::kEqual, std::int64_t{1}}, {"true.null", Operator::kEqual, nullptr}}},
      {"odd names",
       "$x-y_z/@a:0.\xC3\xA9.0 = 1",
       {{"$x-y_z/@a:0.\xC3\xA9.0", Operator::kEqual, std::int64_t{1}}}},
  };
  for (auto const& c : cases) {
    SCOPED_TRACE(c.name);
    auto const got = parse_where(c.text);
    ASSERT_TRUE(got) << base::to_string(got.error());
    EXPECT_EQ(*got, c.want);
    auto const again = parse_where(to_string(*got));
    ASSERT_TRUE(again) << to_string(*got);
    EXPECT_EQ(*again, *got);
  }
}

struct Bad {
  char const* name;
  std::string text;
  std::string_view error;
};

TEST(ParseWhere, RefusesWithThePlace) {
  std::string many;
  for (int i = 0; i < 33; ++i) many += i == 0 ? "a=1" : " and a=1";
  Bad const cases[] = {
      {"no operator", "a", "where: at byte 1: expected one of = != < <= > >=, found the end"},
      {"no literal", "a = ",
       "where: at byte 4: expected a number, a string in double quotes, true, false or null, found "
       "the end"},
      {"no field", "= 1", "where: at byte 0: expected a field (like data.height), found '='"},
      {"empty segment", "a..b = 1",
       "where: at byte 2: expected a field name after '.', found '.b'"},
      {"trailing dot", "a. = 1", "where: at byte 2: expected a field name after '.', found ' '"},
      {"bare word", "a = x",
       "where: at byte 4: expected a number, a string in double quotes, true, false or null, found "
       "'x'"},
      {"word goes on", "a = trueish", "where: at byte 4: expected a number"},
      {"single quotes", "a = 'x'", "where: at byte 4: expected a number"},
      {"open string", "a = \"x", "where: at byte 4: string without its closing"},
      {"bad escape", "a = \"\\x\"", "where: at byte 5: unknown escape"},
      {"escape at the end", "a = \"\\", "where: at byte 5: unknown escape"},
      {"half surrogate", "a = \"\\ud800\"", "where: at byte 5: high surrogate without its low one"},
      {"low surrogate", "a = \"\\udc00\"", "where: at byte 5: low surrogate without its high one"},
      {"short hex", "a = \"\\u12\"", "where: at byte 7: expected four hexadecimal digits"},
      {"control character", "a = \"\n\"", "where: at byte 5: control character"},
      {"leading zero", "a = 01",
       "where: at byte 5: expected a blank or the end after a number, found '1'"},
      {"plus", "a = +1", "where: at byte 4: expected a number"},
      {"minus alone", "a = -", "where: at byte 5: expected a digit, found the end"},
      {"no fraction", "a = 1.", "where: at byte 6: expected a digit"},
      {"no exponent", "a = 1e", "where: at byte 6: expected a digit"},
      {"too large", "a = 1e400", "where: at byte 4: number out of the range of a double"},
      {"or", "a = 1 or b = 2", "where: at byte 6: expected \"and\" or the end, found 'or'"},
      {"trailing and", "a = 1 and",
       "where: at byte 9: expected a field (like data.height), found the end"},
      {"order of null", "a < null",
       "where: at byte 2: true, false and null know only = and !=, not <"},
      {"order of bool", "a >= true",
       "where: at byte 2: true, false and null know only = and !=, not >="},
      {"double operator", "a == 1", "where: at byte 3: expected a number"},
      {"not UTF-8", "a = \"\xFF\"", "where: at byte 5: not UTF-8"},
      {"too many", many, "more than 32 conditions"},
      {"too long", "a = \"" + std::string(kWhereBytesMax, 'x') + "\"",
       "where: 4102 bytes; the bound is 4096"},
  };
  for (auto const& c : cases) {
    SCOPED_TRACE(c.name);
    auto const got = parse_where(c.text);
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error().code, base::ErrorCode::kInvalidArgument);
    EXPECT_NE(got.error().context.find(c.error), std::string::npos) << got.error().context;
  }
}

TEST(Where, ComparesByExactValueAndKind) {
  struct Case {
    char const* name;
    Scalar value;
    std::string_view condition;
    bool want;
  };
  Case const cases[] = {
      {"int equals double", std::int64_t{1}, "a = 1.0", true},
      {"double equals int", 1.0, "a = 1", true},
      {"int below fraction", std::int64_t{1}, "a < 1.5", true},
      {"negative int above fraction", std::int64_t{-1}, "a > -1.5", true},
      {"2^53+1 is not 2^53", std::int64_t{9007199254740993}, "a = 9007199254740992.0", false},
      {"2^53+1 is above 2^53", std::int64_t{9007199254740993}, "a > 9007199254740992.0", true},
      {"uint64 above int64", std::uint64_t{9223372036854775808u}, "a > 9223372036854775807", true},
      {"int64 below uint64", std::int64_t{-1}, "a < 18446744073709551615", true},
      {"uint64 largest below 2^64", std::uint64_t{18446744073709551615u},
       "a < 18446744073709551616", true},
      {"int64 largest below 2^63", std::int64_t{9223372036854775807}, "a < 9223372036854775808.0",
       true},
      {"nan equals nothing", std::numeric_limits<double>::quiet_NaN(), "a = 1", false},
      {"nan is not anything", std::numeric_limits<double>::quiet_NaN(), "a != 1", true},
      {"nan is not below", std::numeric_limits<double>::quiet_NaN(), "a < 1", false},
      {"infinity above all", std::numeric_limits<double>::infinity(), "a > 18446744073709551615",
       true},
      {"strings by bytes", std::string("b"), "a > \"a\"", true},
      {"string prefix is below", std::string("a"), "a < \"aa\"", true},
      {"string is no number", std::string("1"), "a = 1", false},
      {"other kind is unequal", std::string("1"), "a != 1", true},
      {"other kind has no order", std::string("2"), "a > 1", false},
      {"bool is no number", true, "a = 1", false},
      {"bool", true, "a = true", true},
      {"bool unequal", true, "a != false", true},
      {"null is null", nullptr, "a = null", true},
      {"null is not not-null", nullptr, "a != null", false},
      {"a scalar is there", std::int64_t{0}, "a != null", true},
  };
  for (auto const& c : cases) {
    SCOPED_TRACE(c.name);
    auto const where = parse_where(c.condition);
    ASSERT_TRUE(where) << base::to_string(where.error());
    EXPECT_EQ(meets(c.value, where->front()), c.want);
  }
}

TEST(Where, AllConditionsMustBeMetByTheBody) {
  std::string_view const json =
      R"({"data":{"height":101,"ok":true},"name":"x","peers":[{"ms":3},null],"o":{}})";
  codec::record::Body const body(model::BodyEncoding::kJson, base::as_bytes(json));
  struct Case {
    std::string_view where;
    bool want;
  };
  constexpr Case kCases[] = {
      {"", true},
      {"data.height >= 100 and name = \"x\"", true},
      {"data.height >= 100 and name = \"y\"", false},
      {"peers.0.ms = 3 and peers.1 = null", true},
      {"peers.2 = null", false},
      {"absent != 1", false},
      {"o != null", false},
      {"data.ok = true", true},
  };
  for (auto const& c : kCases) {
    SCOPED_TRACE(c.where);
    EXPECT_EQ(meets(body, parse_where(c.where).value()), c.want);
  }
}

}  // namespace
}  // namespace headrace::documents
