// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>

#include "base/crc32c.h"
#include "base/file_system.h"
#include "codec/record/record_view.h"
#include "codec/record/record_writer.h"

namespace headrace::codec::record {
namespace {

using base::Bytes;
using base::ErrorCode;

base::Uuid producer() { return *base::parse_uuid("018bcfe5-6800-7000-8000-0123456789ab"); }

RecordHeader header() {
  return {.principal = "local",
          .source = "meter-1",
          .producer = producer(),
          .epoch = 7,
          .received = {1'700'000'000'000'000'000}};
}

// The worked example of docs/formats/record.md.
std::string example() {
  RecordWriter writer;
  writer.begin(header());
  writer.add({.sequence = 41,
              .time = {1'699'999'999'500'000'000},
              .id_kind = IdKind::kText,
              .id = base::as_bytes("a1"),
              .body = base::as_bytes(R"({"w":230.5})")});
  return std::string(base::as_text(writer.finish()));
}

// tests/formats/record-v1.bin: every kind of id, every encoding.
std::string sample() {
  RecordWriter writer;
  RecordHeader h = header();
  h.flags = kFlagRedelivered;
  writer.begin(h);
  base::Uuid const id = *base::parse_uuid("2ed6657d-e927-568b-95e1-2665a8aea6a2");
  std::int64_t const t = 1'700'000'000'000'000'000;
  writer.add({.sequence = 100, .time = {t}, .body = base::as_bytes("{}")});
  writer.add({.sequence = 101,
              .time = {t - 5},
              .id_kind = IdKind::kUuid,
              .id = std::as_bytes(std::span(id.bytes)),
              .encoding = model::BodyEncoding::kMsgpack,
              .body = base::as_bytes("\x81\xA1x\x01")});
  writer.add({.sequence = 205,
              .time = {t + 9},
              .id_kind = IdKind::kText,
              .id = base::as_bytes("ü"),
              .encoding = model::BodyEncoding::kPoints,
              .body = Bytes{}});
  writer.add({.sequence = 206, .time = {t}, .encoding = model::BodyEncoding::kNone});
  return std::string(base::as_text(writer.finish()));
}

std::string reseal(std::string bytes) {
  std::uint32_t const crc = base::crc32c(base::as_bytes(bytes).subspan(4));
  std::memcpy(bytes.data(), &crc, 4);
  return bytes;
}

TEST(Record, TheDocumentsExampleIsWhatIsWritten) {
  std::string const page =
      base::read_file(base::real_file_system(), "docs/formats/record.md").value();
  std::size_t const begin = page.find("```hex\n");
  ASSERT_NE(begin, std::string::npos);
  std::string hex;
  std::size_t line = begin + 7;
  while (page.compare(line, 3, "```") != 0) {
    std::size_t const end = page.find('\n', line);
    std::string const text = page.substr(line, end - line);
    for (char const c : text.substr(6, text.find('|') - 6))
      if (c != ' ') hex += c;
    line = end + 1;
  }
  std::string want;
  for (char const c : example()) want += fmt::format("{:02x}", static_cast<unsigned char>(c));
  EXPECT_EQ(hex, want);
}

TEST(Record, Version1SampleStaysReadableAndIsStillWritten) {
  std::string const stored =
      base::read_file(base::real_file_system(), "tests/formats/record-v1.bin").value();
  EXPECT_EQ(stored, sample());
  auto const record = RecordView::open(base::as_bytes(stored));
  ASSERT_TRUE(record) << record.error().context;
  EXPECT_EQ(record->kind(), Kind::kMessages);
  EXPECT_EQ(record->flags(), kFlagRedelivered);
  EXPECT_EQ(record->principal(), "local");
  EXPECT_EQ(record->source(), "meter-1");
  EXPECT_EQ(record->producer(), producer());
  EXPECT_EQ(record->epoch(), 7u);
  EXPECT_EQ(record->received().ns, 1'700'000'000'000'000'000);
  EXPECT_EQ(record->first_sequence(), 100u);
  EXPECT_EQ(record->last_sequence(), 206u);
  EXPECT_EQ(record->time_min().ns, 1'699'999'999'999'999'995);
  EXPECT_EQ(record->time_max().ns, 1'700'000'000'000'000'009);
  ASSERT_EQ(record->count(), 4u);
  MessageView message = record->first();
  EXPECT_EQ(message_id(*record, message), "018bcfe5-6800-7000-8000-0123456789ab.7.100");
  EXPECT_EQ(base::as_text(message.body()), "{}");
  message = message.next();
  EXPECT_EQ(message_id(*record, message), "2ed6657d-e927-568b-95e1-2665a8aea6a2");
  EXPECT_EQ(message.encoding(), model::BodyEncoding::kMsgpack);
  message = message.next();
  EXPECT_EQ(message_id(*record, message), "ü");
  EXPECT_EQ(message.sequence_delta(), 105u);
  EXPECT_TRUE(message.body().empty());
  message = message.next();
  EXPECT_EQ(message_id(*record, message), "018bcfe5-6800-7000-8000-0123456789ab.7.206");
}

TEST(Record, WithoutMessagesIsAnEvent) {
  RecordWriter writer;
  RecordHeader h = header();
  h.kind = Kind::kSourceInactive;
  writer.begin(h);
  Bytes const bytes = writer.finish();
  auto const record = RecordView::open(bytes);
  ASSERT_TRUE(record) << record.error().context;
  EXPECT_EQ(record->kind(), Kind::kSourceInactive);
  EXPECT_EQ(record->count(), 0u);
  EXPECT_EQ(record->time_min(), record->received());
  EXPECT_EQ(record->bytes().size(), 104u);
}

TEST(Record, EverySingleBitFlipIsCorrupt) {
  std::string const good = sample();
  for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
    std::string bad = good;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << bit % 8));
    auto const record = RecordView::open(base::as_bytes(bad));
    ASSERT_FALSE(record) << bit;
    ASSERT_EQ(record.error().code, ErrorCode::kCorrupt);
  }
}

TEST(Record, EveryPrefixIsCorrupt) {
  std::string const good = sample();
  for (std::size_t size = 0; size < good.size(); ++size) {
    std::vector<char> const exact(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(size));
    EXPECT_FALSE(RecordView::open(base::as_bytes({exact.data(), exact.size()}))) << size;
  }
  EXPECT_FALSE(RecordView::open(base::as_bytes(good + std::string(8, '\0'))));
}

// What has a good checksum and still is no record: each rule by itself.
TEST(Record, EachRuleIsCheckedBehindAGoodChecksum) {
  struct Case {
    char const* name;
    std::size_t at;
    std::string bytes;
    std::string error;
  };
  std::string const good = example();  // message at 104: header 24, id 2, body 11, padding 3
  ASSERT_EQ(good.size(), 144u);
  for (auto const& c : {
           Case{"version", 8, "\x02", "record, byte 8: version 2, expected 1"},
           Case{"kind", 9, "\x05", "record, byte 9: kind 5, expected 0 to 4"},
           Case{"names", 80, "\xFF\xFF",
                "record, byte 84: messages at 104, expected 65632 within 144 bytes"},
           Case{"messages_at", 84, "\x70",
                "record, byte 84: messages at 112, expected 104 within 144 bytes"},
           Case{"count too large", 12, "\x02",
                "record, byte 144: 0 bytes left, expected a message header of 24"},
           Case{"count too small", 12, std::string(1, '\0'),
                "record, byte 104: 40 bytes after message 0, expected none"},
           Case{"message length", 104, "\x30",
                "record, byte 104: message length 48, expected 40 within the 40 bytes left"},
           Case{
               "body length", 120, "\xFF\xFF\xFF\xFF",
               "record, byte 104: message length 40, expected 4294967328 within the 40 bytes left"},
           Case{"id kind", 126, "\x03", "record, byte 124: an id of kind 3 with 2 bytes"},
           Case{"id of a uuid", 126, "\x01", "record, byte 124: an id of kind 1 with 2 bytes"},
           Case{"encoding", 127, "\x04", "record, byte 127: body encoding 4, expected 0 to 3"},
           Case{"body of none", 127, "\x03", "record, byte 120: 11 bytes of a body that is none"},
           Case{"first delta", 108, "\x01", "record, byte 108: first sequence delta 1, expected 0"},
           Case{"last sequence", 56, "\x2A",
                "record, byte 56: last sequence 42, expected 41 and 0"},
           Case{"earliest", 64, "\x01", "record, byte 64: earliest time "},
           Case{"latest", 72, "\x01", "record, byte 72: latest time "},
       }) {
    SCOPED_TRACE(c.name);
    std::string bad = good;
    bad.replace(c.at, c.bytes.size(), c.bytes);
    auto const record = RecordView::open(base::as_bytes(reseal(bad)));
    ASSERT_FALSE(record);
    EXPECT_EQ(record.error().context.substr(0, c.error.size()), c.error);
  }
}

TEST(Record, SequencesMustAscend) {
  std::string bad = sample();
  std::size_t const second = 104 + 32;
  bad[second + 4] = '\0';  // the delta of the second message
  auto const record = RecordView::open(base::as_bytes(reseal(bad)));
  ASSERT_FALSE(record);
  EXPECT_EQ(record.error().context, "record, byte 140: sequence delta 0, expected more than 0");
}

TEST(Record, LengthIsFoundWithoutTheRest) {
  std::string const good = example();
  EXPECT_EQ(RecordView::length_at(base::as_bytes(good.substr(0, 8))), 144u);
  EXPECT_EQ(RecordView::length_at(base::as_bytes(good.substr(0, 7))), std::nullopt);
  for (std::uint32_t const length : {0u, 80u, 89u, 64u * 1024 * 1024 + 8}) {
    std::string bad = good;
    std::memcpy(bad.data() + 4, &length, 4);
    EXPECT_EQ(RecordView::length_at(base::as_bytes(bad)), std::nullopt) << length;
  }
}

TEST(RecordWriter, SaysWhatFits) {
  RecordWriter writer;
  writer.begin(header());
  EXPECT_TRUE(writer.fits(2, kRecordBytesMax - 104 - 24 - 2));
  EXPECT_FALSE(writer.fits(2, kRecordBytesMax - 104 - 24 - 1));
  EXPECT_FALSE(writer.fits(65'536, 0));
  EXPECT_FALSE(writer.fits(0, SIZE_MAX));
}

TEST(RecordWriter, IsUsedAgainWithoutTraces) {
  RecordWriter writer;
  writer.begin(header());
  writer.add({.sequence = 9, .body = base::as_bytes(std::string(1000, 'x'))});
  writer.finish();
  writer.begin(header());
  writer.add({.sequence = 41,
              .time = {1'699'999'999'500'000'000},
              .id_kind = IdKind::kText,
              .id = base::as_bytes("a1"),
              .body = base::as_bytes(R"({"w":230.5})")});
  EXPECT_EQ(base::as_text(writer.finish()), example());
}

TEST(RecordWriterDeathTest, MisuseAborts) {
  RecordWriter writer;
  EXPECT_DEATH(writer.finish(), "finish\\(\\) after begin");
  writer.begin(header());
  writer.add({.sequence = 5});
  EXPECT_DEATH(writer.add({.sequence = 5}), "sequences ascend");
  EXPECT_DEATH(writer.add({.sequence = 6, .id_kind = IdKind::kUuid}), "16 bytes");
}

}  // namespace
}  // namespace headrace::codec::record
