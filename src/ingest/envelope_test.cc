// SPDX-License-Identifier: Apache-2.0
#include "ingest/envelope.h"

#include <gtest/gtest.h>

#include "broker/memory/memory_broker.h"
#include "codec/json/json.h"
#include "codec/msgpack/msgpack.h"
#include "codec/msgpack/msgpack_write.h"

namespace headrace::ingest {
namespace {

using codec::msgpack::MsgpackWriter;

constexpr base::Timestamp kNow{1'700'000'000'000'000'000};

class EnvelopeTest : public ::testing::Test {
 protected:
  EnvelopeTest() : broker_(broker::memory::make_memory_broker({}, clock_)) {
    std::vector<model::DataType> types(1);
    types[0].name = model::DataTypeName::trusted("alpha");
    types_ = std::make_unique<TypeTable>(*TypeTable::make(*broker_, types));
    decoder_ = std::make_unique<EnvelopeDecoder>(*types_, limits_);
  }
  ~EnvelopeTest() override { broker_->stop(); }
  bool decode(std::string_view json, Place place = {}) {
    auto const root = parser_.parse(json);
    EXPECT_TRUE(root) << json;
    return root && decoder_->decode(*root, kMessageFields, place, kNow, out_);
  }
  base::ManualClock clock_;
  std::unique_ptr<broker::Broker> broker_;
  model::Limits limits_;
  std::unique_ptr<TypeTable> types_;
  std::unique_ptr<EnvelopeDecoder> decoder_;
  codec::json::Parser parser_;
  Envelope out_;
};

TEST_F(EnvelopeTest, FieldsMayHaveEscapesAndAnyOrder) {
  ASSERT_TRUE(decode(
      R"({"body":[1, 2],"s\u006furce":"a\u00e9\"","ti\u006de":5,"id":"\u0041b","type":"al\u0070ha"})"));
  EXPECT_EQ(out_.source, "a\xc3\xa9\"");
  EXPECT_EQ(out_.id, "Ab");
  EXPECT_EQ(out_.type->type.name.text(), "alpha");
  EXPECT_EQ(out_.time.ns, 5);
  EXPECT_EQ(base::as_text(out_.body), "[1, 2]");
}

TEST_F(EnvelopeTest, TimesAreExactAndBoundedAhead) {
  struct Case {
    std::string_view text;
    std::optional<std::int64_t> want;
  };
  for (auto const& c :
       {Case{"9223372036854775807", {}}, Case{"-9223372036854775808", INT64_MIN},
        Case{"1700086400000000000", kNow.ns + 86'400'000'000'000}, Case{"1700086400000000001", {}},
        Case{"\"2023-11-14T22:13:20.123456789Z\"", kNow.ns + 123'456'789},
        Case{"\"2023-11-14T23:13:20+01:00\"", kNow.ns}, Case{"18446744073709551615", {}},
        Case{"1e18", {}}, Case{"null", {}}, Case{"\"\"", {}}}) {
    SCOPED_TRACE(c.text);
    EXPECT_EQ(decode(fmt::format(R"({{"time":{}}})", c.text)), c.want.has_value());
    if (c.want) {
      EXPECT_EQ(out_.time.ns, *c.want);
    }
  }
}

TEST_F(EnvelopeTest, NamesAreCheckedWithPathAndByte) {
  EXPECT_FALSE(
      decode(fmt::format(R"({{"id":"{}"}})", std::string(129, 'x')), {Place::Root::kElement, 3}));
  EXPECT_EQ(decoder_->error().code, base::ErrorCode::kTooLarge);
  EXPECT_TRUE(decoder_->error().context.starts_with("[3].id: 129 bytes"))
      << decoder_->error().context;
  EXPECT_FALSE(decode(R"({"source":""})", {Place::Root::kMessages, 0}));
  EXPECT_TRUE(decoder_->error().context.starts_with("messages[0].source: empty"))
      << decoder_->error().context;
  EXPECT_TRUE(decoder_->error().context.ends_with("(byte 10)"));
  EXPECT_FALSE(decode(R"({"source":"a\u007fb"})"));
  EXPECT_TRUE(decode(fmt::format(R"({{"id":"{}"}})", std::string(128, 'x'))));
}

TEST_F(EnvelopeTest, MessagePackHasTheSameAnswersAndTimestamps) {
  std::string bytes;
  MsgpackWriter w(bytes);
  w.map(4)
      .member("type", "alpha")
      .member("time", base::Timestamp{kNow.ns + 1})
      .member("source", "s");
  w.value("body").map(1).value(1).value(2);
  codec::msgpack::Parser parser;
  auto const root = parser.parse(bytes);
  ASSERT_TRUE(root);
  ASSERT_TRUE(decoder_->decode(*root, kMessageFields, {}, kNow, out_));
  EXPECT_EQ(out_.time.ns, kNow.ns + 1);
  EXPECT_EQ(out_.encoding, model::BodyEncoding::kMsgpack);
  EXPECT_EQ(out_.body.size(), 3u);
  bytes.clear();
  MsgpackWriter(bytes).map(1).value(7).value(1);
  auto const other = parser.parse(bytes);
  ASSERT_TRUE(other);
  EXPECT_FALSE(decoder_->decode(*other, kMessageFields, {}, kNow, out_));
  EXPECT_TRUE(decoder_->error().context.starts_with("unknown key")) << decoder_->error().context;
}

}  // namespace
}  // namespace headrace::ingest
