// SPDX-License-Identifier: Apache-2.0
#include "codec/json/json.h"

#include <gtest/gtest.h>

#include <limits>

namespace headrace::codec::json {
namespace {

using base::ErrorCode;

struct Refused {
  char const* name;
  std::string text;
  std::size_t at;
  char const* found;
  char const* expected;
};

std::string nested(std::size_t levels) {
  return std::string(levels, '[') + std::string(levels, ']');
}

std::vector<Refused> refused() {
  return {
      {"empty", "", 0, "the end", "a value"},
      {"only space", " \n", 2, "the end", "a value"},
      {"nothing between commas", R"({"skip":[1,,2],"id":"a"})", 11, "','", "a value"},
      {"half a literal", R"({"skip":[1,tru],"id":"a"})", 14, "']'", "true"},
      {"capital literal", "True", 0, "'T'", "a value"},
      {"literal ends early", "nul", 3, "the end", "null"},
      {"trailing comma in an array", "[1,]", 3, "']'", "a value"},
      {"trailing comma in an object", R"({"a":1,})", 7, "'}'", "a key in quotes"},
      {"key without quotes", "{a:1}", 1, "'a'", "a key in quotes"},
      {"no colon", R"({"a" 1})", 5, "'1'", "':' after the key"},
      {"no value", R"({"a":})", 5, "'}'", "a value"},
      {"wrong bracket", "[1}", 2, "'}'", "',' or ']'"},
      {"wrong brace", R"({"a":1])", 6, "']'", "',' or '}'"},
      {"open array", "[1", 2, "the end", "',' or ']'"},
      {"open object", R"({"a":1)", 6, "the end", "',' or '}'"},
      {"two documents", "1 2", 2, "'2'", "the end of the document"},
      {"junk after", "{}x", 2, "'x'", "the end of the document"},
      {"comment", "/**/1", 0, "'/'", "a value"},
      {"byte order mark", "\xEF\xBB\xBF{}", 0, "byte 0xef", "a value"},
      {"NUL between", std::string("[1,\0]", 5), 3, "byte 0x00", "a value"},
      {"NUL after", std::string("1\0", 2), 1, "byte 0x00", "the end of the document"},
      {"other space", "[1,\f2]", 3, "byte 0x0c", "a value"},
      {"leading zero", "[012]", 2, "'1'", "no digit after a leading 0"},
      {"minus alone", "-", 1, "the end", "a digit"},
      {"plus", "+1", 0, "'+'", "a value"},
      {"point first", ".5", 0, "'.'", "a value"},
      {"point last", "[1.]", 3, "']'", "a digit after the point"},
      {"no exponent", "1e", 2, "the end", "a digit of the exponent"},
      {"no exponent after sign", "1e+", 3, "the end", "a digit of the exponent"},
      {"hexadecimal", "0x10", 1, "'x'", "the end of the document"},
      {"NaN", "NaN", 0, "'N'", "a value"},
      {"integer above uint64", "[18446744073709551616]", 1, "'1'", "an integer from"},
      {"integer below int64", "-9223372036854775809", 0, "'-'", "an integer from"},
      {"long integer", std::string(400, '9'), 0, "'9'", "an integer from"},
      {"double too large", "1e400", 0, "'1'", "a number of at most"},
      {"double just too large", "1.7976931348623159e308", 0, "'1'", "a number of at most"},
      {"double of many digits too large", "-" + std::string(310, '9') + ".0", 0, "'-'",
       "a number of at most"},
      {"exponent beyond int64", "1e99999999999999999999", 0, "'1'", "a number of at most"},
      {"small mantissa, larger exponent", "0." + std::string(400, '0') + "1e800", 0, "'0'",
       "a number of at most"},
      {"open string", "\"abc", 4, "the end", "'\"' at the end of the string"},
      {"control character", "\"a\nb\"", 2, "byte 0x0a", "an escape"},
      {"control character far in", "\"0123456789abcdef0123456789\x01\"", 27, "byte 0x01",
       "an escape"},
      {"unknown escape", R"("\x41")", 2, "'x'", "after a backslash"},
      {"escape at the end", R"("\)", 2, "the end", "after a backslash"},
      {"three hexadecimal digits", R"("\u12g4")", 5, "'g'", "four hexadecimal digits"},
      {"hexadecimal digits end", R"("\u12)", 5, "the end", "four hexadecimal digits"},
      {"low surrogate alone", R"("\udc00")", 1, "'\\'", "no low surrogate"},
      {"high surrogate alone", R"("\ud800")", 7, "'\"'", "a low surrogate"},
      {"high surrogate, other escape", R"("\ud800\n")", 8, "'n'", "a low surrogate"},
      {"two high surrogates", R"("\ud800\ud800")", 7, "'\\'", "a low surrogate"},
      {"Latin-1", "\"caf\xE9\"", 4, "byte 0xe9", "valid UTF-8"},
      {"overlong", "\"\xC0\xAF\"", 1, "byte 0xc0", "valid UTF-8"},
      {"surrogate in UTF-8", "\"\xED\xA0\x80\"", 1, "byte 0xed", "valid UTF-8"},
      {"beyond U+10FFFF", "\"\xF4\x90\x80\x80\"", 1, "byte 0xf4", "valid UTF-8"},
      {"cut character", "[\"\xE2\x82\"]", 2, "byte 0xe2", "valid UTF-8"},
      {"high byte outside of strings", "[\xC3\xA9]", 1, "byte 0xc3", "a value"},
  };
}

TEST(JsonParser, RefusesWithOffsetFoundAndExpected) {
  Parser parser;
  for (auto const& c : refused()) {
    SCOPED_TRACE(c.name);
    auto const parsed = parser.parse(c.text);
    ASSERT_FALSE(parsed);
    EXPECT_EQ(parsed.error().code, ErrorCode::kInvalidArgument);
    std::string const begin = fmt::format("JSON, byte {}: found {}, expected ", c.at, c.found);
    EXPECT_EQ(parsed.error().context.substr(0, begin.size()), begin);
    EXPECT_NE(parsed.error().context.find(c.expected), std::string::npos) << parsed.error().context;
  }
}

struct Accepted {
  char const* name;
  std::string text;
  Kind kind;
};

std::vector<Accepted> accepted() {
  return {
      {"null", "null", Kind::kNull},
      {"true", " true ", Kind::kTrue},
      {"false", "\tfalse\r\n", Kind::kFalse},
      {"zero", "0", Kind::kInt64},
      {"minus zero", "-0", Kind::kInt64},
      {"largest int64", "9223372036854775807", Kind::kInt64},
      {"smallest int64", "-9223372036854775808", Kind::kInt64},
      {"above int64", "9223372036854775808", Kind::kUint64},
      {"largest uint64", "18446744073709551615", Kind::kUint64},
      {"fraction", "0.5", Kind::kDouble},
      {"minus zero point", "-0.0", Kind::kDouble},
      {"exponent", "1E+2", Kind::kDouble},
      {"zeros in the exponent", "1e0000000000000000000000002", Kind::kDouble},
      {"largest double", "1.7976931348623157e308", Kind::kDouble},
      {"rounds to the largest double", "1.7976931348623158e308", Kind::kDouble},
      {"too small is zero", "1e-400", Kind::kDouble},
      {"too small with a large exponent", "0." + std::string(700, '0') + "1e330", Kind::kDouble},
      {"many digits", "0." + std::string(1000, '3'), Kind::kDouble},
      {"zero with any exponent", "0e99999999999999999999", Kind::kDouble},
      {"empty string", "\"\"", Kind::kString},
      {"all escapes", R"("\"\\\/\b\f\n\r\t\u0000\u00e9\u20ac\ud83d\ude00")", Kind::kString},
      {"delete is no control character", "\"\x7F\"", Kind::kString},
      {"UTF-8 of all lengths", "\"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\"", Kind::kString},
      {"empty array", "[ ]", Kind::kArray},
      {"empty object", "{ }", Kind::kObject},
      {"empty key", R"({"":1})", Kind::kObject},
      {"duplicate keys", R"({"a":1,"a":2})", Kind::kObject},
      {"32 levels", nested(32), Kind::kArray},
  };
}

TEST(JsonParser, AcceptsAndTellsTheKind) {
  Parser parser;
  for (auto const& c : accepted()) {
    SCOPED_TRACE(c.name);
    auto const parsed = parser.parse(c.text);
    ASSERT_TRUE(parsed) << parsed.error().context;
    EXPECT_EQ(parsed->kind(), c.kind);
  }
}

TEST(JsonParser, ReadsNumbersExactly) {
  Parser parser;
  EXPECT_EQ(parser.parse("-9223372036854775808")->as_int64(),
            std::numeric_limits<std::int64_t>::min());
  EXPECT_EQ(parser.parse("-0")->as_int64(), 0);
  EXPECT_EQ(parser.parse("9223372036854775807")->as_uint64(), 9223372036854775807u);
  EXPECT_EQ(parser.parse("18446744073709551615")->as_uint64(),
            std::numeric_limits<std::uint64_t>::max());
  EXPECT_EQ(parser.parse("18446744073709551615")->as_int64(), std::nullopt);
  EXPECT_EQ(parser.parse("-1")->as_uint64(), std::nullopt);
  EXPECT_EQ(parser.parse("1.0")->as_int64(), std::nullopt);
  EXPECT_EQ(parser.parse("7")->as_double(), 7.0);
  EXPECT_EQ(parser.parse("0.1")->as_double(), 0.1);
  EXPECT_EQ(parser.parse("4.9e-324")->as_double(), 4.9e-324);
  EXPECT_EQ(parser.parse("1e-400")->as_double(), 0.0);
  EXPECT_EQ(parser.parse("1.7976931348623158e308")->as_double(),
            std::numeric_limits<double>::max());
  EXPECT_EQ(parser.parse("\"7\"")->as_double(), std::nullopt);
  EXPECT_TRUE(std::signbit(*parser.parse("-0.0")->as_double()));
}

TEST(JsonParser, ResolvesEscapesAndLeavesPlainTextInPlace) {
  Parser parser;
  std::string scratch;
  std::string const escaped = R"("\"\\\/\b\f\n\r\t\u0000\u00e9\u20AC\ud83d\ude00 end")";
  EXPECT_EQ(parser.parse(escaped)->as_string(scratch),
            std::string_view("\"\\/\b\f\n\r\t\0\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80 end", 22));
  std::string const plain = "\"caf\xC3\xA9\"";
  auto const text = parser.parse(plain)->as_string(scratch);
  ASSERT_TRUE(text);
  EXPECT_EQ(text->data(), plain.data() + 1);
}

TEST(JsonParser, GivesMembersAsTheyArrived) {
  Parser parser;
  std::string const text = R"( {"id" : "a\u0062", "body":{ "x":[1, 2 ,{}],"x":-0 }, "n":1.50 } )";
  auto const root = parser.parse(text);
  ASSERT_TRUE(root);
  EXPECT_EQ(root->offset(), 1u);
  EXPECT_EQ(root->nesting(), 4u);
  EXPECT_EQ(base::as_text(root->find("body")->raw()), R"({ "x":[1, 2 ,{}],"x":-0 })");
  EXPECT_EQ(base::as_text(root->find("n")->raw()), "1.50");
  EXPECT_EQ(base::as_text(root->find("id")->raw()), R"("a\u0062")");
  EXPECT_EQ(root->find("nothing"), std::nullopt);
  EXPECT_EQ(root->find("body")->find("x")->as_int64(), 0) << "the last of equal keys counts";
  EXPECT_EQ(tape::find_duplicate_key(*root), std::nullopt);
  auto const duplicate = tape::find_duplicate_key(*root->find("body"));
  ASSERT_TRUE(duplicate);
  EXPECT_EQ(duplicate->offset(), text.find("\"x\":-0"));
  std::vector<std::string> elements;
  for (Value const value : root->find("body")->members().begin().operator*().value.elements())
    elements.emplace_back(base::as_text(value.raw()));
  EXPECT_EQ(elements, (std::vector<std::string>{"1", "2", "{}"}));
}

TEST(JsonParser, FindsDuplicateKeysWhateverTheirSpelling) {
  Parser parser;
  EXPECT_TRUE(tape::find_duplicate_key(*parser.parse(R"({"a":1,"\u0061":2})")));
  std::string many = "{";
  for (int i = 0; i < 1000; ++i) many += fmt::format("\"k{}\":{},", i, i);
  EXPECT_FALSE(tape::find_duplicate_key(*parser.parse(many + "\"z\":0}")));
  std::string const repeated = many + "\"k7\":0}";
  auto const duplicate = tape::find_duplicate_key(*parser.parse(repeated));
  ASSERT_TRUE(duplicate);
  EXPECT_EQ(duplicate->offset(), many.size());
}

TEST(JsonParser, BoundsLevelsAndValues) {
  Parser parser({.nesting_max = 3, .values_max = 5});
  EXPECT_TRUE(parser.parse("[[[1]]]"));
  auto const deep = parser.parse("[[[[]]]]");
  ASSERT_FALSE(deep);
  EXPECT_EQ(deep.error().code, ErrorCode::kTooLarge);
  EXPECT_EQ(deep.error().context,
            "JSON, byte 3: found '[', expected no more levels of arrays and objects");
  EXPECT_TRUE(parser.parse("[1,2,3,4]"));
  auto const wide = parser.parse("[1,2,3,4,5]");
  ASSERT_FALSE(wide);
  EXPECT_EQ(wide.error().code, ErrorCode::kTooLarge);
  EXPECT_EQ(validate(base::as_bytes(nested(1024)), 100'000).has_value(), true);
  EXPECT_EQ(validate(base::as_bytes(nested(1025)), 100'000).has_value(), false) << "the cap";
}

TEST(JsonParser, RecordsOnlyAsDeepAsAsked) {
  Parser parser({.recorded_depth = 2, .values_max = 6});
  auto const root = parser.parse(R"([{"id":1,"body":{"a":[{},{}],"b":2}}])");
  ASSERT_TRUE(root) << root.error().context;
  auto const body = (*root->elements().begin()).find("body");
  ASSERT_TRUE(body);
  EXPECT_TRUE(body->members().empty());
  EXPECT_EQ(body->nesting(), 3u);
  EXPECT_EQ(base::as_text(body->raw()), R"({"a":[{},{}],"b":2})");
  EXPECT_FALSE(parser.parse(R"([{"body":{"a":[{},{]}}])")) << "what gets no nodes is checked too";
}

// Every prefix of a document is refused (or is a shorter document), with exactly so many bytes to
// read.
TEST(JsonParser, NeverReadsPastTheEnd) {
  std::string const text =
      R"({"id":"0123456789abcdef","t":[true,false,null,-1.5e+3,"\ud83d\ude00"],"o":{"k":12345678901}})";
  Parser parser;
  for (std::size_t size = 0; size < text.size(); ++size) {
    std::vector<char> const exact(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(size));
    auto const parsed = parser.parse(std::string_view(exact.data(), exact.size()));
    ASSERT_FALSE(parsed) << size;
    EXPECT_NE(parsed.error().context.find(fmt::format("byte {}: found the end", size)),
              std::string::npos)
        << parsed.error().context;
  }
  EXPECT_TRUE(parser.parse(text));
}

}  // namespace
}  // namespace headrace::codec::json
