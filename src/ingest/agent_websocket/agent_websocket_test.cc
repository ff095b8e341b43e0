// SPDX-License-Identifier: Apache-2.0
#include "ingest/agent_websocket/agent_websocket.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <deque>
#include <set>

#include "codec/json/json.h"
#include "codec/msgpack/msgpack.h"
#include "codec/msgpack/msgpack_write.h"
#include "ingest/ingest_fixture.h"
#include "net/websocket_client.h"

namespace headrace::ingest::agent_websocket {
namespace {

using codec::msgpack::MsgpackWriter;
using namespace std::chrono_literals;

constexpr auto kPatience = 10s;  // a test that needs it has failed
constexpr std::string_view kSession = "0b7c6a3e-1d1c-4f6c-9d0b-0c6a5e2b7f11";

// An agent as the tests need one: sends what it is told, keeps what comes.
class Agent {
 public:
  Agent(net::IoThreads& threads, std::uint16_t port, std::string subprotocol = "headrace.v1.json",
        net::HeaderFields headers = {})
      : threads_(threads) {
    auto handler = std::make_unique<Handler>(*this);
    handler_ = handler.get();
    net::WebSocketClientOptions options;
    options.url = fmt::format("ws://127.0.0.1:{}/agent", port);
    options.subprotocols = {std::move(subprotocol)};
    if (options.subprotocols[0].empty()) options.subprotocols.clear();
    options.headers = std::move(headers);
    threads_.run_on(0, [&] {
      client_ = std::make_unique<net::WebSocketClient>(
          threads_.at(0), std::move(options), std::move(handler), [this](base::Error const& error) {
            std::scoped_lock const lock(mutex_);
            failed_ = error;
            changed_.notify_all();
          });
    });
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, kPatience, [&] { return open_ || failed_; });
  }
  ~Agent() { drop(); }
  // Ends the connection without a word.
  void drop() {
    threads_.run_on(0, [&] { client_.reset(); });
  }

  bool refused() const { return failed_.has_value(); }
  base::Error refusal() const { return failed_.value_or(base::Error{}); }
  void send(std::string frame) {
    threads_.run_on(0, [&] {
      if (socket_) socket_->send_text(frame);
    });
  }
  // In one write, so that the server has them in one read.
  void send_all(std::vector<std::string> const& frames) {
    threads_.run_on(0, [&] {
      for (auto const& frame : frames)
        if (socket_) socket_->send_text(frame);
    });
  }
  void send_binary(std::string const& frame) {
    threads_.run_on(0, [&] {
      if (socket_) socket_->send_binary(frame);
    });
  }
  // "" when nothing came, or the connection ended.
  std::string receive() {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, kPatience, [&] { return !frames_.empty() || closed_; });
    if (frames_.empty()) return "";
    auto frame = std::move(frames_.front());
    frames_.pop_front();
    return frame;
  }
  // Frames up to and with an ack of this number.
  std::vector<std::string> receive_until_ack(std::uint64_t sequence) {
    std::vector<std::string> frames;
    for (;;) {
      frames.push_back(receive());
      if (frames.back().empty() || frames.back() == ack(sequence)) return frames;
    }
  }
  bool nothing_came() {
    std::scoped_lock const lock(mutex_);
    return frames_.empty();
  }
  std::uint16_t close_code() {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, kPatience, [&] { return closed_.has_value(); });
    return closed_.value_or(0);
  }
  static std::string ack(std::uint64_t sequence) {
    return fmt::format(R"({{"type":"ack","sequence":{}}})", sequence);
  }
  static std::string hello(std::string_view extra = "", std::string_view source = "node-1") {
    return fmt::format(R"({{"type":"hello","version":1,"source":"{}","session":"{}"{}}})", source,
                       kSession, extra);
  }
  std::string greet(std::string_view extra = "", std::string_view source = "node-1") {
    send(hello(extra, source));
    return receive();
  }

 private:
  class Handler final : public net::WebSocketHandler {
   public:
    explicit Handler(Agent& agent) : agent_(agent) {}
    void on_open(net::WebSocket& socket) override {
      std::scoped_lock const lock(agent_.mutex_);
      agent_.socket_ = &socket;
      agent_.open_ = true;
      agent_.changed_.notify_all();
    }
    void on_message(net::MessageKind, std::span<char> payload) override {
      std::scoped_lock const lock(agent_.mutex_);
      agent_.frames_.emplace_back(payload.data(), payload.size());
      agent_.changed_.notify_all();
    }
    void on_closed(net::CloseCode code, std::string_view) override {
      std::scoped_lock const lock(agent_.mutex_);
      agent_.socket_ = nullptr;
      agent_.closed_ = static_cast<std::uint16_t>(code);
      agent_.changed_.notify_all();
    }

   private:
    Agent& agent_;
  };

  net::IoThreads& threads_;
  Handler* handler_ = nullptr;
  std::unique_ptr<net::WebSocketClient> client_;
  std::mutex mutex_;
  std::condition_variable changed_;
  net::WebSocket* socket_ = nullptr;
  bool open_ = false;
  std::optional<base::Error> failed_;
  std::optional<std::uint16_t> closed_;
  std::deque<std::string> frames_;
};

class AgentWebSocketTest : public IngestFixture {
 protected:
  AgentWebSocketTest() { agents_.start(); }
  ~AgentWebSocketTest() override { agents_.stop(); }
  void add_routes(net::HttpServer& server) override {
    handler_ = std::make_unique<AgentWebSocket>(config_, *ingest_);
    handler_->add_route(server);
  }
  void before_destroy() override { handler_.reset(); }
  std::unique_ptr<Agent> agent(std::string subprotocol = "headrace.v1.json",
                               net::HeaderFields headers = {}) {
    return std::make_unique<Agent>(agents_, port(), std::move(subprotocol), std::move(headers));
  }
  static std::string data(std::uint64_t seq, std::string_view rest = "") {
    return fmt::format(R"({{"seq":{},"type":"system_metrics","body":{{"n":{}}}{}}})", seq, seq,
                       rest);
  }
  std::vector<std::uint64_t> sequences() {
    std::vector<std::uint64_t> all;
    for (auto const& s : stored_once()) all.push_back(s.sequence);
    std::sort(all.begin(), all.end());
    return all;
  }

  net::IoThreads agents_{1};
  Config config_;
  std::unique_ptr<AgentWebSocket> handler_;
};

bool contains(std::string_view text, std::string_view part) { return text.find(part) != text.npos; }

TEST_F(AgentWebSocketTest, HelloWelcomeDataAck) {
  start();
  auto a = agent();
  auto const welcome = a->greet(R"(,"epoch":3,"agent":"test 1")");
  for (auto const* part :
       {R"("type":"welcome")", R"("version":1)", kSession.data(), R"("epoch":3)",
        R"("principal":"local")", R"("last_sequence":0)", R"("highest_sequence":0)",
        R"("durability":"disk")", R"("window_messages":8192)", R"("window_bytes":262144)",
        R"("frame_bytes":32000000)", R"("ping_ms":30000)"})
    EXPECT_TRUE(contains(welcome, part)) << part << " in " << welcome;
  a->send(data(1));
  EXPECT_EQ(a->receive(), Agent::ack(1));
  auto const all = stored();
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].source, "node-1");
  EXPECT_EQ(all[0].principal, "local");
  EXPECT_EQ(all[0].epoch, 3u);
  EXPECT_EQ(all[0].sequence, 1u);
  EXPECT_EQ(all[0].body, R"({"n":1})");
  EXPECT_EQ(all[0].id, fmt::format("{}.3.1", base::to_string(all[0].producer)));
}

TEST_F(AgentWebSocketTest, ABatchHasDefaultsAndConsecutiveNumbers) {
  start();
  auto a = agent();
  a->greet();
  a->send(
      R"({"seq":5,"type":"system_metrics","time":9,"messages":[{"body":1},{"type":"ethereum_metrics","source":"node-2","id":"b","time":10,"body":2},{"body":{"deep":[[]]}}]})");
  EXPECT_EQ(a->receive(), Agent::ack(7));
  std::map<std::uint64_t, Stored> by_sequence;
  for (auto const& s : stored()) by_sequence[s.sequence] = s;
  ASSERT_EQ(by_sequence.size(), 3u);
  EXPECT_EQ(by_sequence[5].source, "node-1");
  EXPECT_EQ(by_sequence[5].time.ns, 9);
  EXPECT_EQ(by_sequence[6].source, "node-2");
  EXPECT_EQ(by_sequence[6].type, "ethereum_metrics");
  EXPECT_EQ(by_sequence[6].id, "b");
  EXPECT_EQ(by_sequence[7].body, R"({"deep":[[]]})");
  EXPECT_NE(by_sequence[5].producer, by_sequence[6].producer);
}

TEST_F(AgentWebSocketTest, ManyFramesOfOneReadBecomeOneRecordPerSource) {
  start();
  auto a = agent();
  a->greet();
  gated_->hold();
  std::vector<std::string> frames;
  for (int i = 1; i <= 300; ++i)
    frames.push_back(data(static_cast<std::uint64_t>(i), i % 2 ? R"(,"source":"x")" : ""));
  a->send_all(frames);
  gated_->release();
  a->receive_until_ack(300);
  EXPECT_EQ(stored().size(), 300u);
  EXPECT_EQ(stored_once().size(), 300u);
  // How many frames one read brings is the kernel's to say; that each frame has a record of its own
  // would be wrong.
  EXPECT_LT(inner_broker_->stats().records_total, 300u);
}

TEST_F(AgentWebSocketTest, AcksComeInOrderAndOnlyWhenTheLogHasSettled) {
  start();
  auto a = agent();
  a->greet();
  gated_->hold();
  for (std::uint64_t i = 1; i <= 5; ++i) a->send(data(i));
  a->send(R"({"type":"ping","id":7})");
  EXPECT_EQ(a->receive(), R"({"type":"pong","id":7})");  // all data was read before it
  EXPECT_TRUE(a->nothing_came());
  gated_->release();
  std::uint64_t last = 0;
  while (last < 5) {
    auto const frame = a->receive();
    ASSERT_TRUE(frame.starts_with(R"({"type":"ack","sequence":)")) << frame;
    auto const sequence = std::stoull(frame.substr(25));
    EXPECT_GT(sequence, last);
    last = sequence;
  }
  EXPECT_EQ(sequences(), (std::vector<std::uint64_t>{1, 2, 3, 4, 5}));
}

TEST_F(AgentWebSocketTest, WrongMessagesAreNackedAndTheOthersStored) {
  start();
  struct Case {
    char const* name;
    std::string frame;
    std::string_view says;
  };
  std::vector<Case> const cases{
      {"unknown type", R"({"seq":1,"type":"system_metric","body":1})",
       R"("sequence":1,"last":1,"code":"not_found","message":"type: unknown data type 'system_metric'; did you mean 'system_metrics')"},
      {"no body", R"({"seq":2,"type":"system_metrics"})", "body: missing"},
      {"no type", R"({"seq":3,"body":1})", "type: missing"},
      {"bad time", R"({"seq":4,"type":"system_metrics","time":"x","body":1})", "time:"},
      {"unknown key", R"({"seq":5,"type":"system_metrics","boddy":1})", "did you mean 'body'"},
      {"wrong before seq", R"({"type":7,"seq":6,"body":1})",
       R"("sequence":6,"last":6,"code":"invalid_argument")"},
      {"points", R"({"seq":7,"type":"meter_points","body":1})", "takes points"},
      {"batch with body",
       R"({"seq":8,"type":"system_metrics","messages":[{"body":1},{"body":2}],"body":1})",
       R"("sequence":8,"last":9)"},
      {"batch default wrong", R"({"seq":10,"type":"nope","messages":[{"body":1},{"body":2}]})",
       R"("sequence":10,"last":11)"},
      {"too deep",
       R"({"seq":12,"type":"system_metrics","body":)" + std::string(33, '[') +
           std::string(33, ']') + "}",
       "too_large"},
  };
  auto a = agent();
  a->greet();
  for (auto const& c : cases) {
    SCOPED_TRACE(c.name);
    a->send(c.frame);
    auto const nack = a->receive();
    EXPECT_TRUE(contains(nack, c.says)) << nack;
    EXPECT_TRUE(nack.starts_with(R"({"type":"nack")")) << nack;
    EXPECT_TRUE(a->receive().starts_with(R"({"type":"ack")"));
  }
  EXPECT_TRUE(stored().empty());
  a->send(
      R"({"seq":20,"type":"system_metrics","messages":[{"body":1},{"time":true,"body":2},{"body":3},7]})");
  auto const frames = a->receive_until_ack(23);
  ASSERT_EQ(frames.size(), 3u);
  EXPECT_TRUE(contains(frames[0], R"("sequence":21)") && contains(frames[0], "messages[1].time"))
      << frames[0];
  EXPECT_TRUE(contains(frames[1], R"("sequence":23)") &&
              contains(frames[1], "messages[3]: expected an object"))
      << frames[1];
  EXPECT_EQ(sequences(), (std::vector<std::uint64_t>{20, 22}));
}

TEST_F(AgentWebSocketTest, BadFramesCloseAndStoreNothingOfThemselves) {
  struct Case {
    char const* name;
    std::string frame;
    std::uint16_t code;
  };
  std::vector<Case> const cases{
      {"no JSON", R"({"seq":2,)", 4400},
      {"broken inside a body", R"({"seq":2,"type":"system_metrics","body":[1,,tru]})", 4400},
      {"an array", R"([{"seq":2}])", 4400},
      {"seq 0", R"({"seq":0,"type":"system_metrics","body":1})", 4400},
      {"seq text", R"({"seq":"2","type":"system_metrics","body":1})", 4400},
      {"seq too large",
       R"({"seq":9223372036854775807,"type":"system_metrics","messages":[{"body":1},{"body":2}]})",
       4400},
      {"seq not ascending", R"({"seq":1,"type":"system_metrics","body":1})", 4400},
      {"empty batch", R"({"seq":2,"messages":[]})", 4400},
      {"unknown control", R"({"type":"hullo"})", 4400},
      {"second hello", Agent::hello(), 4400},
      {"far too deep",
       R"({"seq":2,"type":"system_metrics","body":)" + std::string(500, '[') +
           std::string(500, ']') + "}",
       4400},
      {"invalid UTF-8", "{\"seq\":2,\"type\":\"system_metrics\",\"body\":\"\xff\"}", 1007},
  };
  start();
  for (auto const& c : cases) {
    SCOPED_TRACE(c.name);
    auto a = agent();
    a->greet();
    a->send_all({data(1, fmt::format(R"(,"id":"{}")", c.name)), c.frame, data(99)});
    std::string error;
    while (error.empty() || contains(error, R"("ack")")) {
      error = a->receive();
      if (error.empty()) break;
    }
    EXPECT_TRUE(contains(error, R"("type":"error")")) << error;
    EXPECT_EQ(a->close_code(), c.code);
  }
  auto last = agent();
  last->greet();
  last->send(data(3));
  last->receive_until_ack(3);
  // What came before each bad frame is kept (every round repeats its number); nothing else is.
  while (sequences().size() < 2) std::this_thread::yield();
  EXPECT_EQ(sequences(), (std::vector<std::uint64_t>{1, 3}));
}

TEST_F(AgentWebSocketTest, ABinaryFrameOnTheTextSubprotocolCloses) {
  start();
  auto a = agent();
  a->greet();
  a->send_binary(data(1));
  EXPECT_EQ(a->close_code(), 1003);
  EXPECT_TRUE(stored().empty());
}

TEST_F(AgentWebSocketTest, AFrameOverTheBoundCloses) {
  ingest::Config config;
  config.limits.request_bytes_max = 100'000;
  start(config);
  auto a = agent();
  a->greet();
  a->send(data(1, fmt::format(R"(,"id":"{}")", std::string(200'000, 'x'))));
  EXPECT_EQ(a->close_code(), 1009);
  auto b = agent();
  b->send(Agent::hello(fmt::format(R"(,"agent":"{}")", std::string(65'500, 'x'))));
  EXPECT_EQ(b->close_code(), 1009);
  EXPECT_TRUE(stored().empty());
}

TEST_F(AgentWebSocketTest, TheLargeBoundCountsFromTheHelloOn) {
  start();
  auto const large = data(1, fmt::format(R"(,"time":{}1)", std::string(70'000, ' ')));
  auto early = agent();
  early->send(large);
  EXPECT_EQ(early->close_code(), 1009);
  auto known = agent();
  known->send_all({Agent::hello(), large});
  EXPECT_TRUE(contains(known->receive(), "welcome"));
  EXPECT_EQ(known->receive(), Agent::ack(1));
}

TEST_F(AgentWebSocketTest, TheLastNumberIsTaken) {
  start();
  auto a = agent();
  a->greet();
  a->send(
      R"({"seq":9223372036854775806,"type":"system_metrics","messages":[{"body":1},{"body":2}]})");
  EXPECT_EQ(a->receive(), Agent::ack(INT64_MAX));
  EXPECT_EQ(stored().size(), 2u);
}

TEST_F(AgentWebSocketTest, AWrongTokenIsRefusedAlsoWhereNoneIsAskedFor) {
  start();
  auto a = agent();
  a->send(Agent::hello(R"(,"token":"hr_nope")"));
  EXPECT_TRUE(contains(a->receive(), "unauthenticated"));
  EXPECT_EQ(a->close_code(), 4401);
  auto b = agent();
  EXPECT_TRUE(contains(b->greet(), R"("principal":"local")"));
}

TEST_F(AgentWebSocketTest, WrongHellosCloseWithTheirReason) {
  start();
  struct Case {
    std::string frame;
    std::uint16_t code;
    std::string_view says;
  };
  std::vector<Case> const cases{
      {R"({"type":"hello","version":2,"source":"s","session":"0b7c6a3e-1d1c-4f6c-9d0b-0c6a5e2b7f11"})",
       4400, "version: expected 1"},
      {R"({"type":"hello","version":1,"session":"0b7c6a3e-1d1c-4f6c-9d0b-0c6a5e2b7f11"})", 4400,
       "source: missing"},
      {R"({"type":"hello","version":1,"source":"s","session":"x"})", 4400,
       "session: expected a uuid"},
      {Agent::hello(R"(,"epoch":-1)"), 4400, "epoch"},
      {Agent::hello(R"(,"epohc":1)"), 4400, "did you mean 'epoch'"},
      {Agent::hello(R"(,"version":1)"), 4400, "version: is there twice"},
      {Agent::hello("", R"(a\u0000b)"), 4400, "source"},
      {data(1), 4400, "data before the hello"},
  };
  for (auto const& c : cases) {
    SCOPED_TRACE(c.frame);
    auto a = agent();
    a->send(c.frame);
    auto const error = a->receive();
    EXPECT_TRUE(contains(error, c.says)) << error;
    EXPECT_EQ(a->close_code(), c.code);
  }
  EXPECT_TRUE(stored().empty());
}

TEST_F(AgentWebSocketTest, WithoutAKnownSubprotocolTheUpgradeIsRefused) {
  start();
  EXPECT_TRUE(contains(agent("other")->refusal().context, "400"));
  EXPECT_TRUE(contains(agent("")->refusal().context, "400"));
}

TEST_F(AgentWebSocketTest, ASilentConnectionIsClosed) {
  config_.hello_timeout = 50ms;
  start();
  EXPECT_EQ(agent()->close_code(), 4408);
}

TEST_F(AgentWebSocketTest, MessagePackSpeaksTheSameProtocol) {
  start();
  auto a = agent("headrace.v1.msgpack");
  std::string frame;
  MsgpackWriter(frame)
      .map(4)
      .member("type", "hello")
      .member("version", 1)
      .member("source", "m")
      .member("session", kSession);
  a->send_binary(frame);
  codec::msgpack::Parser parser;
  auto const welcome_bytes = a->receive();
  auto const welcome = parser.parse(welcome_bytes);
  ASSERT_TRUE(welcome);
  std::string scratch;
  EXPECT_EQ(welcome->find("type")->text(scratch), "welcome");
  EXPECT_EQ(welcome->find("limits")->find("batch_messages")->as_int64(), 10'000);
  frame.clear();
  MsgpackWriter w(frame);
  w.map(3).member("seq", 1).member("type", "system_metrics").value("messages").array(2);
  w.map(2)
      .member("time", base::Timestamp{5'000'000'001})
      .member("body", 1.5)
      .map(1)
      .member("body", "x");
  a->send_binary(frame);
  auto const ack_bytes = a->receive();
  auto const ack = parser.parse(ack_bytes);
  ASSERT_TRUE(ack);
  EXPECT_EQ(ack->find("type")->text(scratch), "ack");
  EXPECT_EQ(ack->find("sequence")->as_int64(), 2);
  frame.clear();
  MsgpackWriter(frame).map(3).member("seq", 3).member("type", "nope").member("body", 1);
  a->send_binary(frame);
  auto const nack_bytes = a->receive();
  EXPECT_EQ(parser.parse(nack_bytes)->find("code")->text(scratch), "not_found");
  auto const all = stored();
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].body, "1.5");
  EXPECT_EQ(all[0].time.ns, 5'000'000'001);
  a->send_binary("\xc1");
  EXPECT_EQ(a->close_code(), 4400);
}

TEST_F(AgentWebSocketTest, AResumedSessionLosesAndDoublesNothing) {
  start();
  auto a = agent();
  a->greet();
  a->send_all({data(1), data(2)});
  a->receive_until_ack(2);
  gated_->hold();
  a->send_all({data(3), data(4)});
  a->send(R"({"type":"ping"})");
  EXPECT_EQ(a->receive(), R"({"type":"pong"})");
  a->drop();  // 3 and 4 are with the server, unacknowledged
  auto b = agent();
  auto const welcome = b->greet();
  EXPECT_TRUE(contains(welcome, R"("last_sequence":2)")) << welcome;
  EXPECT_TRUE(contains(welcome, R"("highest_sequence":4)")) << welcome;
  b->send_all({data(3), data(4), data(5)});
  gated_->release();
  b->receive_until_ack(5);
  EXPECT_EQ(sequences(), (std::vector<std::uint64_t>{1, 2, 3, 4, 5}));
  // What the server knows to be settled is not even appended again.
  auto c = agent();
  EXPECT_TRUE(contains(c->greet(), R"("last_sequence":5)"));
  c->send(R"({"seq":4,"type":"system_metrics","messages":[{"body":"again"},{"body":"again"}]})");
  EXPECT_EQ(c->receive(), Agent::ack(5));
  for (auto const& message : stored()) EXPECT_NE(message.body, R"("again")");
}

TEST_F(AgentWebSocketTest, AfterAServerRestartRepeatsAreDroppedByReaders) {
  start();
  {
    auto a = agent();
    a->greet();
    a->send_all({data(1), data(2), data(3)});
    a->receive_until_ack(3);
  }
  // The handler forgets its sessions; the log does not.
  server_->stop(1s);
  server_.reset();
  ingest_->close();
  handler_.reset();
  ingest_.reset();
  start();
  auto a = agent();
  auto const welcome = a->greet();
  EXPECT_TRUE(contains(welcome, R"("last_sequence":0)")) << welcome;
  EXPECT_TRUE(contains(welcome, R"("highest_sequence":3)")) << welcome;
  a->send_all({data(2), data(3), data(4)});
  a->receive_until_ack(4);
  EXPECT_EQ(sequences(), (std::vector<std::uint64_t>{1, 2, 3, 4}));
}

TEST_F(AgentWebSocketTest, ANewerConnectionTakesTheSessionOver) {
  start();
  auto a = agent();
  a->greet();
  auto b = agent();
  b->greet();
  EXPECT_EQ(a->close_code(), 4409);
  b->send(data(1));
  EXPECT_EQ(b->receive(), Agent::ack(1));
}

TEST_F(AgentWebSocketTest, EpochsOnlyGoUp) {
  start();
  auto a = agent();
  a->greet(R"(,"epoch":1)");
  a->send(data(10));
  EXPECT_EQ(a->receive(), Agent::ack(10));
  auto b = agent();
  EXPECT_TRUE(contains(b->greet(R"(,"epoch":2)"), R"("last_sequence":0,"highest_sequence":0)"));
  b->send(data(1));
  EXPECT_EQ(b->receive(), Agent::ack(1));
  EXPECT_EQ(stored_once().size(), 2u);
  auto c = agent();
  EXPECT_TRUE(contains(c->greet(R"(,"epoch":1)"), "epoch"));
  EXPECT_EQ(c->close_code(), 4409);
}

TEST_F(AgentWebSocketTest, TheWindowHoldsTheSenderBack) {
  config_.window_messages = 10;
  start();
  auto a = agent();
  a->greet();
  gated_->hold();
  for (std::uint64_t i = 0; i < 30; ++i) a->send(data(i + 1));
  a->send(R"({"type":"ping"})");
  // Reading stops within the window: the ping is not reached before acks have made room.
  auto const deadline = std::chrono::steady_clock::now() + 100ms;
  while (std::chrono::steady_clock::now() < deadline) ASSERT_TRUE(a->nothing_came());
  gated_->release();
  bool pong = false, acked = false;
  while (!pong || !acked) {
    auto const frame = a->receive();
    ASSERT_FALSE(frame.empty());
    pong |= frame == R"({"type":"pong"})";
    acked |= frame == Agent::ack(30);
  }
  EXPECT_EQ(sequences().size(), 30u);
}

TEST_F(AgentWebSocketTest, WhatTheLogCannotTakeClosesWith4503AndIsSentAgain) {
  start();
  auto a = agent();
  a->greet();
  gated_->refuse_appends(base::Error{base::ErrorCode::kOverloaded, "queue full"});
  a->send(data(1));
  EXPECT_TRUE(contains(a->receive(), R"("code":"overloaded")"));
  EXPECT_EQ(a->close_code(), 4503);
  gated_->refuse_appends({});
  auto b = agent();
  b->greet();
  gated_->hold();
  b->send_all({data(1), data(2)});
  b->send(R"({"type":"ping"})");
  b->receive();
  gated_->fail_held({base::ErrorCode::kOverloaded, "disk full"});
  EXPECT_EQ(b->close_code(), 4503);
  EXPECT_TRUE(stored().empty());
  auto c = agent();
  EXPECT_TRUE(contains(c->greet(), R"("last_sequence":0)"));
  c->send_all({data(1), data(2)});
  c->receive_until_ack(2);
  EXPECT_EQ(sequences(), (std::vector<std::uint64_t>{1, 2}));
}

TEST_F(AgentWebSocketTest, ByeSettlesAcksAndCloses) {
  start();
  auto a = agent();
  a->greet();
  gated_->hold();
  a->send_all({data(1), R"({"type":"bye"})", data(2)});
  gated_->release();
  EXPECT_EQ(a->receive(), Agent::ack(1));
  EXPECT_EQ(a->close_code(), 1000);
  EXPECT_EQ(sequences(), (std::vector<std::uint64_t>{1}));
}

TEST_F(AgentWebSocketTest, AStoppingServerSettlesWhatItHas) {
  start();
  auto a = agent();
  a->greet();
  gated_->hold();
  a->send(data(1));
  a->send(R"({"type":"ping"})");
  a->receive();
  std::thread stopper([&] { server_->stop(5s); });
  gated_->release();
  EXPECT_EQ(a->receive(), Agent::ack(1));
  EXPECT_EQ(a->close_code(), 1001);
  stopper.join();
}

TEST_F(AgentWebSocketTest, CredentialsComeByHeaderOrHelloAndEndWhenTheyAreTaken) {
  start();
  auto const token_of = [&](std::string_view user, identity::Role role) {
    EXPECT_TRUE(identity_->add_user("root", user, role));
    return identity_->add_token("root", user, {})->secret;
  };
  auto const good = token_of("a", identity::Role::kAgent);
  auto const viewer = token_of("v", identity::Role::kViewer);
  auto const other = token_of("b", identity::Role::kAgent);
  EXPECT_TRUE(contains(
      agent("headrace.v1.json", {{"Authorization", "Bearer nonsense"}})->refusal().context, "401"));
  EXPECT_TRUE(contains(
      agent("headrace.v1.json", {{"Authorization", "Bearer " + viewer}})->refusal().context,
      "403"));
  auto anonymous = agent();
  anonymous->send(Agent::hello());
  EXPECT_EQ(anonymous->close_code(), 4401);
  auto wrong_role = agent();
  wrong_role->send(Agent::hello(fmt::format(R"(,"token":"{}")", viewer)));
  EXPECT_EQ(wrong_role->close_code(), 4403);

  auto by_header = agent("headrace.v1.json", {{"Authorization", "Bearer " + good}});
  EXPECT_TRUE(contains(by_header->greet(), R"("principal":"a")"));
  auto thief = agent();
  thief->send(Agent::hello(fmt::format(R"(,"token":"{}")", other)));  // node-1 is a's
  EXPECT_EQ(thief->close_code(), 4403);
  auto by_hello = agent();
  by_hello->greet(fmt::format(R"(,"token":"{}")", other), "node-2");
  by_hello->send(data(1, R"(,"source":"node-1")"));
  EXPECT_TRUE(contains(by_hello->receive(), R"("code":"denied")"));

  by_header->send(data(1));
  EXPECT_EQ(by_header->receive(), Agent::ack(1));
  ASSERT_TRUE(identity_->set_active("root", "a", false));
  by_header->send(data(2));
  EXPECT_EQ(by_header->close_code(), 4401);
  EXPECT_EQ(stored().size(), 1u);
}

TEST_F(AgentWebSocketTest, SourcesShowTheirConnection) {
  start();
  auto a = agent();
  a->greet();
  auto const source = [&] {
    return ingest_->sources().find("node-1", ingest_->types(), base::system_clock().now());
  };
  ASSERT_TRUE(source());
  EXPECT_EQ(source()->connections, 1u);
  EXPECT_EQ(source()->protocol, Protocol::kAgentWebSocket);
  EXPECT_EQ(handler_->open_sessions(), 1u);
  a->send(R"({"type":"bye"})");
  EXPECT_EQ(a->close_code(), 1000);
  while (handler_->open_sessions() != 0) std::this_thread::yield();
  EXPECT_EQ(source()->connections, 0u);
}

TEST_F(AgentWebSocketTest, ManyAgentsAtOnceWithDropsStoreEverythingOnce) {
  config_.window_messages = 64;
  start();
  std::vector<std::thread> runners;
  for (int n = 0; n < 4; ++n)
    runners.emplace_back([&, n] {
      std::uint64_t acked = 0;
      for (int round = 0; acked < 200 && round < 50; ++round) {
        auto a = agent();
        a->send(fmt::format(
            R"({{"type":"hello","version":1,"source":"n{}","session":"00000000-0000-4000-8000-00000000000{}"}})",
            n, n));
        if (a->receive().empty()) continue;
        std::vector<std::string> frames;
        for (auto i = acked + 1; i <= 200; ++i) frames.push_back(data(i));
        a->send_all(frames);
        // Leaves after the first ack, in the middle of the rest.
        auto const frame = a->receive();
        if (frame.starts_with(R"({"type":"ack","sequence":)"))
          acked = std::stoull(frame.substr(25));
      }
      EXPECT_EQ(acked, 200u);
    });
  for (auto& r : runners) r.join();
  std::map<std::string, std::set<std::uint64_t>> kept;
  for (auto const& s : stored_once()) EXPECT_TRUE(kept[s.source].insert(s.sequence).second);
  for (auto const& [source, set] : kept) EXPECT_EQ(set.size(), 200u) << source;
  EXPECT_EQ(kept.size(), 4u);
}

}  // namespace
}  // namespace headrace::ingest::agent_websocket
