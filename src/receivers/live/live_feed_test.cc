// SPDX-License-Identifier: Apache-2.0
#include "receivers/live/live_feed.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <filesystem>
#include <mutex>

#include "codec/json/json.h"
#include "codec/record/record_writer.h"
#include "net/http_server.h"
#include "net/websocket_client.h"
#include "receivers/live/impl/filter.h"
#include "receivers/live/impl/frames.h"

namespace headrace::receivers::live {
namespace {

using testing::HasSubstr;

// Messages of one record, with what points into it.
class Deliveries {
 public:
  Deliveries(std::string_view type, std::string_view source,
             std::vector<std::string> const& bodies) {
    codec::record::RecordWriter writer;
    writer.begin({.kind = codec::record::Kind::kMessages,
                  .flags = 0,
                  .principal = "p",
                  .source = source,
                  .producer = {},
                  .epoch = 1,
                  .received = {2'000'000'000}});
    std::uint64_t sequence = 1;
    for (auto const& body : bodies)
      writer.add({.sequence = sequence++,
                  .time = {1'000'000'000},
                  .id_kind = codec::record::IdKind::kSequence,
                  .id = {},
                  .encoding = model::BodyEncoding::kJson,
                  .body = base::as_bytes(body)});
    auto const bytes = writer.finish();
    bytes_.assign(bytes.begin(), bytes.end());
    auto const record = codec::record::RecordView::trusted(bytes_);
    auto message = record.first();
    for (std::size_t i = 0; i < bodies.size(); ++i, message = message.next())
      list_.push_back(
          {.data_type = type, .record = record, .message = message, .redelivered = false});
  }
  dispatch::Batch batch() const { return {.messages = list_, .events = {}}; }

 private:
  std::vector<std::byte> bytes_;
  std::vector<dispatch::Delivery> list_;
};

Filter filter(std::vector<std::string> types, std::vector<std::string> sources = {}) {
  return {.types = std::move(types), .sources = std::move(sources), .messages = true};
}

TEST(Frames, AMessageGoesToEveryFilterThatWantsIt) {
  Frames frames(1000);
  std::uint64_t first = 0;
  auto const all = frames.join({}, first), doors = frames.join(filter({"doors"}), first),
             other = frames.join(filter({}, {"s9"}), first);
  frames.put(Deliveries("doors", "s1", {"1"}).batch());
  frames.put(Deliveries("lamps", "s9", {"2"}).batch());
  std::map<Group const*, std::string> got;
  for (auto const& closed : frames.close()) got[closed.group.get()] = closed.frame->text;
  EXPECT_EQ(
      got[doors.get()],
      R"({"messages":[{"id":"00000000-0000-0000-0000-000000000000.1.1","type":"doors","source":"s1",)"
      R"("time":"1970-01-01T00:00:01Z","received":"1970-01-01T00:00:02Z","body":1}]})");
  EXPECT_THAT(got[all.get()], HasSubstr("},{"));
  EXPECT_THAT(got[other.get()], HasSubstr("\"source\":\"s9\""));
  EXPECT_TRUE(frames.close().empty());
}

TEST(Frames, WhatDoesNotFitIsNumbered) {
  Frames frames(300);
  std::uint64_t first = 0;
  auto const group = frames.join({}, first);
  std::vector<std::string> const bodies(10, "\"" + std::string(100, 'x') + "\"");
  frames.put(Deliveries("doors", "s1", bodies).batch());
  auto const closed = frames.close();
  ASSERT_EQ(closed.size(), 1u);
  auto const& frame = *closed[0].frame;
  EXPECT_EQ(frame.begin, 0u);
  EXPECT_EQ(frame.end, 2u);  // the second one passed the bound
  EXPECT_EQ(frame.next, 10u);
}

TEST(Frames, WithoutReadersNothingIsKept) {
  Frames frames(300);
  std::uint64_t first = 0;
  auto group = frames.join({}, first);
  frames.leave(group);
  frames.put(Deliveries("doors", "s1", {"1"}).batch());
  EXPECT_TRUE(frames.close().empty());
  frames.join({.types = {}, .sources = {}, .messages = false}, first);
  frames.put(Deliveries("doors", "s1", {"1"}).batch());
  EXPECT_TRUE(frames.close().empty());
}

struct FrameCase {
  char const *name, *json, *said;  // said null: it is taken
};
constexpr FrameCase kFrames[] = {
    {"all", R"({"filter":{}})", nullptr},
    {"types", R"({"filter":{"types":["doors"],"sources":["a","b"],"messages":false}})", nullptr},
    {"not JSON", "{", "JSON, byte"},
    {"no filter", "{}", "expected {\"filter\""},
    {"filter is a list", R"({"filter":[]})", "expected {\"filter\""},
    {"unknown key", R"({"filter":{"tipes":[]}})", "filter.tipes: unknown key"},
    {"types is text", R"({"filter":{"types":"doors"}})",
     "filter.types: expected an array of strings, got string"},
    {"a number among types", R"({"filter":{"types":["doors",1]}})",
     "filter.types[1]: expected a string, got integer"},
    {"unknown type", R"({"filter":{"types":["dors"]}})",
     "filter.types[0]: unknown data type 'dors'; nearest: 'doors'"},
    {"messages is text", R"({"filter":{"messages":"no"}})",
     "filter.messages: expected a boolean, got string"},
    {"root is a list", "[]", "expected {\"filter\""},
    {"too deep", R"({"filter":{"types":[[[[[[[[]]]]]]]]}})", "JSON, byte"},
};
TEST(FilterOfFrame, Table) {
  std::vector<std::string> const known = {"doors", "lamps"};
  for (auto const& c : kFrames) {
    SCOPED_TRACE(c.name);
    auto const got = filter_of_frame(c.json, known);
    ASSERT_EQ(got.has_value(), c.said == nullptr);
    if (!got) {
      EXPECT_THAT(got.error().context, HasSubstr(c.said));
    }
  }
}

// A reader over a real socket: keeps every frame.
class Inbox {
 public:
  void put(std::string frame) {
    std::lock_guard const lock(mutex_);
    frames_.push_back(std::move(frame));
    changed_.notify_all();
  }
  // The first frame, new or old, that has `text` in it.
  std::string wait_for(std::string_view text) {
    std::unique_lock lock(mutex_);
    std::string found;
    changed_.wait_for(lock, std::chrono::seconds(20), [&] {
      for (auto const& frame : frames_)
        if (frame.find(text) != std::string::npos) found = frame;
      return !found.empty();
    });
    return found;
  }
  void clear() {
    std::lock_guard const lock(mutex_);
    frames_.clear();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> frames_;
};

class InboxHandler final : public net::WebSocketHandler {
 public:
  InboxHandler(Inbox& inbox, net::WebSocket*& socket) : inbox_(inbox), socket_(socket) {}
  void on_open(net::WebSocket& socket) override {
    socket_ = &socket;
    inbox_.put("open");
  }
  void on_message(net::MessageKind, std::span<char> payload) override {
    inbox_.put({payload.data(), payload.size()});
  }
  void on_closed(net::CloseCode code, std::string_view) override {
    inbox_.put("closed " + std::to_string(static_cast<int>(code)));
  }

 private:
  Inbox& inbox_;
  net::WebSocket*& socket_;
};

class LiveFeedTest : public testing::Test {
 protected:
  explicit LiveFeedTest(LiveOptions options = {.readers_max = 2,
                                               .queue_bytes = 64 << 10,
                                               .frame_bytes_max = 32 << 10}) {
    char name[] = "/tmp/headrace-live-XXXXXX";
    dir_ = ::mkdtemp(name);
    identity_ = identity::Identity::open({.data_dir = dir_}, base::system_clock()).value();
    authenticator_ = std::make_unique<identity::Authenticator>(*identity_, base::system_clock(),
                                                               identity::AuthenticatorOptions{});
    threads_.start();
    feed_ = std::make_unique<LiveFeed>(
        options,
        LiveDeps{
            .threads = threads_,
            .authenticator = *authenticator_,
            .metrics = metrics_,
            .data_types = {"doors", "lamps"},
            .status = [] { return std::string(R"({"x":1})"); },
            .sources = [] { return std::vector<LiveSource>{{"s1", 1, R"({"source":"s1"})"}}; }});
    receiver_ = feed_->make_receiver();
    feed_->start();
    server_ = std::make_unique<net::HttpServer>(
        threads_, net::HttpServerOptions{
                      .listeners = {{.address = "127.0.0.1", .port = 0, .tls = std::nullopt}}});
    server_->websocket("/live", feed_->acceptor());
    EXPECT_TRUE(server_->start().has_value());
  }
  ~LiveFeedTest() override {
    threads_.run_on(0, [this] { clients_.clear(); });
    server_->stop(std::chrono::seconds(5));
    feed_->stop();
    threads_.stop();
    identity_->close();
    std::filesystem::remove_all(dir_);
  }

  void connect(std::string const& query, Inbox& inbox, net::WebSocket*& socket,
               std::vector<std::string> subprotocols = {}) {
    threads_.run_on(0, [&] {
      net::WebSocketClientOptions options;
      options.url = "ws://127.0.0.1:" + std::to_string(server_->ports().front()) + "/live" + query;
      options.subprotocols = std::move(subprotocols);
      clients_.push_back(std::make_unique<net::WebSocketClient>(
          threads_.at(0), options, std::make_unique<InboxHandler>(inbox, socket),
          [&inbox](base::Error const& error) { inbox.put("failed: " + base::to_string(error)); }));
    });
  }
  void put(Deliveries const& deliveries) {
    ASSERT_TRUE(receiver_->consume(deliveries.batch(), {}).has_value());
  }

  std::string dir_;
  base::Registry metrics_;
  std::unique_ptr<identity::Identity> identity_;
  std::unique_ptr<identity::Authenticator> authenticator_;
  net::IoThreads threads_{2};
  std::unique_ptr<LiveFeed> feed_;
  std::unique_ptr<dispatch::Receiver> receiver_;
  std::unique_ptr<net::HttpServer> server_;
  std::vector<std::unique_ptr<net::WebSocketClient>> clients_;
};

TEST_F(LiveFeedTest, ShowsTotalsAndThenWhatMatches) {
  Inbox inbox;
  net::WebSocket* socket = nullptr;
  connect("?type=doors&source=s1", inbox, socket, {"headrace.live.v1"});
  EXPECT_EQ(inbox.wait_for("status"), R"({"status":{"x":1}})");
  EXPECT_EQ(inbox.wait_for("sources"), R"({"sources":[{"source":"s1"}]})");
  put(Deliveries("lamps", "s1", {"1"}));
  put(Deliveries("doors", "s2", {"2"}));
  put(Deliveries("doors", "s1", {"3", "4"}));
  auto const frame = inbox.wait_for("messages");
  EXPECT_THAT(frame, HasSubstr("\"body\":3}"));
  EXPECT_THAT(frame, HasSubstr("\"body\":4}"));
  EXPECT_THAT(frame, testing::Not(HasSubstr("\"body\":2}")));
}

TEST_F(LiveFeedTest, AFilterFrameReplacesTheFilterAndABadOneIsTold) {
  Inbox inbox;
  net::WebSocket* socket = nullptr;
  connect("?type=doors", inbox, socket);
  ASSERT_NE(inbox.wait_for("status"), "");
  threads_.run_on(0, [&] { socket->send_text(R"({"filter":{"types":["lamp"]}})"); });
  EXPECT_THAT(inbox.wait_for("error"), HasSubstr("nearest: 'lamps'"));
  threads_.run_on(0, [&] { socket->send_binary("x"); });
  EXPECT_THAT(inbox.wait_for("binary"), HasSubstr("expected a text frame"));
  inbox.clear();
  threads_.run_on(0, [&] { socket->send_text(R"({"filter":{"types":["lamps"]}})"); });
  threads_.run_on(0, [&] { socket->send_text("not JSON"); });
  ASSERT_NE(inbox.wait_for("error"), "");  // frames are taken in order: the filter is in force
  put(Deliveries("doors", "s", {"8"}));
  put(Deliveries("lamps", "s", {"9"}));
  EXPECT_THAT(inbox.wait_for("\"body\":9"), testing::Not(HasSubstr("\"body\":8")));
}

TEST_F(LiveFeedTest, ASlowReaderLosesMessagesAndIsToldHowMany) {
  Inbox inbox;
  net::WebSocket* socket = nullptr;
  connect("", inbox, socket);
  ASSERT_NE(inbox.wait_for("status"), "");
  std::vector<std::string> const bodies(2000, "\"" + std::string(1000, 'x') + "\"");
  put(Deliveries("doors", "s", bodies));  // 2 MB at once: one frame holds 32 KB
  EXPECT_THAT(inbox.wait_for("\"dropped\":"), HasSubstr("dropped"));
  EXPECT_GT(feed_->dropped_total(), 1900u);
  EXPECT_LT(feed_->dropped_total(), 2000u);
}

struct RefusalCase {
  char const *query, *said;
};
constexpr RefusalCase kRefusals[] = {
    {"?type=dors", "nearest: 'doors'"},
    {"?tipe=doors", "unknown parameter 'tipe'"},
    {"?messages=maybe", "messages: expected 0 or 1"},
};
TEST_F(LiveFeedTest, BadParametersAreRefusedBeforeTheUpgrade) {
  for (auto const& c : kRefusals) {
    SCOPED_TRACE(c.query);
    Inbox inbox;
    net::WebSocket* socket = nullptr;
    connect(c.query, inbox, socket);
    EXPECT_THAT(inbox.wait_for("failed"), HasSubstr(c.said));
  }
}

TEST_F(LiveFeedTest, MoreReadersThanTheBoundAreRefused) {
  Inbox inbox[3];
  net::WebSocket* socket = nullptr;
  for (int i = 0; i < 2; ++i) {
    connect("", inbox[i], socket);
    ASSERT_NE(inbox[i].wait_for("status"), "");
  }
  connect("", inbox[2], socket);
  EXPECT_THAT(inbox[2].wait_for("failed"), HasSubstr("2 feeds are open"));
  EXPECT_EQ(feed_->readers(), 2u);
}

TEST_F(LiveFeedTest, CredentialsComeBySubprotocolOrParameterAndEndWithABan) {
  ASSERT_TRUE(identity_->add_user("test", "eve", identity::Role::kViewer).has_value());
  auto const token = identity_->add_token("test", "eve", std::nullopt).value().secret;
  Inbox none, by_subprotocol, by_parameter;
  net::WebSocket* socket = nullptr;
  connect("", none, socket);
  EXPECT_THAT(none.wait_for("failed"), HasSubstr("token"));
  connect("", by_subprotocol, socket, {"headrace.live.v1", "bearer." + token});
  EXPECT_NE(by_subprotocol.wait_for("status"), "");
  connect("?access_token=" + token, by_parameter, socket);
  EXPECT_NE(by_parameter.wait_for("status"), "");
  ASSERT_TRUE(identity_->set_active("test", "eve", false).has_value());
  EXPECT_EQ(by_subprotocol.wait_for("closed"), "closed 1008");
  EXPECT_EQ(by_parameter.wait_for("closed"), "closed 1008");
}

}  // namespace
}  // namespace headrace::receivers::live
