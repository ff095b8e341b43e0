// SPDX-License-Identifier: Apache-2.0
#include "net/tls.h"

#include <gtest/gtest.h>
#include <openssl/ssl.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <future>

#include "net/http_client.h"
#include "net/http_server.h"
#include "net/impl/tls_context.h"
#include "net/impl/tls_engine.h"
#include "net/self_signed.h"
#include "net/websocket_client.h"

namespace headrace::net {
namespace {

using namespace std::chrono_literals;

class TlsTest : public ::testing::Test {
 protected:
  TlsTest() {
    std::string name = (std::filesystem::temp_directory_path() / "headrace-tls-XXXXXX").string();
    directory_ = ::mkdtemp(name.data());
    files_ = {directory_ / "cert.pem", directory_ / "key.pem"};
    write_certificate({"localhost", "127.0.0.1"});
  }
  ~TlsTest() override { std::filesystem::remove_all(directory_); }
  void write_certificate(std::vector<std::string> const& names) {
    auto const made = make_self_signed(names);
    ASSERT_TRUE(made.has_value());
    std::ofstream(files_.certificate_file) << made->certificate_pem;
    std::ofstream(files_.key_file) << made->key_pem;
  }

  std::filesystem::path directory_;
  TlsFiles files_;
};

// Moves bytes between two engines until nothing moves; returns what came out in plain at `b`.
std::string pump(TlsEngine& a, std::string a_out, TlsEngine& b) {
  std::string plain, b_out;
  char buffer[20'000];
  bool moved = true;
  while (moved) {
    moved = !a_out.empty() || !b_out.empty();
    b.feed(std::exchange(a_out, {}));
    while (auto const n = b.read(buffer)) plain.append(buffer, n);
    b.take(b_out);
    a.feed(std::exchange(b_out, {}));
    while (a.read(buffer) > 0) {
    }
    a.take(a_out);
    moved = moved || !a_out.empty();
  }
  return plain;
}

TEST_F(TlsTest, EnginesTalkWithWhatWasWrittenBeforeTheHandshake) {
  auto context = TlsServerContext::load(files_);
  ASSERT_TRUE(context.has_value()) << base::to_string(context.error());
  auto server = TlsEngine::server(**context);
  auto client = TlsEngine::client({.ca_file = files_.certificate_file}, "localhost");
  ASSERT_TRUE(client.has_value());
  std::string out;
  std::string const early(100'000, 'e');
  (*client)->write(early, out);
  EXPECT_EQ(pump(**client, out, *server), early);
  out.clear();
  (*client)->close(out);
  EXPECT_EQ(pump(**client, out, *server), "");
  EXPECT_TRUE(server->ended());
}

TEST_F(TlsTest, RefusesTheWrongNameAndUnknownIssuers) {
  auto context = TlsServerContext::load(files_);
  for (auto const& [name, ca] :
       {std::pair<std::string, std::string>{"other.example", files_.certificate_file},
        {"localhost", ""}}) {
    auto server = TlsEngine::server(**context);
    auto client = TlsEngine::client({.ca_file = ca}, name);
    std::string out;
    (*client)->take(out);
    pump(**client, out, *server);
    EXPECT_TRUE((*client)->failed());
    EXPECT_NE((*client)->failure(), "");
  }
}

TEST_F(TlsTest, GarbageFails) {
  auto context = TlsServerContext::load(files_);
  auto server = TlsEngine::server(**context);
  server->feed("GET / HTTP/1.1\r\n\r\n");
  char buffer[100];
  EXPECT_EQ(server->read(buffer), 0u);
  EXPECT_TRUE(server->failed());
}

TEST_F(TlsTest, ServesHttpAndWebSocketAndReloads) {
  IoThreads threads(IoThreadsOptions{.count = 2, .tick = 5ms});
  threads.start();
  HttpServer server(threads, {.listeners = {Listener{.tls = files_}}});
  server.route(Method::kPost, "/echo", [](Request const& q, Responder r) {
    EXPECT_TRUE(q.tls);
    r.send(text_response(200, std::string(q.text())));
  });
  ASSERT_TRUE(server.start().has_value());
  auto const url = "https://localhost:" + std::to_string(server.ports().front());
  auto client = HttpClient::open(url, {.tls = {.ca_file = files_.certificate_file}});
  std::string const body(700'000, 'b');
  auto const reply = client->post("/echo", "text/plain", body);
  ASSERT_TRUE(reply.has_value()) << base::to_string(reply.error());
  EXPECT_TRUE(reply->body == body);
  EXPECT_FALSE(
      HttpClient::open(url)->post("/echo", "text/plain", "x").has_value());  // unknown issuer
  EXPECT_TRUE(HttpClient::open(url, {.tls = {.verify = false}})
                  ->post("/echo", "text/plain", "x")
                  .has_value());
  auto const plain = HttpClient::open("http" + url.substr(5))->get("/echo");
  EXPECT_FALSE(plain.has_value());

  auto const old_ca = directory_ / "old.pem";
  std::filesystem::copy(files_.certificate_file, old_ca);
  write_certificate({"localhost"});
  ASSERT_TRUE(server.reload_tls().has_value());
  EXPECT_FALSE(HttpClient::open(url, {.tls = {.ca_file = old_ca}})
                   ->post("/echo", "text/plain", "x")
                   .has_value());
  EXPECT_TRUE(HttpClient::open(url, {.tls = {.ca_file = files_.certificate_file}})
                  ->post("/echo", "text/plain", "x")
                  .has_value());
  EXPECT_EQ(client->post("/echo", "text/plain", "x")->status, 200);  // made before
  std::ofstream(files_.key_file) << "no key";
  EXPECT_FALSE(server.reload_tls().has_value());
  EXPECT_TRUE(HttpClient::open(url, {.tls = {.ca_file = files_.certificate_file}})
                  ->post("/echo", "text/plain", "x")
                  .has_value());
  server.stop(2s);
}

class Once final : public WebSocketHandler {
 public:
  Once(std::promise<std::string>& got, bool speaks) : got_(got), speaks_(speaks) {}
  void on_open(WebSocket& socket) override {
    socket_ = &socket;
    if (speaks_) socket.send_text(std::string(200'000, 't'));
  }
  void on_message(MessageKind, std::span<char> payload) override {
    if (speaks_) return got_.set_value(std::string(payload.data(), payload.size()));
    socket_->send_text({payload.data(), payload.size()});
  }
  void on_closed(CloseCode, std::string_view) override {}

 private:
  std::promise<std::string>& got_;
  bool speaks_;
  WebSocket* socket_ = nullptr;
};

TEST_F(TlsTest, CarriesWebSockets) {
  IoThreads threads(IoThreadsOptions{.count = 2, .tick = 5ms});
  threads.start();
  std::promise<std::string> got;
  HttpServer server(threads, {.listeners = {Listener{.tls = files_}}});
  server.websocket(
      "/", [&](Request const&, IoThread&) { return Accepted{std::make_unique<Once>(got, false)}; });
  ASSERT_TRUE(server.start().has_value());
  std::unique_ptr<WebSocketClient> client;
  threads.run_on(0, [&] {
    WebSocketClientOptions options{.url =
                                       "wss://localhost:" + std::to_string(server.ports().front())};
    options.tls.ca_file = files_.certificate_file;
    client = std::make_unique<WebSocketClient>(
        threads.at(0), options, std::make_unique<Once>(got, true),
        [&](base::Error const& e) { got.set_value(base::to_string(e)); });
  });
  EXPECT_TRUE(got.get_future().get() == std::string(200'000, 't'));
  threads.run_on(0, [&] { client.reset(); });
  server.stop(2s);
}

// The version that a client which speaks only `version` gets; "" when it is refused.
std::string negotiated(TlsServerContext& context, int version) {
  auto server = TlsEngine::server(context);
  auto client_context = make_ssl_context(TLS_client_method());
  SSL_CTX_set_min_proto_version(client_context.get(), version);
  SSL_CTX_set_max_proto_version(client_context.get(), version);
  SSL_CTX_set_security_level(client_context.get(), 0);
  SslPtr const client(SSL_new(client_context.get()));
  BIO* const in = BIO_new(BIO_s_mem());
  BIO* const out = BIO_new(BIO_s_mem());
  SSL_set_bio(client.get(), in, out);
  char buffer[20'000];
  for (int round = 0; round < 4; ++round) {
    SSL_connect(client.get());
    int const size = BIO_read(out, buffer, sizeof buffer);
    if (size > 0) server->feed({buffer, static_cast<std::size_t>(size)});
    server->read(buffer);
    std::string reply;
    server->take(reply);
    BIO_write(in, reply.data(), static_cast<int>(reply.size()));
  }
  return SSL_is_init_finished(client.get()) ? SSL_get_version(client.get()) : "";
}

TEST_F(TlsTest, Speaks12And13Only) {
  auto context = TlsServerContext::load(files_);
  EXPECT_EQ(negotiated(**context, TLS1_1_VERSION), "");
  EXPECT_EQ(negotiated(**context, TLS1_2_VERSION), "TLSv1.2");
  EXPECT_EQ(negotiated(**context, TLS1_3_VERSION), "TLSv1.3");
}

}  // namespace
}  // namespace headrace::net
