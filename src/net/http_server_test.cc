// SPDX-License-Identifier: Apache-2.0
#include "net/http_server.h"

#include <gtest/gtest.h>
#include <zlib.h>
#include <zstd.h>

#include <atomic>
#include <future>

#include "net/http_client.h"
#include "net/test_peer.h"

namespace headrace::net {
namespace {

using namespace std::chrono_literals;

class HttpServerTest : public ::testing::Test {
 protected:
  HttpServerTest() { threads_.start(); }
  ~HttpServerTest() override {
    if (server_) server_->stop(2s);
  }

  HttpServer& make(HttpServerOptions options = {}) {
    if (options.listeners.empty()) options.listeners = {Listener{}};
    server_ = std::make_unique<HttpServer>(threads_, std::move(options));
    server_->route(Method::kGet, "/hello",
                   [](Request const&, Responder r) { r.send(text_response(200, "hello")); });
    server_->route(
        Method::kPost, "/echo",
        [](Request const& q, Responder r) { r.send(text_response(200, std::string(q.text()))); },
        {.body_bytes_max = 100'000, .unpack_body = true});
    server_->route(Method::kGet, "/below/*", [](Request const& q, Responder r) {
      r.send(text_response(200, std::string(q.path)));
    });
    return *server_;
  }
  void start() {
    auto const started = server_->start();
    ASSERT_TRUE(started.has_value()) << base::to_string(started.error());
    port_ = server_->ports().front();
  }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  TestPeer peer() const { return TestPeer(port_); }

  IoThreads threads_{IoThreadsOptions{.count = 2, .tick = 5ms}};
  std::unique_ptr<HttpServer> server_;
  std::uint16_t port_ = 0;
};

TEST_F(HttpServerTest, AnswersAndKeepsTheConnection) {
  make();
  start();
  auto client = HttpClient::open(url());
  for (int i = 0; i < 3; ++i) {
    auto const reply = client->get("/hello?x=1");
    ASSERT_TRUE(reply.has_value()) << base::to_string(reply.error());
    EXPECT_EQ(reply->status, 200);
    EXPECT_EQ(reply->body, "hello");
    EXPECT_EQ(reply->header("content-length"), "5");
    EXPECT_TRUE(reply->header("date").has_value());
  }
  EXPECT_EQ(server_->stats().connections_total, 1u);
  EXPECT_EQ(server_->stats().requests_total, 3u);
}

TEST_F(HttpServerTest, AnswersPipelinedRequestsInOrder) {
  make();
  start();
  auto p = peer();
  p.send(
      "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\noneGET /hello "
      "HTTP/1.1\r\nHost: a\r\n\r\n"
      "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: "
      "chunked\r\n\r\n2\r\nth\r\n3;x=y\r\nree\r\n0\r\n\r\n"
      "HEAD /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  auto const all = p.read_to_end();
  auto const one = all.find("\r\n\r\none"), hello = all.find("\r\n\r\nhello"),
             three = all.find("\r\n\r\nthree");
  ASSERT_NE(one, all.npos) << all;
  ASSERT_NE(three, all.npos) << all;
  EXPECT_LT(one, hello);
  EXPECT_LT(hello, three);
  EXPECT_TRUE(all.ends_with("Content-Length: 5\r\nConnection: close\r\n\r\n")) << all;
}

struct RefusedCase {
  char const* name;
  std::string bytes;
  int status;
  char const* contains;
};

std::vector<RefusedCase> refused_cases() {
  return {
      {"unknown path", "GET /nothing HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 404,
       "not_found"},
      {"wrong method", "DELETE /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 405,
       "Allow: GET, HEAD"},
      {"unknown method", "BREW /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 405,
       "Allow"},
      {"no Host", "GET /hello HTTP/1.1\r\n\r\n", 400, "Host"},
      {"two Hosts", "GET /hello HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400, "Host"},
      {"bare LF", "GET /hello HTTP/1.1\nHost: a\n\n", 400, "CR LF"},
      {"obs-fold", "GET /hello HTTP/1.1\r\nHost: a\r\n b\r\n\r\n", 400, "folded"},
      {"blank before colon", "GET /hello HTTP/1.1\r\nHost : a\r\n\r\n", 400, "token"},
      {"length and chunked",
       "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
       400, "refused"},
      {"two lengths",
       "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\n", 400,
       "repeated"},
      {"length no number", "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: +3\r\n\r\n", 400,
       "Content-Length"},
      {"other coding", "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
       501, "chunked"},
      {"version", "GET /hello HTTP/2.0\r\nHost: a\r\n\r\n", 505, "HTTP/1.1"},
      {"garbage", "\x16\x03\x01\x02", 400, "invalid_argument"},
      {"bad escape", "GET /below/%zz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 400,
       "escape"},
      {"target too long", "GET /" + std::string(2000, 'a') + " HTTP/1.1\r\n", 414, "too_large"},
      {"headers too long", "GET /hello HTTP/1.1\r\nHost: " + std::string(2000, 'a'), 431,
       "too_large"},
      {"too many headers",
       "GET /hello HTTP/1.1\r\nHost: a\r\na: 1\r\nb: 1\r\nc: 1\r\nd: 1\r\ne: 1\r\n\r\n", 431,
       "more than 5"},
      {"too large",
       "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100001\r\nConnection: close\r\n\r\n" +
           std::string(100'001, 'x'),
       413, "100000"},
      {"far too large",
       "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 18446744073709551615\r\n\r\nabc", 413,
       "100000"},
      {"chunks too large",
       "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n20000\r\n" +
           std::string(0x20000, 'x') + "\r\n0\r\n\r\n",
       413, "100000"},
      {"bad chunk", "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
       400, "chunk size"},
      {"chunk without end",
       "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n", 400,
       "chunk"},
      {"encoding",
       "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Encoding: br\r\nContent-Length: 1\r\nConnection: "
       "close\r\n\r\nx",
       415, "unsupported_media_type\",\"message\":\"Content-Encoding 'br' is not accepted"},
      {"broken gzip",
       "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Encoding: gzip\r\nContent-Length: "
       "1\r\nConnection: close\r\n\r\nx",
       400, "gzip"},
      {"expectation",
       "POST /echo HTTP/1.1\r\nHost: a\r\nExpect: miracles\r\nContent-Length: 1\r\n\r\n", 417,
       "100-continue"},
      {"1.0 without length", "POST /echo HTTP/1.0\r\n\r\n", 411, "Content-Length"},
  };
}

TEST_F(HttpServerTest, UnfinishedBodiesOfManyAreBoundedTogether) {
  HttpServerOptions options;
  options.receiving_bytes_max = 200'000;
  make(std::move(options));
  start();
  auto const part =
      "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 99999\r\n\r\n" + std::string(90'000, 'x');
  std::vector<TestPeer> peers;
  for (int i = 0; i < 8; ++i) {  // 90 KB each: at most two an io thread
    peers.push_back(peer());
    peers.back().send(part);
  }
  for (auto& p : peers) p.send(std::string(9'999, 'x'));
  int refused = 0, served = 0;
  for (auto& p : peers) {
    auto const answer = p.read_until("\r\n\r\n");
    refused += answer.starts_with("HTTP/1.1 503") && answer.find("Retry-After: 1") != answer.npos;
    served += answer.starts_with("HTTP/1.1 200");
  }
  EXPECT_EQ(refused + served, 8);
  EXPECT_GE(served, 2);
  auto p = peer();  // nothing is counted any more
  p.send(part + std::string(9'999, 'x'));
  EXPECT_TRUE(p.read_until("\r\n\r\n").starts_with("HTTP/1.1 200"));
}

TEST_F(HttpServerTest, RefusesPrecisely) {
  HttpServerOptions options;
  options.header_bytes_max = 1000;
  options.header_count_max = 5;
  make(std::move(options));
  start();
  for (auto const& c : refused_cases()) {
    SCOPED_TRACE(c.name);
    auto p = peer();
    p.send(c.bytes);
    auto const all = p.read_to_end();
    EXPECT_TRUE(all.starts_with("HTTP/1.1 " + std::to_string(c.status))) << all;
    EXPECT_NE(all.find(c.contains), all.npos) << all;
    EXPECT_NE(all.find("{\"error\":{\"code\":\""), all.npos) << all;
  }
}

TEST_F(HttpServerTest, KeepsTheConnectionAfterASmallRefusedBody) {
  make();
  start();
  auto client = HttpClient::open(url());
  EXPECT_EQ(client->post("/nothing", "text/plain", "some body")->status, 404);
  EXPECT_EQ(client->get("/hello")->status, 200);
  EXPECT_EQ(server_->stats().connections_total, 1u);
}

TEST_F(HttpServerTest, DecodesPathsAndFindsTheLongestPrefix) {
  make().route(Method::kGet, "/below/deep/*",
               [](Request const&, Responder r) { r.send(text_response(200, "deep")); });
  start();
  auto client = HttpClient::open(url());
  EXPECT_EQ(client->get("/below/a%20b?q=%41")->body, "/below/a b");
  EXPECT_EQ(client->get("/below/deep/x")->body, "deep");
  EXPECT_EQ(client->get("/below")->status, 404);
}

TEST_F(HttpServerTest, ContinuesWhenAsked) {
  make();
  start();
  auto p = peer();
  p.send(
      "POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\nConnection: "
      "close\r\n\r\n");
  EXPECT_EQ(p.read_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  p.send("ok");
  EXPECT_TRUE(p.read_to_end().ends_with("\r\n\r\nok"));
}

TEST_F(HttpServerTest, Speaks10) {
  make();
  start();
  auto p = peer();
  p.send("GET /hello HTTP/1.0\r\n\r\n");
  EXPECT_TRUE(p.read_to_end().ends_with("Connection: close\r\n\r\nhello"));
}

std::string gzip(std::string const& text) {
  z_stream stream{};
  deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
  std::string out(deflateBound(&stream, text.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);
  out.resize(out.size() - stream.avail_out);
  deflateEnd(&stream);
  return out;
}
std::string zstd(std::string const& text) {
  std::string out(ZSTD_compressBound(text.size()), '\0');
  out.resize(ZSTD_compress(out.data(), out.size(), text.data(), text.size(), 3));
  return out;
}

TEST_F(HttpServerTest, UnpacksBodiesAndRefusesBombs) {
  make();
  start();
  auto client = HttpClient::open(url());
  std::string const text(50'000, 'a'),
      bomb(10'000'000, 'a');  // NOLINT(bugprone-string-constructor)
  EXPECT_EQ(client->post("/echo", "text/plain", gzip(text), {{"Content-Encoding", "gzip"}})->body,
            text);
  EXPECT_EQ(client->post("/echo", "text/plain", zstd(text), {{"Content-Encoding", "zstd"}})->body,
            text);
  EXPECT_EQ(client->post("/echo", "text/plain", gzip(bomb), {{"Content-Encoding", "gzip"}})->status,
            413);
  EXPECT_EQ(client->post("/echo", "text/plain", zstd(bomb), {{"Content-Encoding", "zstd"}})->status,
            413);
  auto cut = gzip(text);
  cut.resize(cut.size() - 3);
  EXPECT_EQ(client->post("/echo", "text/plain", cut, {{"Content-Encoding", "gzip"}})->status, 400);
}

TEST_F(HttpServerTest, TimesOutSlowHeads) {
  HttpServerOptions options;
  options.header_timeout = 50ms;
  make(std::move(options));
  start();
  auto p = peer();
  p.send("GET /hello HTT");
  EXPECT_TRUE(p.read_to_end().starts_with("HTTP/1.1 408"));
  auto silent = peer();
  EXPECT_EQ(silent.read_to_end(), "");
  EXPECT_EQ(server_->stats().timeouts_total, 1u);
}

TEST_F(HttpServerTest, TimesOutSlowBodiesAndIdleConnections) {
  HttpServerOptions options;
  options.body_grace = 50ms;
  options.idle_timeout = 50ms;
  make(std::move(options));
  start();
  auto p = peer();
  p.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 20\r\n\r\nabc");
  EXPECT_TRUE(p.read_to_end().starts_with("HTTP/1.1 408"));
  auto idle = peer();
  idle.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_TRUE(idle.read_to_end().ends_with("hello"));
}

TEST_F(HttpServerTest, RefusesConnectionsAboveTheBound) {
  HttpServerOptions options;
  options.connections_max = 2;
  make(std::move(options));
  start();
  auto a = peer(), b = peer();
  a.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
  b.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
  a.read_until("hello");
  b.read_until("hello");
  auto const refused = peer().read_to_end();
  EXPECT_TRUE(refused.starts_with("HTTP/1.1 503")) << refused;
  EXPECT_NE(refused.find("too many connections"), refused.npos);
  EXPECT_EQ(server_->stats().connections_refused_total, 1u);
}

TEST_F(HttpServerTest, AsksTheHookBeforeTheBody) {
  HttpServerOptions options;
  options.body_bytes_before_auth_max = 10;
  options.authorize = [](RequestHead const& head) {
    auto const token = head.bearer_token();
    if (!token) return Admission::refused(error_response(401, "unauthenticated", "who are you?"));
    return *token == "later" ? Admission::undecided() : Admission::allowed();
  };
  make(std::move(options))
      .route(Method::kGet, "/open",
             [](Request const&, Responder r) { r.send(text_response(200, "")); },
             {.authorize = false});
  start();
  auto client = HttpClient::open(url());
  std::string const body(1000, 'x');
  EXPECT_EQ(client->get("/open")->status, 200);
  EXPECT_EQ(client->post("/echo", "text/plain", body)->status, 401);
  EXPECT_EQ(client->post("/echo", "text/plain", body, {{"Authorization", "Bearer later"}})->status,
            413);
  EXPECT_EQ(client->post("/echo", "text/plain", body, {{"authorization", "bearer yes"}})->status,
            200);
}

TEST_F(HttpServerTest, ChecksHostAndOrigin) {
  HttpServerOptions options;
  options.origin_policy = OriginPolicy{{"metrics.example"}, {"https://dash.example"}};
  make(std::move(options));
  start();
  struct Case {
    char const *name, *host, *origin;
    int status;
  };
  Case const cases[] = {{"by address", "127.0.0.1:80", nullptr, 200},
                        {"by name", "LOCALHOST", nullptr, 200},
                        {"v6", "[::1]:99", nullptr, 200},
                        {"configured", "metrics.example:1", nullptr, 200},
                        {"rebinding", "evil.example", nullptr, 421},
                        {"suffix", "localhost.evil", nullptr, 421},
                        {"own page", "localhost:80", "http://localhost:80", 200},
                        {"other port", "localhost:80", "http://localhost:81", 403},
                        {"other page", "localhost", "https://evil.example", 403},
                        {"allowed page", "localhost", "https://dash.example", 200},
                        {"opaque", "localhost", "null", 403}};
  for (auto const& c : cases) {
    SCOPED_TRACE(c.name);
    auto p = peer();
    p.send(std::string("GET /hello HTTP/1.1\r\nConnection: close\r\nHost: ") + c.host + "\r\n" +
           (c.origin != nullptr ? std::string("Origin: ") + c.origin + "\r\n\r\n" : "\r\n"));
    EXPECT_TRUE(p.read_to_end().starts_with("HTTP/1.1 " + std::to_string(c.status)));
  }
}

TEST_F(HttpServerTest, AnswersLaterAndNoticesWhoLeft) {
  std::promise<Responder> taken;
  std::promise<void> left;
  make().route(Method::kGet, "/later",
               [&](Request const&, Responder r) { taken.set_value(std::move(r)); });
  server_->route(Method::kGet, "/leaves", [&](Request const&, Responder r) {
    auto shared = std::make_shared<Responder>(std::move(r));
    shared->on_closed([&, shared] { left.set_value(); });
  });
  server_->route(Method::kGet, "/drops", [](Request const&, Responder) {});
  start();
  auto p = peer();
  p.send(
      "GET /later HTTP/1.1\r\nHost: a\r\n\r\nGET /hello HTTP/1.1\r\nHost: a\r\nConnection: "
      "close\r\n\r\n");
  auto responder = taken.get_future().get();
  auto& thread = responder.thread();
  thread.post([r = std::make_shared<Responder>(std::move(responder))] {
    r->send(text_response(202, "late"));
  });
  auto const all = p.read_to_end();
  EXPECT_LT(all.find("late"), all.find("hello")) << all;
  auto q = peer();
  q.send("GET /leaves HTTP/1.1\r\nHost: a\r\n\r\n");
  while (server_->stats().requests_total < 3) std::this_thread::yield();
  q.reset();
  left.get_future().get();
  EXPECT_EQ(HttpClient::open(url())->get("/drops")->status, 500);
}

TEST_F(HttpServerTest, StreamsWithBackPressure) {
  constexpr std::size_t kTotal = 20u << 20;
  std::atomic<std::size_t> pauses{0};
  struct Stream {
    ResponseWriter writer;
    std::size_t left = kTotal;
    std::atomic<std::size_t>* pauses = nullptr;
    void pump() {
      std::string const piece(64u << 10, 'z');
      while (left > 0) {
        left -= piece.size();
        if (!writer.write(piece)) {
          ++*pauses;
          return;
        }
      }
      writer.finish();
    }
  };
  make().route(Method::kGet, "/stream", [&](Request const&, Responder r) {
    auto s = std::make_shared<Stream>();
    s->pauses = &pauses;
    s->writer = r.begin(200, {{"Content-Type", "text/plain"}});
    s->writer.on_drained([s] { s->pump(); });
    s->pump();
  });
  start();
  auto const reply = HttpClient::open(url(), {.timeout = 20s})->get("/stream");
  ASSERT_TRUE(reply.has_value()) << base::to_string(reply.error());
  EXPECT_EQ(reply->body.size(), kTotal);
  EXPECT_EQ(reply->header("transfer-encoding"), "chunked");
  EXPECT_GT(pauses, 0u);
}

TEST_F(HttpServerTest, CutsAResponseThatWasNotFinished) {
  make().route(Method::kGet, "/half",
               [](Request const&, Responder r) { r.begin(200, {}).write("half"); });
  start();
  auto const reply = HttpClient::open(url())->get("/half");
  ASSERT_FALSE(reply.has_value());
}

TEST_F(HttpServerTest, DrainsOnStop) {
  std::promise<Responder> taken;
  make().route(Method::kGet, "/later",
               [&](Request const&, Responder r) { taken.set_value(std::move(r)); });
  start();
  auto idle = peer(), busy = peer();
  idle.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
  idle.read_until("hello");
  busy.send("GET /later HTTP/1.1\r\nHost: a\r\n\r\n");
  auto responder = std::make_shared<Responder>(taken.get_future().get());
  auto stopped = std::async(std::launch::async, [&] { server_->stop(10s); });
  EXPECT_EQ(idle.read_to_end(), "");  // its close shows that draining has begun
  auto& thread = responder->thread();
  thread.post([responder] { responder->send(text_response(200, "done")); });
  responder.reset();
  EXPECT_TRUE(busy.read_to_end().ends_with("\r\n\r\ndone"));
  busy.half_close();
  stopped.get();
  EXPECT_EQ(server_->stats().connections_open, 0u);
}

TEST_F(HttpServerTest, CutsWhatIsLeftAtTheDeadline) {
  std::promise<void> taken;
  std::shared_ptr<Responder> kept;
  make().route(Method::kGet, "/never", [&](Request const&, Responder r) {
    kept = std::make_shared<Responder>(std::move(r));
    taken.set_value();
  });
  start();
  auto p = peer();
  p.send("GET /never HTTP/1.1\r\nHost: a\r\n\r\n");
  taken.get_future().get();
  auto& thread = kept->thread();
  server_->stop(20ms);
  EXPECT_EQ(p.read_to_end(), "");
  threads_.run_on(thread.index(), [&] { kept.reset(); });
}

TEST_F(HttpServerTest, OpensAndClosesAThousandConnections) {
  make();
  start();
  {
    std::vector<TestPeer> peers;
    for (int i = 0; i < 1000; ++i) peers.push_back(peer());
    for (auto& p : peers) p.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
    for (auto& p : peers) EXPECT_NE(p.read_until("hello"), "");
    EXPECT_EQ(server_->stats().connections_open, 1000u);
  }
  while (server_->stats().connections_open > 0) std::this_thread::yield();
}

TEST_F(HttpServerTest, SaysWhyItCannotStart) {
  make();
  start();
  HttpServer second(threads_, {.listeners = {Listener{"127.0.0.1", port_, {}}}});
  auto const taken = second.start();
  ASSERT_FALSE(taken.has_value());
  EXPECT_NE(taken.error().context.find("127.0.0.1:" + std::to_string(port_)), std::string::npos);
  HttpServer third(threads_, {.listeners = {Listener{"no.address", 0, {}}}});
  EXPECT_EQ(third.start().error().code, base::ErrorCode::kInvalidArgument);
  HttpServer fourth(
      threads_,
      {.listeners = {Listener{"127.0.0.1", 0, TlsFiles{"/missing.pem", "/missing.key"}}}});
  EXPECT_NE(fourth.start().error().context.find("/missing.pem"), std::string::npos);
}

}  // namespace
}  // namespace headrace::net
