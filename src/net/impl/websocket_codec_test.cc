// SPDX-License-Identifier: Apache-2.0
#include "net/impl/websocket_codec.h"

#include <gtest/gtest.h>

namespace headrace::net {
namespace {

constexpr std::uint32_t kMask = 0xA1B2C3D4;

struct Feeder {
  FrameReader reader;
  WebSocketOptions options{.message_bytes_max = 70'000};
  std::string said;

  explicit Feeder(WebSocketRole role) : reader(role) {}
  void feed(std::string piece) {
    std::span<char> input(piece);
    while (true) {
      auto const event = reader.next(input, options);
      if (event == FrameEvent::kNeedMore || reader_failed_) return;
      describe(event);
    }
  }
  void describe(FrameEvent event) {
    auto const payload = std::string(reader.payload().data(), reader.payload().size());
    auto const shown = payload.size() > 20 ? std::to_string(payload.size()) : payload;
    switch (event) {
      case FrameEvent::kMessage:
        said += (reader.kind() == MessageKind::kText ? "text " : "binary ") + shown + "\n";
        break;
      case FrameEvent::kPing: said += "ping " + shown + "\n"; break;
      case FrameEvent::kPong: said += "pong " + shown + "\n"; break;
      case FrameEvent::kClose:
        said +=
            "close " + std::to_string(static_cast<int>(reader.close_code())) + " " + shown + "\n";
        break;
      case FrameEvent::kFault:
        reader_failed_ = true;
        said += "fault " + std::to_string(static_cast<int>(reader.close_code())) + "\n";
        break;
      case FrameEvent::kNeedMore: break;
    }
  }
  bool reader_failed_ = false;
};

std::string frame(std::uint8_t op, std::string_view payload, bool fin = true) {
  std::string out;
  append_frame(out, op, payload, kMask);
  if (!fin) out[0] = static_cast<char>(out[0] & 0x7f);
  return out;
}

struct Case {
  char const* name;
  std::string bytes;
  std::string said;
};
std::vector<Case> const& cases() {
  static std::vector<Case> const kCases = {
      {"text", frame(1, "hello"), "text hello\n"},
      {"empty", frame(1, "") + frame(2, ""), "text \nbinary \n"},
      {"126 bytes", frame(2, std::string(126, 'x')), "binary 126\n"},
      {"65535 bytes", frame(2, std::string(65'535, 'x')), "binary 65535\n"},
      {"65536 bytes", frame(2, std::string(65'536, 'x')), "binary 65536\n"},
      {"fragments with a ping between",
       frame(1, "a", false) + frame(9, "p") + frame(0, "", false) + frame(0, "b"),
       "ping p\ntext ab\n"},
      {"a character across fragments", frame(1, "\xc3", false) + frame(0, "\xa4"),
       "text \xc3\xa4\n"},
      {"empty fragments", frame(1, "", false) + frame(0, ""), "text \n"},
      {"pong", frame(10, "x"), "pong x\n"},
      {"close",
       frame(8,
             "\x03\xe8"
             "bye"),
       "close 1000 bye\n"},
      {"close without code", frame(8, ""), "close 1005 \n"},
      {"private code", frame(8, "\x0f\xa0"), "close 4000 \n"},
      {"long in one byte too many", std::string("\x81\xfe\x00\x05", 4) + "mmmmhello",
       "fault 1002\n"},
      {"huge", std::string("\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff", 10) + "mmmm",
       "fault 1009\n"},
      {"length beyond 63 bits",
       std::string("\x82\xff\xff\xff\xff\xff\xff\xff\xff\xff", 10) + "mmmm", "fault 1002\n"},
      {"not UTF-8 at the end", frame(1, "abc\xc3"), "fault 1007\n"},
      {"surrogate", frame(1, "\xed\xa0\x80"), "fault 1007\n"},
      {"fine, then bad", frame(1, "ok") + frame(5, ""), "text ok\nfault 1002\n"},
  };
  return kCases;
}

TEST(FrameReader, Table) {
  for (auto const& c : cases()) {
    SCOPED_TRACE(c.name);
    Feeder whole(WebSocketRole::kServer);
    whole.feed(c.bytes);
    EXPECT_EQ(whole.said, c.said);
    EXPECT_LE(whole.reader.kept_bytes(), c.bytes.size());
  }
}

TEST(FrameReader, AnySplitSaysTheSame) {
  for (auto const& c : cases()) {
    SCOPED_TRACE(c.name);
    std::size_t const step = c.bytes.size() > 1000 ? 997 : 1;
    for (std::size_t at = 1; at < c.bytes.size(); at += step) {
      Feeder halves(WebSocketRole::kServer);
      halves.feed(c.bytes.substr(0, at));
      halves.feed(c.bytes.substr(at));
      ASSERT_EQ(halves.said, c.said) << "split at " << at;
    }
    if (step > 1) continue;
    Feeder bytes(WebSocketRole::kServer);
    for (char const b : c.bytes) bytes.feed(std::string(1, b));
    EXPECT_EQ(bytes.said, c.said) << "byte by byte";
  }
}

TEST(FrameReader, KeepsNothingBetweenMessages) {
  FrameReader reader(WebSocketRole::kServer);
  auto bytes = frame(1, "one") + frame(1, "two");
  for (std::size_t at = 0; at < bytes.size(); at += 5) {
    std::span<char> input(bytes.data() + at, std::min<std::size_t>(5, bytes.size() - at));
    while (reader.next(input, {}) != FrameEvent::kNeedMore) {
    }
  }
  EXPECT_EQ(reader.kept_bytes(), 0u);
}

TEST(FrameReader, TheClientTakesUnmaskedFramesOnly) {
  std::string plain;
  append_frame(plain, 1, "hi", std::nullopt);
  Feeder client(WebSocketRole::kClient);
  client.feed(plain + frame(1, "x"));
  EXPECT_EQ(client.said, "text hi\nfault 1002\n");
}

TEST(ApplyMask, EveryLengthAndAlignment) {
  unsigned char const key[4] = {0xD4, 0xC3, 0xB2, 0xA1};  // kMask in memory order
  for (std::size_t offset = 0; offset < 9; ++offset) {
    for (std::size_t size = 0; size < 100; ++size) {
      std::string text(offset + size, 'q'), want = text;
      for (std::size_t i = 0; i < size; ++i)
        want[offset + i] = static_cast<char>(want[offset + i] ^ static_cast<char>(key[i % 4]));
      apply_mask({text.data() + offset, size}, kMask);
      ASSERT_EQ(text, want) << offset << " " << size;
    }
  }
}

TEST(ClosePayload, CutsAtACharacter) {
  std::string reason(122, 'a');
  reason += "\xc3\xa4";
  EXPECT_EQ(close_payload(CloseCode::kNormal, reason).size(), 2u + 122u);
  EXPECT_EQ(close_payload(CloseCode::kNoStatus, "x"), "");
}

TEST(AcceptKey, OfRfc6455) {
  EXPECT_EQ(accept_key("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
  EXPECT_TRUE(is_key(make_key()));
  EXPECT_FALSE(is_key("dGhlIHNhbXBsZSBub25jZQ="));
}

}  // namespace
}  // namespace headrace::net
