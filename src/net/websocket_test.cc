// SPDX-License-Identifier: Apache-2.0
#include "net/websocket.h"

#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <deque>
#include <future>
#include <mutex>

#include "net/http_client.h"
#include "net/http_server.h"
#include "net/impl/websocket_codec.h"
#include "net/self_signed.h"
#include "net/test_peer.h"
#include "net/websocket_client.h"

namespace headrace::net {
namespace {

using namespace std::chrono_literals;

// What handlers saw, as lines, for the test's thread to wait for.
class Events {
 public:
  void add(std::string event) {
    std::lock_guard const lock(mutex_);
    events_.push_back(std::move(event));
    changed_.notify_all();
  }
  std::string next() {
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, 20s, [&] { return !events_.empty(); })) return "(nothing came)";
    auto out = std::move(events_.front());
    events_.pop_front();
    return out;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::string> events_;
};

class Recorder : public WebSocketHandler {
 public:
  Recorder(Events& events, std::function<void(WebSocket&, std::string_view)> on_text)
      : events_(events), on_text_(std::move(on_text)) {}
  void on_open(WebSocket& socket) override {
    socket_ = &socket;
    events_.add("open " + std::string(socket.subprotocol()));
  }
  void on_message(MessageKind kind, std::span<char> payload) override {
    std::string_view const text(payload.data(), payload.size());
    std::string const shown =
        payload.size() > 100 ? std::to_string(payload.size()) + " bytes" : std::string(text);
    events_.add((kind == MessageKind::kText ? "text " : "binary ") + shown);
    if (on_text_) on_text_(*socket_, text);
  }
  void on_read_end() override { events_.add("read end"); }
  void on_closed(CloseCode code, std::string_view reason) override {
    events_.add("closed " + std::to_string(static_cast<int>(code)) + " " + std::string(reason));
  }

 private:
  Events& events_;
  std::function<void(WebSocket&, std::string_view)> on_text_;
  WebSocket* socket_ = nullptr;
};

class WebSocketTest : public ::testing::Test {
 protected:
  WebSocketTest() { threads_.start(); }
  ~WebSocketTest() override {
    run([&] { client_.reset(); });
    if (server_) server_->stop(2s);
  }

  void start(WebSocketOptions options = {}, std::optional<TlsFiles> tls = {}) {
    server_ = std::make_unique<HttpServer>(
        threads_, HttpServerOptions{.listeners = {Listener{.tls = tls}},
                                    .receiving_bytes_max = receiving_bytes_max_});
    server_->websocket(
        "/ws", [this, options](Request const& q, IoThread&) -> std::variant<Response, Accepted> {
          if (q.parameter("token") != "good")
            return error_response(403, "denied", "a good token is needed");
          std::string_view const supported[] = {"v2", "v1"};
          return Accepted{std::make_unique<Recorder>(seen_, on_text_),
                          choose_subprotocol(q, supported), options};
        });
    auto const started = server_->start();
    ASSERT_TRUE(started.has_value()) << base::to_string(started.error());
    port_ = server_->ports().front();
  }
  // A raw client that has upgraded.
  TestPeer raw(std::string const& more = "") {
    TestPeer p(port_);
    p.send(
        "GET /ws?token=good HTTP/1.1\r\nHost: a\r\nUpgrade: WebSocket\r\nConnection: keep-alive, "
        "Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n" +
        more);
    auto const answer = p.read_until("\r\n\r\n");
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 101")) << answer;
    EXPECT_NE(answer.find("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
              answer.npos);  // RFC 6455 1.3
    return p;
  }
  void connect(WebSocketClientOptions options,
               std::function<void(WebSocket&, std::string_view)> on_text = {}) {
    if (options.url.empty())
      options.url = "ws://127.0.0.1:" + std::to_string(port_) + "/ws?token=good";
    run([&] {
      client_ = std::make_unique<WebSocketClient>(
          threads_.at(0), options, std::make_unique<Recorder>(mine_, std::move(on_text)),
          [this](base::Error const& e) { mine_.add("failed " + base::to_string(e)); });
    });
  }
  void run(std::function<void()> const& task) { threads_.run_on(0, task); }

  IoThreads threads_{IoThreadsOptions{.count = 2, .tick = 5ms}};
  Events seen_, mine_;  // by the server, by the client
  std::function<void(WebSocket&, std::string_view)> on_text_;
  std::unique_ptr<HttpServer> server_;
  std::unique_ptr<WebSocketClient> client_;
  std::size_t receiving_bytes_max_ = 128u << 20;
  std::uint16_t port_ = 0;
};

std::string frame(std::uint8_t op, std::string_view payload) {
  std::string out;
  append_frame(out, op, payload, 0x12345678);
  return out;
}
std::string fragment(std::uint8_t op, std::string_view payload) {
  auto out = frame(op, payload);
  out[0] = static_cast<char>(out[0] & 0x7f);
  return out;
}
std::string from_server(std::uint8_t op, std::string_view payload) {
  std::string out;
  append_frame(out, op, payload, std::nullopt);
  return out;
}

TEST_F(WebSocketTest, DeliversAllMessagesOfAReadThenItsEnd) {
  start();
  auto p = raw(frame(opcode::kText, "one") + frame(opcode::kBinary, "two") +
               fragment(opcode::kText, "th") + frame(opcode::kPing, "?") +
               frame(opcode::kContinuation, "ree"));
  EXPECT_EQ(p.read_exactly(3), from_server(opcode::kPong, "?"));
  for (auto const* want : {"open ", "text one", "binary two", "text three", "read end"})
    EXPECT_EQ(seen_.next(), want);
  p.send(frame(opcode::kClose, close_payload(CloseCode::kNormal, "bye")));
  EXPECT_EQ(p.read_to_end(), from_server(opcode::kClose, close_payload(CloseCode::kNormal, "")));
  EXPECT_EQ(seen_.next(), "closed 1000 bye");
}

TEST_F(WebSocketTest, FinishesFramesThatComeInPieces) {
  start();
  auto p = raw();
  std::string const big(300'000, 'b');
  auto const bytes =
      frame(opcode::kText, "first") + frame(opcode::kText, big) + frame(opcode::kText, "last");
  for (std::size_t at = 0; at < bytes.size(); at += 70'001)
    p.send(std::string_view(bytes).substr(at, 70'001));
  std::vector<std::string> got;
  while (got.empty() || got.back() != "text last") {
    auto event = seen_.next();
    ASSERT_NE(event, "(nothing came)");
    if (event != "read end") got.push_back(event);
  }
  EXPECT_EQ(got,
            (std::vector<std::string>{"open ", "text first", "text 300000 bytes", "text last"}));
}

TEST_F(WebSocketTest, ClosesWithTheRightCode) {
  start({.message_bytes_max = 1000});
  struct Case {
    char const* name;
    std::string bytes;
    CloseCode code;
  };
  Case const cases[] = {
      {"unmasked", from_server(opcode::kText, "x"), CloseCode::kProtocolError},
      {"reserved bit", "\xC1" + frame(1, "x").substr(1), CloseCode::kProtocolError},
      {"reserved opcode", frame(3, "x"), CloseCode::kProtocolError},
      {"continuation first", frame(0, "x"), CloseCode::kProtocolError},
      {"fragmented ping", fragment(opcode::kPing, "x"), CloseCode::kProtocolError},
      {"long ping", frame(opcode::kPing, std::string(126, 'x')), CloseCode::kProtocolError},
      {"message in message", fragment(1, "a") + frame(1, "b"), CloseCode::kProtocolError},
      {"not UTF-8", frame(1, "\xff"), CloseCode::kInvalidData},
      {"too large", frame(1, std::string(1001, 'x')), CloseCode::kTooBig},
      {"too large in pieces", fragment(2, std::string(600, 'x')) + frame(0, std::string(401, 'x')),
       CloseCode::kTooBig},
      {"one byte close", frame(8, "x"), CloseCode::kProtocolError},
      {"bad close code", frame(8, "\x03\xed"), CloseCode::kProtocolError},
      {"bad close reason", frame(8, "\x03\xe8\xff"), CloseCode::kInvalidData},
  };
  for (auto const& c : cases) {
    SCOPED_TRACE(c.name);
    auto p = raw(c.bytes);
    auto const answer = p.read_to_end();
    ASSERT_GE(answer.size(), 4u);
    EXPECT_EQ(answer[0], '\x88');
    EXPECT_EQ((static_cast<unsigned char>(answer[2]) << 8) + static_cast<unsigned char>(answer[3]),
              static_cast<int>(c.code));
    EXPECT_EQ(seen_.next(), "open ");
    EXPECT_TRUE(seen_.next().starts_with("closed " + std::to_string(static_cast<int>(c.code))));
  }
}

TEST_F(WebSocketTest, RefusesUpgradesPrecisely) {
  start();
  struct Case {
    char const* name;
    std::string request;
    int status;
  };
  std::string const upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\n";
  std::string const key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
  std::string const version = "Sec-WebSocket-Version: 13\r\n";
  Case const cases[] = {
      {"no upgrade", "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 426},
      {"refused", "GET /ws?token=bad HTTP/1.1\r\nHost: a\r\n" + upgrade + key + version + "\r\n",
       403},
      {"old version",
       "GET /ws HTTP/1.1\r\nHost: a\r\n" + upgrade + key + "Sec-WebSocket-Version: 8\r\n\r\n", 426},
      {"bad key",
       "GET /ws HTTP/1.1\r\nHost: a\r\n" + upgrade + "Sec-WebSocket-Key: short\r\n" + version +
           "\r\n",
       400},
      {"POST",
       "POST /ws HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n" + upgrade + key + version + "\r\n",
       400},
      {"no Connection",
       "GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n" + key + version + "\r\n", 400},
      {"elsewhere", "GET /else HTTP/1.1\r\nHost: a\r\n" + upgrade + key + version + "\r\n", 404},
  };
  for (auto const& c : cases) {
    SCOPED_TRACE(c.name);
    TestPeer p(port_);
    p.send(c.request);
    auto const head = p.read_until("\r\n\r\n");
    EXPECT_TRUE(head.starts_with("HTTP/1.1 " + std::to_string(c.status))) << head;
  }
}

TEST_F(WebSocketTest, AgreesOnASubprotocol) {
  start();
  connect({.subprotocols = {"v1", "v0"}});
  EXPECT_EQ(seen_.next(), "open v1");
  EXPECT_EQ(mine_.next(), "open v1");
}

class Greeter final : public Recorder {
 public:
  Greeter(Events& events, std::vector<std::string> greetings)
      : Recorder(events, {}), greetings_(std::move(greetings)) {}
  void on_open(WebSocket& socket) override {
    Recorder::on_open(socket);
    for (auto const& g : greetings_) socket.send_text(g);
  }

 private:
  std::vector<std::string> greetings_;
};

TEST_F(WebSocketTest, AnswersAndClosesFromTheServer) {
  on_text_ = [](WebSocket& s, std::string_view text) {
    s.send_text("re " + std::string(text));
    s.close(CloseCode::kPolicyViolation, "enough");
    EXPECT_FALSE(s.send_text("too late"));
  };
  start();
  run([&] {
    client_ = std::make_unique<WebSocketClient>(
        threads_.at(0),
        WebSocketClientOptions{.url = "ws://localhost:" + std::to_string(port_) + "/ws?token=good"},
        std::make_unique<Greeter>(mine_, std::vector<std::string>{"hi"}),
        [](base::Error const& e) { FAIL() << base::to_string(e); });
  });
  for (auto const* want : {"open ", "text hi", "read end", "closed 1008 "})
    EXPECT_EQ(seen_.next(), want);
  for (auto const* want : {"open ", "text re hi", "read end", "closed 1008 enough"})
    EXPECT_EQ(mine_.next(), want);
}

TEST_F(WebSocketTest, SaysWhyItCannotConnect) {
  start();
  connect({.url = "ws://127.0.0.1:" + std::to_string(port_) + "/ws?token=bad"});
  auto const refused = mine_.next();
  EXPECT_TRUE(refused.starts_with("failed denied")) << refused;
  EXPECT_NE(refused.find("a good token is needed"), refused.npos);
  connect({.url = "ftp://nowhere"});
  EXPECT_TRUE(mine_.next().starts_with("failed invalid_argument"));
  connect({.url = "ws://127.0.0.1:1/"});
  EXPECT_TRUE(mine_.next().starts_with("failed unavailable"));
  connect({.url = "wss://127.0.0.1:" + std::to_string(port_) + "/ws"});
  EXPECT_TRUE(mine_.next().starts_with("failed unavailable"));
}

TEST_F(WebSocketTest, TimesOutAServerThatDoesNotAnswer) {
  int const silent = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  ASSERT_EQ(::bind(silent, reinterpret_cast<sockaddr*>(&address), length), 0);
  ASSERT_EQ(::listen(silent, 1), 0);
  ::getsockname(silent, reinterpret_cast<sockaddr*>(&address), &length);
  connect({.url = "ws://127.0.0.1:" + std::to_string(ntohs(address.sin_port)) + "/",
           .connect_timeout = 30ms});
  EXPECT_TRUE(mine_.next().starts_with("failed timed_out"));
  ::close(silent);
}

TEST_F(WebSocketTest, PingsAndEndsSilentPeers) {
  start({.ping_interval = 20ms, .idle_timeout = 200ms});
  auto p = raw();
  EXPECT_EQ(p.read_exactly(2), from_server(opcode::kPing, ""));
  p.send(frame(opcode::kPong, ""));
  EXPECT_EQ(p.read_exactly(2), from_server(opcode::kPing, ""));
  EXPECT_EQ(seen_.next(), "open ");
  EXPECT_EQ(p.read_to_end(), "");
  EXPECT_TRUE(seen_.next().starts_with("closed 1006"));
}

TEST_F(WebSocketTest, TellsABrokenConnection) {
  start();
  {
    auto p = raw(frame(opcode::kText, "x"));
    EXPECT_EQ(seen_.next(), "open ");
    EXPECT_EQ(seen_.next(), "text x");
    EXPECT_EQ(seen_.next(), "read end");
    p.reset();
  }
  EXPECT_TRUE(seen_.next().starts_with("closed 1006"));
}

TEST_F(WebSocketTest, PausesWithinARead) {
  std::promise<WebSocket*> paused;
  on_text_ = [&](WebSocket& s, std::string_view text) {
    if (text != "stop") return;
    s.pause_reading();
    paused.set_value(&s);
  };
  start();
  auto p = raw(frame(1, "a") + frame(1, "stop") + frame(1, "b"));
  for (auto const* want : {"open ", "text a", "text stop", "read end"})
    EXPECT_EQ(seen_.next(), want);
  auto* const socket = paused.get_future().get();
  p.send(frame(1, "c"));
  socket->thread().post([socket] { socket->resume_reading(); });
  std::string after;
  while (after.find("text c") == after.npos && after.find("nothing") == after.npos)
    after += seen_.next() + ",";
  EXPECT_TRUE(after == "text b,text c," || after == "text b,read end,text c,") << after;
}

TEST_F(WebSocketTest, BoundsWhatAPeerDoesNotRead) {
  std::atomic<bool> refused{false};
  on_text_ = [&](WebSocket& s, std::string_view) {
    std::string const piece(1u << 20, 'p');
    for (int i = 0; i < 200 && s.send_binary(piece); ++i) {
    }
    refused = !s.send_binary(piece) && s.pending_bytes() <= (4u << 20);
  };
  start({.pending_bytes_max = 4u << 20});
  auto p = raw(frame(1, "go"));
  for (auto const* want : {"open ", "text go", "read end"}) EXPECT_EQ(seen_.next(), want);
  EXPECT_TRUE(refused);
}

TEST_F(WebSocketTest, SaysGoodbyeWhenTheServerStops) {
  start();
  connect({});
  EXPECT_EQ(mine_.next(), "open ");
  server_->stop(5s);
  EXPECT_EQ(mine_.next(), "closed 1001 server is stopping");
}

TEST_F(WebSocketTest, PeersThatDoNotAnswerTheCloseDoNotHoldUpAStop) {
  start({.close_timeout = 60s});
  auto const silent = raw();
  auto const half = raw(frame(1, "abc").substr(0, 4));
  auto const since = std::chrono::steady_clock::now();
  server_->stop(60s);
  EXPECT_LT(std::chrono::steady_clock::now() - since, 30s);
  for (auto const* want : {"open ", "open "}) EXPECT_EQ(seen_.next(), want);
  for (int i = 0; i < 2; ++i) EXPECT_EQ(seen_.next().substr(0, 11), "closed 1001");
}

TEST_F(WebSocketTest, TheBoundOfMessagesCanBeRaisedFromTheNextFrameOn) {
  on_text_ = [](WebSocket& s, std::string_view text) {
    if (text == "known") s.set_message_bytes_max(1000);
  };
  start({.message_bytes_max = 10});
  auto known = raw(frame(1, "known") + frame(1, std::string(1000, 'x')));
  for (auto const* want : {"open ", "text known", "text 1000 bytes", "read end"})
    EXPECT_EQ(seen_.next(), want);
  known.send(frame(1, std::string(1001, 'x')));
  EXPECT_EQ(seen_.next().substr(0, 11), "closed 1009");
  // The announced length is enough: nothing is kept of what would be too large.
  auto unknown = raw(frame(1, std::string(300, 'x')).substr(0, 8));
  EXPECT_EQ(seen_.next(), "open ");
  EXPECT_EQ(seen_.next().substr(0, 11), "closed 1009");
}

TEST_F(WebSocketTest, UnfinishedMessagesOfManyAreBoundedTogether) {
  receiving_bytes_max_ = 1u << 20;
  start();
  auto const unfinished = frame(2, std::string(300'000, 'x')).substr(0, 290'000);
  std::vector<TestPeer> peers;
  for (int i = 0; i < 3; ++i) peers.push_back(raw());
  for (auto& p : peers) p.send(unfinished);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(seen_.next(), "open ");
  std::vector<TestPeer> more;  // of two io threads, one must have too much by now
  for (int i = 0; i < 6; ++i) more.push_back(raw());
  for (auto& p : more) p.send(unfinished);
  std::string said;
  while (said.substr(0, 6) != "closed" && said != "(nothing came)") said = seen_.next();
  EXPECT_EQ(said.substr(0, 11), "closed 1013");
  auto small = raw(frame(1, "small"));  // who sends little is served all the same
  while (said != "text small" && said != "(nothing came)") said = seen_.next();
  EXPECT_EQ(said, "text small");
}

TEST_F(WebSocketTest, AClientThatIsDestroyedHearsNothing) {
  start();
  connect({});
  EXPECT_EQ(mine_.next(), "open ");
  run([&] { client_.reset(); });
  EXPECT_EQ(seen_.next(), "open ");
  EXPECT_TRUE(seen_.next().starts_with("closed 1006"));
}

TEST_F(WebSocketTest, ManyConnectionsComeAndGo) {
  start();
  {
    std::vector<TestPeer> peers;
    for (int i = 0; i < 1000; ++i) peers.push_back(raw());
    EXPECT_EQ(server_->stats().websockets_open, 1000u);
  }
  while (server_->stats().connections_open > 0) std::this_thread::yield();
  EXPECT_EQ(server_->stats().websockets_open, 0u);
}

}  // namespace
}  // namespace headrace::net
