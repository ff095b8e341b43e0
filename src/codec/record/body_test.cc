// SPDX-License-Identifier: Apache-2.0
#include "codec/record/body.h"

#include <gtest/gtest.h>

#include "codec/json/json.h"
#include "codec/msgpack/msgpack_write.h"
#include "codec/record/points.h"

namespace headrace::codec::record {
namespace {

using model::BodyEncoding;

std::string rendered(BodyEncoding encoding, std::string_view bytes) {
  std::string out;
  Body(encoding, base::as_bytes(bytes)).append_json(out);
  EXPECT_TRUE(json::validate(base::as_bytes(out), 1024)) << out;
  return out;
}

std::string bytes(std::initializer_list<unsigned> list) {
  std::string out;
  for (unsigned const b : list) out += static_cast<char>(b);
  return out;
}

TEST(Body, MsgpackRendersAsTheTableSays) {
  struct Case {
    char const* name;
    std::string data, json;
  };
  for (auto const& c : {
           Case{"nil", bytes({0xC0}), "null"},
           Case{"false", bytes({0xC2}), "false"},
           Case{"int64", bytes({0xD3, 0x80, 0, 0, 0, 0, 0, 0, 0}), "-9223372036854775808"},
           Case{"uint64", bytes({0xCF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF}),
                "18446744073709551615"},
           Case{"float64", bytes({0xCB, 0x3F, 0xB9, 0x99, 0x99, 0x99, 0x99, 0x99, 0x9A}), "0.1"},
           Case{"whole float", bytes({0xCA, 0x3F, 0x80, 0, 0}), "1.0"},
           Case{"float32 is widened", bytes({0xCA, 0x3D, 0xCC, 0xCC, 0xCD}), "0.10000000149011612"},
           Case{"NaN", bytes({0xCA, 0x7F, 0xC0, 0, 0}), "\"NaN\""},
           Case{"infinity", bytes({0xCA, 0xFF, 0x80, 0, 0}), "\"-Infinity\""},
           Case{"str", bytes({0xA3, 'a', '"', 0xA}), R"("a\"\n")"},
           Case{"bin", bytes({0xC4, 2, 0xFF, 0}), R"({"$binary":"/wA="})"},
           Case{"ext", bytes({0xC7, 3, 0xFB, 1, 2, 3}), R"({"$ext":[-5,"AQID"]})"},
           Case{"timestamp", bytes({0xD6, 0xFF, 0, 0, 0, 1}), R"("1970-01-01T00:00:01Z")"},
           Case{"timestamp out of range",
                bytes({0xC7, 12, 0xFF, 0, 0, 0, 0, 0x7F, 0, 0, 0, 0, 0, 0, 0}),
                R"({"$ext":[-1,"AAAAAH8AAAAAAAAA"]})"},
           Case{"arrays", bytes({0x93, 0x90, 0x80, 0x91, 1}), "[[],{},[1]]"},
           Case{"keys that are no strings",
                bytes({0x85, 1, 2, 0xC0, 0xC3, 0x92, 1, 2, 3, 0xC4, 1, 0, 4, 0xCA, 0x7F, 0xC0, 0, 0,
                       5}),
                R"({"1":2,"null":true,"[1,2]":3,"{\"$binary\":\"AA==\"}":4,"NaN":5})"},
           Case{"duplicate keys in order", bytes({0x82, 0xA1, 'a', 1, 0xA1, 'a', 2}),
                R"({"a":1,"a":2})"},
       }) {
    SCOPED_TRACE(c.name);
    EXPECT_EQ(rendered(BodyEncoding::kMsgpack, c.data), c.json);
  }
}

TEST(Body, JsonStaysAsItArrived) {
  EXPECT_EQ(rendered(BodyEncoding::kJson, R"({ "a" : 1.50 , "a":1e2})"),
            R"({ "a" : 1.50 , "a":1e2})");
}

TEST(Body, NoneAndWhatIsNoneOfOursIsNull) {
  EXPECT_EQ(rendered(BodyEncoding::kNone, ""), "null");
  EXPECT_EQ(rendered(BodyEncoding::kMsgpack, "\xC1"), "null");
  EXPECT_EQ(rendered(BodyEncoding::kPoints, "short"), "null");
}

model::Points points() {
  model::StreamPoints power, count;
  power.stream = *base::parse_uuid("2ed6657d-e927-568b-95e1-2665a8aea6a2");
  power.key = "power,site=a";
  power.times_ns = {0, 1'500'000'000};
  power.value_bits = {std::bit_cast<std::uint64_t>(230.5), std::bit_cast<std::uint64_t>(-0.0)};
  count.stream = *base::parse_uuid("018bcfe5-6800-7000-8000-0123456789ab");
  count.value_type = model::ValueType::kInt64;
  count.times_ns = {-1};
  count.value_bits = {static_cast<std::uint64_t>(INT64_MIN)};
  return {power, count, model::StreamPoints{}};
}

TEST(Points, GoThroughTheirFormatUnchanged) {
  std::string data;
  encode_points(data, points());
  EXPECT_EQ(data.size(), 8u + 3 * 24 + 16 + 3 * 16);
  EXPECT_EQ(decode_points(base::as_bytes(data)).value(), points());
  std::string none;
  encode_points(none, {});
  EXPECT_EQ(decode_points(base::as_bytes(none)).value(), model::Points{});
}

TEST(Points, RenderAsTheTableSays) {
  std::string data;
  encode_points(data, points());
  EXPECT_EQ(
      rendered(BodyEncoding::kPoints, data),
      R"({"points":[{"stream":"2ed6657d-e927-568b-95e1-2665a8aea6a2","key":"power,site=a",)"
      R"("times":["1970-01-01T00:00:00Z","1970-01-01T00:00:01.500Z"],"values":[230.5,-0.0]},)"
      R"({"stream":"018bcfe5-6800-7000-8000-0123456789ab","times":["1969-12-31T23:59:59.999999999Z"],)"
      R"("values":[-9223372036854775808]},{"stream":"00000000-0000-0000-0000-000000000000","times":[],"values":[]}]})");
  EXPECT_EQ(Body(BodyEncoding::kPoints, base::as_bytes(data)).find("points.0.values.0"),
            Scalar(230.5));
}

TEST(Points, WrongLengthsAreCorrupt) {
  std::string good;
  encode_points(good, points());
  for (std::size_t size = 0; size < good.size(); ++size) {
    std::vector<char> const exact(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(size));
    auto const decoded = decode_points(base::as_bytes({exact.data(), exact.size()}));
    ASSERT_FALSE(decoded) << size;
    EXPECT_EQ(decoded.error().code, base::ErrorCode::kCorrupt);
  }
  EXPECT_FALSE(decode_points(base::as_bytes(good + "x")));
  struct Case {
    std::size_t at;
    char byte;
    char const* error;
  };
  for (auto const& c :
       {Case{3, '\xFF', "points, byte 0: 4278190083 streams"},
        Case{7, '\xFF', "points, byte 4: 4278190083 points, expected 3"},
        Case{24, 3, "points, byte 4: 3 points, expected 4"},
        Case{28, 77, "points, byte 160: columns of 3 points"},
        Case{30, 2, "points, byte 30: value type 2"}, Case{31, 1, "points, byte 31: expected 0"}}) {
    std::string bad = good;
    bad[c.at] = c.byte;
    auto const decoded = decode_points(base::as_bytes(bad));
    ASSERT_FALSE(decoded) << c.at;
    EXPECT_EQ(decoded.error().context.find(c.error), 0u) << decoded.error().context;
  }
}

TEST(Body, FindsScalarsByPath) {
  std::string const text =
      R"({"data":{"body":{"height":7,"big":18446744073709551615}},"peers":["a",{"x":null}],"a":1,"a":2.5,"":{"":true},"e":"\u0041"})";
  Body const body(BodyEncoding::kJson, base::as_bytes(text));
  struct Case {
    std::string_view path;
    std::optional<Scalar> want;
  };
  for (auto const& c :
       {Case{"data.body.height", Scalar(std::int64_t{7})},
        Case{"data.body.big", Scalar(UINT64_MAX)}, Case{"peers.0", Scalar("a")},
        Case{"peers.1.x", Scalar(nullptr)}, Case{"a", Scalar(2.5)}, Case{".", Scalar(true)},
        Case{"e", Scalar("A")}, Case{"peers", {}}, Case{"data.body", {}}, Case{"peers.2", {}},
        Case{"peers.x", {}}, Case{"peers.-1", {}}, Case{"peers.0.z", {}}, Case{"nothing", {}},
        Case{"data.body.height.", {}}, Case{"", {}}}) {
    SCOPED_TRACE(c.path);
    EXPECT_EQ(body.find(c.path), c.want);
  }
  EXPECT_EQ(Body(BodyEncoding::kJson, base::as_bytes("5")).find(""), Scalar(std::int64_t{5}))
      << "the body itself";
  std::string packed;
  msgpack::MsgpackWriter(packed)
      .map(2)
      .value("t")
      .value(base::Timestamp{0})
      .value("m")
      .map(1)
      .member("x", -3);
  EXPECT_EQ(Body(BodyEncoding::kMsgpack, base::as_bytes(packed)).find("m.x"),
            Scalar(std::int64_t{-3}));
  EXPECT_EQ(Body(BodyEncoding::kMsgpack, base::as_bytes(packed)).find("t"),
            Scalar("1970-01-01T00:00:00Z"));
  EXPECT_EQ(Body(BodyEncoding::kNone, {}).find("x"), std::nullopt);
}

}  // namespace
}  // namespace headrace::codec::record
