// SPDX-License-Identifier: Apache-2.0
#include "agent/impl/session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/impl/backoff.h"

namespace headrace::agent {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

SessionIdentity identity() {
  return {"node-1", *base::parse_uuid("0b7c6a3e-0000-4000-8000-000000000001"), 3, "test agent"};
}

std::vector<SpooledMessage> messages(std::uint64_t first, std::size_t count,
                                     std::string const& body = "{}") {
  std::vector<SpooledMessage> out;
  for (std::size_t i = 0; i < count; ++i)
    out.push_back({first + i, {1000}, "system_metrics", "node-1", body});
  return out;
}

class SessionTest : public ::testing::Test {
 protected:
  void welcome(std::uint64_t last = 0,
               std::string const& limits = R"({"window_messages":10,"window_bytes":100000})") {
    auto const event = session_.on_frame(fmt::format(
        R"({{"type":"welcome","version":1,"last_sequence":{},"durability":"disk","limits":{}}})",
        last, limits));
    ASSERT_TRUE(event) << base::to_string(event.error());
    ASSERT_TRUE(std::holds_alternative<Welcome>(*event));
  }
  std::size_t take(std::vector<SpooledMessage> const& from) {
    return session_.take(from, frame_).messages;
  }
  base::Result<SessionEvent> ack(std::uint64_t sequence) {
    return session_.on_frame(fmt::format(R"({{"type":"ack","sequence":{}}})", sequence));
  }

  Session session_{identity(), 4, false};
  std::string frame_;
};

TEST_F(SessionTest, HelloSaysWhoAndWhichNumbering) {
  EXPECT_EQ(
      session_.hello(),
      R"({"type":"hello","version":1,"source":"node-1","session":"0b7c6a3e-0000-4000-8000-000000000001","epoch":3,"agent":"test agent"})");
}

TEST_F(SessionTest, NothingIsSentBeforeTheWelcome) {
  EXPECT_EQ(session_.room().messages, 0u);
  EXPECT_EQ(take(messages(1, 3)), 0u);
  EXPECT_EQ(frame_, "");
  welcome();
  EXPECT_EQ(take(messages(1, 3)), 3u);
}

TEST_F(SessionTest, WelcomeTellsWhatIsSettledAndSeen) {
  auto const event = session_.on_frame(
      R"({"type":"welcome","version":1,"last_sequence":41,"highest_sequence":57,"durability":"os","new":1})");
  ASSERT_TRUE(event);
  EXPECT_EQ(std::get<Welcome>(*event).settled, 41u);
  EXPECT_EQ(std::get<Welcome>(*event).highest, 57u);
  EXPECT_EQ(std::get<Welcome>(*event).durability, "os");
  EXPECT_EQ(session_.sent_up_to(), 41u);
}

TEST_F(SessionTest, OneMessageIsASingleFrame) {
  welcome();
  take(messages(7, 1, R"({"a":1})"));
  EXPECT_EQ(frame_, R"({"seq":7,"type":"system_metrics","time":1000,"body":{"a":1}})");
}

TEST_F(SessionTest, SeveralAreABatchWithWhatDiffersOnly) {
  welcome();
  auto three = messages(7, 3, "1");
  three[1].data_type = "other";
  three[2].source = "node-2";
  take(three);
  EXPECT_EQ(
      frame_,
      R"({"seq":7,"type":"system_metrics","messages":[{"time":1000,"body":1},{"type":"other","time":1000,"body":1},)"
      R"({"source":"node-2","time":1000,"body":1}]})");
}

TEST_F(SessionTest, TheBatchsSourceIsSaidWhenItIsNotTheHellos) {
  welcome();
  auto two = messages(1, 2, "1");
  two[0].source = two[1].source = "node-9";
  take(two);
  EXPECT_THAT(
      frame_,
      HasSubstr(
          R"("source":"node-9","messages":[{"time":1000,"body":1},{"time":1000,"body":1}]})"));
}

TEST_F(SessionTest, ABatchEndsAtAGapAndAtItsBound) {
  welcome();
  auto gap = messages(1, 2);
  gap.push_back({9, {0}, "system_metrics", "node-1", "{}"});
  EXPECT_EQ(take(gap), 2u);
  EXPECT_EQ(take(messages(9, 9)), 4u);
}

TEST_F(SessionTest, TheWindowHoldsUntilAcks) {
  welcome();
  EXPECT_EQ(take(messages(1, 4)), 4u);
  EXPECT_EQ(take(messages(5, 4)), 4u);
  EXPECT_EQ(take(messages(9, 4)), 2u);
  EXPECT_EQ(session_.room().messages, 0u);
  ASSERT_TRUE(ack(3));  // inside of the first frame
  EXPECT_EQ(session_.room().messages, 0u);
  ASSERT_TRUE(ack(4));
  EXPECT_EQ(session_.room().messages, 4u);
  ASSERT_TRUE(ack(10));
  EXPECT_EQ(session_.outstanding(), 0u);
}

TEST_F(SessionTest, TheWindowOfBytesHoldsButOneFrameMayAlwaysBeOutstanding) {
  welcome(0, R"({"window_messages":100,"window_bytes":50})");
  EXPECT_EQ(take(messages(1, 2, std::string(100, '1'))), 1u);
  EXPECT_EQ(session_.room().messages, 0u);
  ASSERT_TRUE(ack(1));
  EXPECT_EQ(take(messages(2, 2, std::string(100, '1'))), 1u);
}

TEST_F(SessionTest, FramesStayBelowTheBackendsBound) {
  welcome(0, R"({"window_messages":100,"window_bytes":1000000,"frame_bytes":4000})");
  EXPECT_EQ(take(messages(1, 4, std::string(1000, '1'))), 2u);
  EXPECT_LE(frame_.size(), 4000u);
}

TEST_F(SessionTest, AMessageLargerThanAFrameIsPassedOver) {
  welcome(0, R"({"frame_bytes":4000})");
  auto const taken = session_.take(messages(1, 1, std::string(5000, '1')), frame_);
  EXPECT_TRUE(taken.unsendable);
  EXPECT_EQ(taken.messages, 1u);
  EXPECT_EQ(frame_, "");
  EXPECT_EQ(session_.sent_up_to(), 1u);
}

TEST_F(SessionTest, OneByOneSendsNoBatches) {
  Session session(identity(), 100, true);
  ASSERT_TRUE(session.on_frame(
      R"({"type":"welcome","version":1,"last_sequence":0,"limits":{"window_messages":100}})"));
  EXPECT_EQ(session.take(messages(1, 3), frame_).messages, 1u);
  EXPECT_EQ(session.room().messages, 0u);
  EXPECT_EQ(session.only_outstanding(), 1u);
}

TEST_F(SessionTest, NackTellsWhichAndWhy) {
  welcome();
  take(messages(1, 3));
  auto const event = session_.on_frame(
      R"({"type":"nack","sequence":2,"last":3,"code":"not_found","message":"no such type","retry":false})");
  ASSERT_TRUE(event);
  auto const& nack = std::get<Nack>(*event);
  EXPECT_EQ(nack.first, 2u);
  EXPECT_EQ(nack.last, 3u);
  EXPECT_EQ(nack.code, "not_found");
  EXPECT_EQ(session_.outstanding(), 3u);  // the ack that covers it makes room
}

TEST_F(SessionTest, FramesOfALaterVersionAreIgnored) {
  welcome();
  for (auto const* frame : {R"({"type":"pong","id":1})", R"({"type":"news"})", R"({})"}) {
    auto const event = session_.on_frame(frame);
    ASSERT_TRUE(event);
    EXPECT_TRUE(std::holds_alternative<Nothing>(*event));
  }
}

TEST(Session, WhatTheProtocolDoesNotAllowIsAnError) {
  struct Case {
    char const* name;
    char const* frame;
    bool welcomed;
  };
  Case const cases[] = {
      {"no JSON", "{", true},
      {"no object", "[1]", true},
      {"other version", R"({"type":"welcome","version":2,"last_sequence":0})", false},
      {"welcome without number", R"({"type":"welcome","version":1})", false},
      {"number as text", R"({"type":"welcome","version":1,"last_sequence":"1"})", false},
      {"second welcome", R"({"type":"welcome","version":1,"last_sequence":0})", true},
      {"ack before the welcome", R"({"type":"ack","sequence":0})", false},
      {"ack of what was not sent", R"({"type":"ack","sequence":1})", true},
      {"ack without number", R"({"type":"ack"})", true},
      {"negative ack", R"({"type":"ack","sequence":-1})", true},
      {"nack of what was not sent", R"({"type":"nack","sequence":4})", true},
      {"nack before the welcome", R"({"type":"nack","sequence":0})", false},
  };
  for (auto const& c : cases) {
    SCOPED_TRACE(c.name);
    Session session(identity(), 4, false);
    if (c.welcomed) {
      ASSERT_TRUE(session.on_frame(R"({"type":"welcome","version":1,"last_sequence":0})"));
    }
    EXPECT_FALSE(session.on_frame(c.frame));
  }
}

TEST(Backoff, DoublesWithJitterOfHalfAndBeginsAnew) {
  using std::chrono::milliseconds;
  Backoff backoff(milliseconds(250), milliseconds(30'000), 1);
  for (int step : {250, 500, 1000, 2000, 4000, 8000, 16000, 30000, 30000}) {
    auto const delay = backoff.next();
    EXPECT_GE(delay, milliseconds(step) / 2);
    EXPECT_LE(delay, milliseconds(step));
  }
  backoff.reset();
  EXPECT_LE(backoff.next(), milliseconds(250));
  EXPECT_GE(backoff.next(milliseconds(60'000)), milliseconds(30'000));
}

TEST(RetryAfterClose, Table) {
  EXPECT_TRUE(retry_after_close(4409).renew_session);
  EXPECT_TRUE(retry_after_close(4400).frame_was_bad);
  EXPECT_TRUE(retry_after_close(1009).frame_was_bad);
  EXPECT_EQ(retry_after_close(1001).floor.count(), 0);
  EXPECT_EQ(retry_after_close(1006).floor.count(), 0);
  EXPECT_EQ(retry_after_close(4503).floor, std::chrono::seconds(1));
  EXPECT_EQ(retry_after_close(4429).floor, std::chrono::seconds(60));
}

}  // namespace
}  // namespace headrace::agent
