// SPDX-License-Identifier: Apache-2.0
// The whole agent against a backend of the test's own on a real socket, which keeps, refuses, hangs
// up and goes away as told.
#include "agent/agent.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <map>
#include <mutex>

#include "codec/json/json.h"
#include "net/http_server.h"

namespace headrace::agent {
namespace {

using codec::json::Value;
using ::testing::HasSubstr;

// What the backend keeps over its own restarts, as a disk would.
struct Kept {
  std::mutex mutex;
  std::condition_variable changed;
  std::map<std::string, std::map<std::uint64_t, std::string>> by_session;  // first one counts
  std::uint64_t repeats = 0, hellos = 0;
  std::string last_source, last_token;

  std::size_t count() const {  // under the mutex
    std::size_t n = 0;
    for (auto const& [session, messages] : by_session) n += messages.size();
    return n;
  }
};

// Decides on each message: "" keeps it, "nack" refuses it, a number closes the connection with that
//                          code.
using Rule = std::function<std::string(std::string_view body)>;

class BackendSession final : public net::WebSocketHandler {
 public:
  BackendSession(Kept& kept, Rule rule, bool remembers)
      : kept_(kept), rule_(std::move(rule)), remembers_(remembers) {}
  void on_open(net::WebSocket& socket) override { socket_ = &socket; }
  void on_closed(net::CloseCode, std::string_view) override {}
  void on_message(net::MessageKind, std::span<char> payload) override {
    auto const root = parser_.parse(std::string_view(payload.data(), payload.size()));
    ASSERT_TRUE(root) << base::to_string(root.error());
    std::string scratch;
    if (auto const seq = root->find("seq")) {
      on_data(*root, *seq->as_uint64());
    } else if (root->find("type")->text(scratch) == "hello") {
      on_hello(*root);
    }
  }

 private:
  void on_hello(Value const& root) {
    std::lock_guard const guard(kept_.mutex);
    std::string scratch;
    session_ = root.find("session")->text(scratch);
    kept_.last_source = root.find("source")->text(scratch);
    ++kept_.hellos;
    auto const& messages = kept_.by_session[session_];
    std::uint64_t const last = remembers_ && !messages.empty() ? messages.rbegin()->first : 0;
    socket_->send_text(fmt::format(
        R"({{"type":"welcome","version":1,"session":"{}","epoch":0,"last_sequence":{},"durability":"disk",)"
        R"("limits":{{"window_messages":50,"window_bytes":100000,"frame_bytes":100000,"batch_messages":20}}}})",
        session_, last));
    kept_.changed.notify_all();
  }
  void on_data(Value const& root, std::uint64_t sequence) {
    std::lock_guard const guard(kept_.mutex);
    auto const messages = root.find("messages");
    if (!messages) {
      if (!keep(sequence, root)) return;
    } else {
      for (auto const message : messages->elements()) {
        if (!keep(sequence, message)) return;
        ++sequence;
      }
      --sequence;
    }
    socket_->send_text(fmt::format(R"({{"type":"ack","sequence":{}}})", sequence));
    kept_.changed.notify_all();
  }
  bool keep(std::uint64_t sequence, Value const& message) {
    std::string const body(base::as_text(message.find("body")->raw()));
    auto const fate = rule_ ? rule_(body) : std::string();
    if (fate == "nack") {
      socket_->send_text(fmt::format(
          R"({{"type":"nack","sequence":{0},"last":{0},"code":"invalid_argument","message":"no","retry":false}})",
          sequence));
    } else if (!fate.empty()) {
      socket_->close(static_cast<net::CloseCode>(std::stoi(fate)), "as the test says");
      return false;
    } else if (!kept_.by_session[session_].emplace(sequence, body).second) {
      ++kept_.repeats;
    }
    return true;
  }

  Kept& kept_;
  Rule rule_;
  bool const remembers_;
  net::WebSocket* socket_ = nullptr;
  std::string session_;
  codec::json::Parser parser_;
};

class Backend {
 public:
  Backend(Kept& kept, std::uint16_t port, Rule rule = {}, bool remembers = true) : threads_(1) {
    net::HttpServerOptions options;
    options.listeners.push_back({"127.0.0.1", port, {}});
    server_.emplace(threads_, options);
    server_->websocket(
        "/agent",
        [&kept, rule, remembers](net::Request const& request,
                                 net::IoThread&) -> std::variant<net::Response, net::Accepted> {
          std::lock_guard const guard(kept.mutex);
          kept.last_token = request.bearer_token().value_or("");
          if (kept.last_token == "bad") {
            net::Response refusal;
            refusal.status = 401;
            refusal.body = "who are you?";
            return refusal;
          }
          return net::Accepted{
              std::make_unique<BackendSession>(kept, rule, remembers), "headrace.v1.json", {}};
        });
    threads_.start();
    auto const started = server_->start();
    EXPECT_TRUE(started) << base::to_string(started.error());
  }
  ~Backend() {
    server_->stop(std::chrono::milliseconds(0));  // connections are cut
    server_.reset();
    threads_.stop();
  }
  std::uint16_t port() const { return server_->ports().at(0); }

 private:
  net::IoThreads threads_;
  std::optional<net::HttpServer> server_;
};

class Counting final : public Collector {
 public:
  std::string_view name() const override { return "counting"; }
  base::Result<std::string> collect(base::Timestamp) override {
    return fmt::format(R"({{"n":{}}})", ++count_);
  }

 private:
  int count_ = 0;
};

class AgentTest : public ::testing::Test {
 protected:
  AgentTest() {
    std::string name = ::testing::TempDir() + "agent-XXXXXX";
    EXPECT_NE(mkdtemp(name.data()), nullptr);
    directory_ = name;
  }
  ~AgentTest() override { std::filesystem::remove_all(directory_); }

  std::unique_ptr<Agent> make(std::uint16_t port, std::string token = {}) {
    AgentOptions o;
    o.server = fmt::format("ws://127.0.0.1:{}/agent", port);
    o.token = std::move(token);
    o.source = "node-1";
    o.period = std::chrono::milliseconds(10);
    o.spool_directory = directory_ + "/spool";
    o.backoff_min = std::chrono::milliseconds(10);
    o.backoff_max = std::chrono::milliseconds(100);
    o.stop_timeout = std::chrono::seconds(10);
    std::vector<std::unique_ptr<Collector>> collectors;
    collectors.push_back(std::make_unique<Counting>());
    return std::make_unique<Agent>(o, std::move(collectors));
  }
  bool wait(std::function<bool()> const& holds) {
    std::unique_lock lock(kept_.mutex);
    return kept_.changed.wait_for(lock, std::chrono::seconds(30), holds);
  }
  std::size_t kept_count() {
    std::lock_guard const guard(kept_.mutex);
    return kept_.count();
  }
  bool wait_for_messages(std::size_t count) {
    return wait([&] { return kept_.count() >= count; });
  }
  // Bodies {"n":1}, {"n":2}, ... without one missing, in the order of their numbers.
  void expect_all(std::uint64_t count) {
    ASSERT_EQ(kept_.by_session.size(), 1u);
    auto const& messages = kept_.by_session.begin()->second;
    EXPECT_EQ(messages.size(), count);
    std::uint64_t n = 0;
    for (auto const& [sequence, body] : messages)
      EXPECT_EQ(body, fmt::format(R"({{"n":{}}})", ++n));
  }

  std::string directory_;
  Kept kept_;
};

TEST_F(AgentTest, ReportsWhatItCollects) {
  Backend backend(kept_, 0);
  auto agent = make(backend.port(), "secret");
  ASSERT_TRUE(agent->start());
  ASSERT_TRUE(wait_for_messages(20));
  agent->stop();
  auto const stats = agent->stats();
  EXPECT_EQ(kept_.last_source, "node-1");
  EXPECT_EQ(kept_.last_token, "secret");
  EXPECT_EQ(stats.spooled, 0u);
  EXPECT_EQ(stats.acknowledged, stats.collected);
  EXPECT_EQ(stats.sent, stats.collected);
  expect_all(stats.collected);
}

TEST_F(AgentTest, NothingIsLostOrDoubledWhileTheBackendComesAndGoes) {
  for (bool const remembers : {true, false}) {
    SCOPED_TRACE(remembers ? "the backend tells what it has" : "the backend does not know");
    kept_.by_session.clear();
    std::filesystem::remove_all(directory_);
    std::optional<Backend> backend;
    backend.emplace(kept_, std::uint16_t{0}, Rule{}, remembers);
    auto const port = backend->port();
    auto agent = make(port);
    ASSERT_TRUE(agent->start());
    for (int round = 0; round < 4; ++round) {
      auto const before = kept_count();
      ASSERT_TRUE(wait_for_messages(before + 10));
      backend.reset();
      backend.emplace(kept_, port, Rule{}, remembers);
    }
    ASSERT_TRUE(wait_for_messages(60));
    agent->stop();
    auto const stats = agent->stats();
    EXPECT_EQ(stats.spooled, 0u);
    EXPECT_GE(stats.connects, 4u);
    expect_all(stats.collected);
  }
}

TEST_F(AgentTest, WhatIsSpooledSurvivesARestartOfTheAgent) {
  std::uint16_t port = 0;
  {
    Backend backend(kept_, 0);
    port = backend.port();
  }
  std::uint64_t collected = 0;
  for (int life = 0; life < 2; ++life) {
    auto agent = make(port);
    ASSERT_TRUE(agent->start());
    while (agent->stats().collected < 15) std::this_thread::yield();
    agent->stop();
    collected += agent->stats().collected;
    EXPECT_EQ(agent->stats().spooled, collected);
    EXPECT_FALSE(agent->stats().connected);
    EXPECT_THAT(agent->stats().last_error, HasSubstr("127.0.0.1"));
  }
  Backend backend(kept_, port);
  auto agent = make(port);
  ASSERT_TRUE(agent->start());
  ASSERT_TRUE(wait_for_messages(collected + 5));
  agent->stop();
  EXPECT_EQ(kept_count(), collected + agent->stats().collected);
}

TEST_F(AgentTest, WhatTheBackendNacksIsDroppedAndCounted) {
  Backend backend(kept_, 0,
                  [](std::string_view body) { return body == R"({"n":5})" ? "nack" : ""; });
  auto agent = make(backend.port());
  ASSERT_TRUE(agent->start());
  ASSERT_TRUE(wait_for_messages(20));
  agent->stop();
  EXPECT_EQ(agent->stats().refused, 1u);
  EXPECT_EQ(agent->stats().spooled, 0u);
  EXPECT_EQ(kept_count(), agent->stats().collected - 1);
}

TEST_F(AgentTest, AMessageThatTheBackendCannotReadIsPutAside) {
  Backend backend(kept_, 0,
                  [](std::string_view body) { return body == R"({"n":5})" ? "4400" : ""; });
  auto agent = make(backend.port());
  ASSERT_TRUE(agent->start());
  ASSERT_TRUE(wait_for_messages(20));
  agent->stop();
  EXPECT_EQ(agent->stats().refused, 1u);
  EXPECT_EQ(kept_count(), agent->stats().collected - 1);
}

TEST_F(AgentTest, AnOverloadedBackendGetsTheSameNumbersAgain) {
  int refusals = 0;
  Backend backend(kept_, 0, [&refusals](std::string_view body) {
    return body == R"({"n":7})" && refusals++ == 0 ? "4503" : "";
  });
  auto agent = make(backend.port());
  ASSERT_TRUE(agent->start());
  ASSERT_TRUE(wait_for_messages(20));
  agent->stop();
  EXPECT_GE(agent->stats().connects, 2u);
  expect_all(agent->stats().collected);
}

TEST_F(AgentTest, ASessionThatAnotherTookIsRenewed) {
  int refusals = 0;
  Backend backend(kept_, 0, [&refusals](std::string_view body) {
    return body == R"({"n":3})" && refusals++ == 0 ? "4409" : "";
  });
  auto agent = make(backend.port());
  ASSERT_TRUE(agent->start());
  ASSERT_TRUE(wait([&] { return kept_.by_session.size() == 2 && kept_.count() >= 20; }));
  agent->stop();
  EXPECT_EQ(agent->stats().spooled, 0u);
}

TEST_F(AgentTest, ABadTokenIsSaidAndMessagesStaySpooled) {
  Backend backend(kept_, 0);
  auto agent = make(backend.port(), "bad");
  ASSERT_TRUE(agent->start());
  while (agent->stats().last_error.empty() || agent->stats().collected < 3)
    std::this_thread::yield();
  EXPECT_THAT(agent->stats().last_error, HasSubstr("401"));
  agent->stop();
  EXPECT_EQ(agent->stats().spooled, agent->stats().collected);
}

TEST(AgentOptions, AreCheckedAtStart) {
  struct Case {
    char const* name;
    std::function<void(AgentOptions&)> change;
    char const* says;
  };
  Case const cases[] = {
      {"scheme", [](auto& o) { o.server = "http://h/agent"; }, "expected ws://"},
      {"url", [](auto& o) { o.server = "nonsense"; }, "nonsense"},
      {"type", [](auto& o) { o.data_type = "No"; }, "data type"},
      {"source", [](auto& o) { o.source = "a\nb"; }, "source"},
      {"period", [](auto& o) { o.period = std::chrono::milliseconds(1); }, "period"},
      {"spool size", [](auto& o) { o.spool_bytes_max = 10; }, "1 MiB"},
      {"spool directory", [](auto& o) { o.spool_directory = ""; }, "spool directory"},
  };
  for (auto const& c : cases) {
    SCOPED_TRACE(c.name);
    AgentOptions options;
    options.spool_directory = "/nonexistent/spool";
    c.change(options);
    Agent agent(options, {});
    auto const started = agent.start();
    ASSERT_FALSE(started);
    EXPECT_EQ(started.error().code, base::ErrorCode::kInvalidArgument);
    EXPECT_THAT(started.error().context, HasSubstr(c.says));
  }
}

TEST(MakeCollectors, ByName) {
  EXPECT_EQ(make_collectors({"system"})->size(), 1u);
  EXPECT_THAT(make_collectors({"sytem"}).error().context, HasSubstr("there are: system"));
  EXPECT_FALSE(make_collectors({}));
}

}  // namespace
}  // namespace headrace::agent
