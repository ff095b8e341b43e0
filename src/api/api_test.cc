// SPDX-License-Identifier: Apache-2.0
// The API over real sockets, with a broker in memory, SQLite, and a receiver that refuses what says
// "bad".
#include "api/api.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>
#include <thread>

#include "api/schema_check.h"
#include "api/users_routes.h"
#include "broker/memory/memory_broker.h"
#include "codec/json/json.h"
#include "codec/record/body.h"
#include "documents/sqlite/sqlite_documents.h"
#include "ingest/http_messages/http_messages.h"
#include "net/http_client.h"
#include "receivers/documents/documents_receiver.h"

namespace headrace::api {
namespace {

using testing::HasSubstr;

class PickyReceiver final : public dispatch::Receiver {
 public:
  explicit PickyReceiver(std::atomic<bool>& picky) : picky_(picky) {}
  base::Result<void> start() override { return {}; }
  bool keeps_state() const override { return false; }
  base::Result<dispatch::Outcome> consume(dispatch::Batch const& batch,
                                          dispatch::Commit const&) override {
    dispatch::Outcome outcome;
    outcome.fates.assign(batch.messages.size(), dispatch::Fate::kStored);
    for (std::size_t i = 0; i < batch.messages.size(); ++i) {
      if (!picky_ || !codec::record::Body(batch.messages[i].message).find("bad")) continue;
      outcome.fates[i] = dispatch::Fate::kRejected;
      outcome.rejected.push_back(
          {i, {base::ErrorCode::kInvalidArgument, "it says that it is bad"}});
    }
    return outcome;
  }
  void stop() override {}

 private:
  std::atomic<bool>& picky_;
};

class ApiTest : public testing::Test {
 protected:
  ApiTest() {
    char name[] = "/tmp/headrace-api-XXXXXX";
    dir_ = ::mkdtemp(name);
    identity_ = identity::Identity::open({.data_dir = dir_}, clock_).value();
    authenticator_ = std::make_unique<identity::Authenticator>(*identity_, clock_,
                                                               identity::AuthenticatorOptions{});
    threads_.start();
    model::DataType type;
    type.name = model::DataTypeName::trusted("doors");
    ingest_ = ingest::Ingest::make({},
                                   {.broker = *broker_,
                                    .authenticator = *authenticator_,
                                    .metrics = metrics_,
                                    .clock = clock_,
                                    .threads = threads_},
                                   {type})
                  .value();
    store_ = documents::open_sqlite_documents(dir_ + "/archive.db", {}).value();
    make_dispatcher();
    api_ = std::make_unique<Api>(
        ApiOptions{
            .version = "1.2.3", .broker_type = "memory", .query_threads = 2, .query_queue = 64},
        ApiDeps{.threads = threads_,
                .authenticator = *authenticator_,
                .broker = *broker_,
                .dispatcher = *dispatcher_,
                .ingest = *ingest_,
                .metrics = metrics_,
                .clock = clock_,
                .archives = {{"archive", store_.get()}},
                .receiver_types = {{"archive", "documents"}, {"picky", "picky"}},
                .live = nullptr});
    net::HttpServerOptions http;
    http.listeners = {{.address = "127.0.0.1", .port = 0, .tls = std::nullopt}};
    http.authorize = [this](net::RequestHead const& head) { return authenticator_->admit(head); };
    server_ = std::make_unique<net::HttpServer>(threads_, http);
    api_->add_routes(*server_);
    add_users_routes(*server_, *authenticator_);
    ingest::http_messages::add_route(*server_, *ingest_);
    api_->start();
    EXPECT_TRUE(server_->start().has_value());
    client_.emplace(
        net::HttpClient::open("http://127.0.0.1:" + std::to_string(server_->ports().front()))
            .value());
  }

  void make_dispatcher() {
    std::vector<dispatch::Route> routes(2);
    auto const& entry = *ingest_->types().find("doors");
    routes[0].name = "archive";
    routes[0].receiver = receivers::documents::make_documents_receiver("archive", *store_);
    routes[1].name = "picky";
    routes[1].receiver = std::make_unique<PickyReceiver>(picky_);
    for (auto& route : routes) route.subscriptions = {{entry.topic, entry.type}};
    dispatcher_ = std::make_unique<dispatch::Dispatcher>(
        dispatch::Dispatcher::Dependencies{.broker = *broker_,
                                           .clock = clock_,
                                           .metrics = metrics_,
                                           .directory = dir_ + "/dispatch",
                                           .seed = 1},
        std::move(routes));
    EXPECT_TRUE(dispatcher_->start().has_value());
    for (auto const* name : {"archive", "picky"})
      while (dispatcher_->status(name).value().state == dispatch::ReceiverState::kStarting)
        std::this_thread::yield();
  }

  ~ApiTest() override {
    server_->stop(std::chrono::seconds(5));
    api_->stop();
    EXPECT_TRUE(
        dispatcher_->stop(std::chrono::steady_clock::now() + std::chrono::seconds(10)).has_value());
    broker_->stop();
    ingest_->close();
    threads_.stop();
    identity_->close();
    std::filesystem::remove_all(dir_);
  }

  struct Got {
    int status;
    std::string body;
  };
  Got ask(std::string_view method, std::string_view target, std::string_view body = {}) {
    net::HeaderFields headers;
    if (!body.empty()) headers.emplace_back("Content-Type", "application/json");
    auto reply = client_->request(method, target, headers, body);
    if (!reply) return {0, base::to_string(reply.error())};
    return {reply->status, reply->body};
  }
  void post(std::string const& json) {
    ASSERT_EQ(ask("POST", "/api/v1/messages", json).status, 200);
  }
  // Everything was consumed by this receiver.
  void settle(std::string_view receiver) {
    auto const ends = dispatcher_->ends(receiver).value();
    ASSERT_TRUE(dispatcher_
                    ->wait_applied(receiver, ends,
                                   std::chrono::steady_clock::now() + std::chrono::seconds(20))
                    .value());
  }
  std::size_t count(std::string const& body) {
    std::size_t n = 0;
    for (std::size_t at = 0; (at = body.find("\"type\":\"doors\"", at)) != std::string::npos; ++at)
      ++n;
    return n;
  }

  std::string dir_;
  base::Registry metrics_;
  base::Clock& clock_ = base::system_clock();
  std::atomic<bool> picky_{true};
  std::unique_ptr<identity::Identity> identity_;
  std::unique_ptr<identity::Authenticator> authenticator_;
  net::IoThreads threads_{2};
  std::unique_ptr<broker::Broker> broker_ = broker::memory::make_memory_broker({}, clock_);
  std::unique_ptr<ingest::Ingest> ingest_;
  std::unique_ptr<documents::Documents> store_;
  std::unique_ptr<dispatch::Dispatcher> dispatcher_;
  std::unique_ptr<Api> api_;
  std::unique_ptr<net::HttpServer> server_;
  std::optional<net::HttpClient> client_;
};

TEST_F(ApiTest, WhatWasAcknowledgedIsFoundAtOnce) {
  for (int i = 0; i < 20; ++i) {
    post(R"({"type":"doors","source":"d1","id":"m)" + std::to_string(i) + R"(","body":{"n":)" +
         std::to_string(i) + "}}");
    auto const got = ask("GET", "/api/v1/messages?wait=20s&where=n%20%3D%20" + std::to_string(i));
    ASSERT_EQ(got.status, 200);
    EXPECT_EQ(count(got.body), 1u) << got.body;
    EXPECT_THAT(got.body, HasSubstr("\"complete\":true"));
  }
}

TEST_F(ApiTest, LargeRepliesAreStreamedWholeAndInOrder) {
  std::string const text(10'000, 'x');
  for (int batch = 0; batch < 5; ++batch) {
    std::string json = "[";
    for (int i = 0; i < 100; ++i)
      json += (i ? "," : "") + std::string(R"({"type":"doors","source":"d1","body":{"n":)") +
              std::to_string(batch * 100 + i) + ",\"t\":\"" + text + "\"}}";
    post(json + "]");
  }
  auto const got = ask("GET", "/api/v1/messages?wait=20s&limit=1000");
  ASSERT_EQ(got.status, 200);
  codec::json::Parser parser;
  auto const root = parser.parse(got.body);
  ASSERT_TRUE(root.has_value()) << root.error().context;
  std::int64_t next = 0;
  for (auto const message : root->find("messages")->elements())
    EXPECT_EQ(message.find("body")->find("n")->as_int64(), next++);
  EXPECT_EQ(next, 500);
  EXPECT_TRUE(root->find("next")->is_null());
}

TEST_F(ApiTest, PagesTogetherAreEverything) {
  std::string json = "[";
  for (int i = 0; i < 25; ++i)
    json += (i ? "," : "") + std::string(R"({"type":"doors","source":"d1","body":)") +
            std::to_string(i) + "}";
  post(json + "]");
  std::size_t total = 0, pages = 0;
  std::string cursor, scratch;
  do {
    auto const got = ask("GET", "/api/v1/messages?wait=20s&order=desc&limit=10&cursor=" +
                                    net::percent_encode(cursor));
    ASSERT_EQ(got.status, 200) << got.body;
    total += count(got.body);
    ++pages;
    codec::json::Parser parser;
    cursor = parser.parse(got.body)->find("next")->text(scratch);
  } while (!cursor.empty());
  EXPECT_EQ(total, 25u);
  EXPECT_EQ(pages, 3u);
}

struct Wrong {
  char const *target, *said;
  int status = 400;
};
constexpr Wrong kWrong[] = {
    {"/api/v1/messages?typ=doors", "unknown parameter 'typ'; nearest: 'type'"},
    {"/api/v1/messages?type=Doors", "type: unknown data type 'Doors'; did you mean 'doors'?"},
    {"/api/v1/messages?type=doors,windows", "type: unknown data type 'windows'"},
    {"/api/v1/messages?from=yesterday", "from: 'yesterday': expected a time"},
    {"/api/v1/messages?from=2&to=1", "to: expected a time at or after"},
    {"/api/v1/messages?where=x%20%3D", "where: at byte"},
    {"/api/v1/messages?limit=0", "limit: '0': expected a whole number within 1..1000000"},
    {"/api/v1/messages?limit=1&limit=2", "limit: given twice"},
    {"/api/v1/messages?order=up", "order: 'up': expected asc or desc"},
    {"/api/v1/messages?cursor=zzz", "cursor"},
    {"/api/v1/messages?token=zzz", "token: "},
    {"/api/v1/messages?wait=long", "wait: 'long': expected a duration"},
    {"/api/v1/messages?receiver=picky",
     "receiver: 'picky' keeps no documents; expected one of archive"},
    {"/api/v1/messages?source=%zz", "must be followed by two hexadecimal digits"},
    {"/api/v1/receivers/nobody", "nobody", 404},
    {"/api/v1/sources?limit=many", "limit: 'many'"},
    {"/api/v1/sources?active=maybe", "active: 'maybe': expected true or false"},
    {"/api/v1/sources/nobody", "source 'nobody' has not reported", 404},
    {"/api/v1/deadletters?receiver=nobody", "there is no receiver 'nobody'", 404},
    {"/api/v1/deadletters?code=bad", "code: 'bad': expected an error code"},
    {"/api/v1/deadletters?cursor=x", "cursor: expected the `next`"},
    {"/api/v1/deadletters/picky/x", "ID a whole number", 404},
    {"/api/v1/deadletters/picky/7", "no dead letter 7", 404},
    {"/api/v1/nothing", "there is nothing at /api/v1/nothing", 404},
    {"/nothing.js", "there is nothing at /nothing.js", 404},
};
TEST_F(ApiTest, WrongQuestionsAreToldWhatIsWrong) {
  for (auto const& c : kWrong) {
    SCOPED_TRACE(c.target);
    auto const got = ask("GET", c.target);
    EXPECT_EQ(got.status, c.status);
    EXPECT_THAT(got.body, HasSubstr(c.said));
    EXPECT_THAT(got.body, HasSubstr("\"error\":{\"code\":\""));
  }
}

TEST_F(ApiTest, DeadLettersAreListedShownSentAgainAndDropped) {
  post(
      R"([{"type":"doors","source":"d1","id":"a","body":{"bad":1}},{"type":"doors","source":"d2","id":"b","body":{"bad":2}},
           {"type":"doors","source":"d1","id":"c","body":{"good":1}}])");
  settle("picky");
  auto const list = ask("GET", "/api/v1/deadletters?receiver=picky");
  EXPECT_EQ(count(list.body), 2u) << list.body;
  EXPECT_THAT(list.body, HasSubstr("it says that it is bad"));
  auto const page = ask("GET", "/api/v1/deadletters?limit=1");
  EXPECT_THAT(page.body, HasSubstr("\"next\":\"picky."));
  codec::json::Parser parser;
  std::string scratch;
  auto const next = std::string(parser.parse(page.body)->find("next")->text(scratch));
  EXPECT_THAT(ask("GET", "/api/v1/deadletters?limit=1&cursor=" + next).body,
              HasSubstr("\"message_id\":\"b\""));

  auto const root = parser.parse(list.body).value();
  auto const first =
      (*root.find("dead_letters")->elements().begin()).find("id")->as_uint64().value();
  auto const path = "/api/v1/deadletters/picky/" + std::to_string(first);
  EXPECT_THAT(ask("GET", path).body, HasSubstr(R"("body":{"bad":1})"));
  EXPECT_EQ(ask("POST", path).status, 404);
  EXPECT_EQ(ask("DELETE", path).body, R"({"dropped":1})");
  EXPECT_EQ(ask("DELETE", path).status, 404);
  picky_ = false;
  EXPECT_EQ(ask("POST", "/api/v1/deadletters/picky/retry").body, R"({"retried":1})");
  auto const deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (dispatcher_->status("picky").value().dead_letters.count != 0 &&
         std::chrono::steady_clock::now() < deadline)
    std::this_thread::yield();
  EXPECT_EQ(ask("GET", "/api/v1/deadletters").body, R"({"dead_letters":[],"next":null})");
}

TEST_F(ApiTest, HealthDoesNotAskForCredentialsAndTheRestDoes) {
  ASSERT_TRUE(identity_->add_user("test", "somebody", identity::Role::kViewer).has_value());
  for (auto const* open : {"/healthz", "/readyz", "/"})
    EXPECT_EQ(ask("GET", open).status, 200) << open;
  for (auto const* closed : {"/api/v1/messages", "/api/v1/status", "/api/v1/receivers",
                             "/api/v1/sources", "/api/v1/deadletters", "/metrics"})
    EXPECT_EQ(ask("GET", closed).status, 401) << closed;
}

TEST_F(ApiTest, ReadinessEndsWhenItStops) {
  EXPECT_EQ(ask("GET", "/readyz").status, 200);
  api_->stopping();
  EXPECT_EQ(ask("GET", "/readyz").status, 503);
  EXPECT_EQ(ask("GET", "/healthz").status, 200);
}

TEST_F(ApiTest, PagesHaveTagsTypesAndAPolicy) {
  auto const page = client_->get("/", {{"Accept-Encoding", "gzip"}}).value();
  EXPECT_EQ(page.status, 200);
  EXPECT_EQ(page.header("Content-Type"), "text/html; charset=utf-8");
  EXPECT_EQ(page.header("Content-Encoding"), "gzip");
  EXPECT_THAT(std::string(page.header("Content-Security-Policy").value_or("")),
              HasSubstr("default-src 'self'"));
  auto const etag = std::string(page.header("ETag").value_or(""));
  ASSERT_FALSE(etag.empty());
  EXPECT_EQ(
      client_->get("/", {{"Accept-Encoding", "gzip"}, {"If-None-Match", etag}}).value().status,
      304);
  EXPECT_EQ(client_->get("/", {{"If-None-Match", etag}}).value().status,
            200);  // the plain one has another
  EXPECT_EQ(client_->get("/sources/anything").value().header("Content-Type"),
            "text/html; charset=utf-8");
}

TEST_F(ApiTest, MetricsArePrometheusText) {
  post(R"({"type":"doors","source":"d1","body":1})");
  auto const got = ask("GET", "/metrics");
  EXPECT_THAT(got.body, HasSubstr("# TYPE headrace_net_requests_total counter"));
  EXPECT_THAT(got.body, HasSubstr("headrace_broker_fenced 0"));
  static std::regex const line(
      R"re((#.*|[a-z_0-9]+(\{[a-z_]+="[^"]*"(,[a-z_]+="[^"]*")*\})? -?[0-9.e+-]+|[a-z_0-9]+(\{.*\})? (\+Inf|NaN)))re");
  std::istringstream lines(got.body);
  for (std::string text; std::getline(lines, text);)
    EXPECT_TRUE(std::regex_match(text, line)) << text;
}

// The description is held true: replies have the shapes it says, documented paths answer, and no
// route lacks its description.
class OpenapiTest : public ApiTest {
 protected:
  OpenapiTest() {
    text_ = ask("GET", "/api/v1/openapi.json").body;
    root_ = parser_.parse(text_).value();
  }
  codec::json::Parser parser_{{.nesting_max = 64}};
  std::string text_;
  std::optional<codec::json::Value> root_;
};

TEST_F(OpenapiTest, RepliesHaveTheShapesThatItSays) {
  post(
      R"([{"type":"doors","source":"d1","id":"a","body":{"bad":1}},{"type":"doors","source":"d2","body":[1.5,null]}])");
  settle("picky");
  settle("archive");
  struct Call {
    char const *method, *target, *path, *body;
  };
  constexpr Call kCalls[] = {
      {"GET", "/api/v1/messages", "/api/v1/messages", ""},
      {"GET", "/api/v1/messages?limit=1", "/api/v1/messages", ""},
      {"GET", "/api/v1/messages?limit=0", "/api/v1/messages", ""},
      {"POST", "/api/v1/messages", "/api/v1/messages", R"({"type":"doors","source":"x","body":1})"},
      {"POST", "/api/v1/messages", "/api/v1/messages", R"({"type":"dors","source":"x","body":1})"},
      {"GET", "/api/v1/receivers", "/api/v1/receivers", ""},
      {"GET", "/api/v1/receivers/archive", "/api/v1/receivers/{receiver}", ""},
      {"GET", "/api/v1/receivers/none", "/api/v1/receivers/{receiver}", ""},
      {"GET", "/api/v1/sources", "/api/v1/sources", ""},
      {"GET", "/api/v1/sources?limit=1", "/api/v1/sources", ""},
      {"GET", "/api/v1/sources/d1", "/api/v1/sources/{source}", ""},
      {"GET", "/api/v1/status", "/api/v1/status", ""},
      {"GET", "/api/v1/deadletters", "/api/v1/deadletters", ""},
      {"GET", "/api/v1/deadletters/picky/1", "/api/v1/deadletters/{receiver}/{id}", ""},
      {"POST", "/api/v1/deadletters/picky/1/retry", "/api/v1/deadletters/{receiver}/{id}/retry",
       ""},
      {"DELETE", "/api/v1/deadletters/archive", "/api/v1/deadletters/{receiver}", ""},
      {"POST", "/api/v1/deadletters/archive/retry", "/api/v1/deadletters/{receiver}/retry", ""},
      {"GET", "/api/v1/openapi.json", "/api/v1/openapi.json", ""},
      {"GET", "/api/v1/users", "/api/v1/users", ""},
      {"GET", "/api/v1/users/none", "/api/v1/users/{name}", ""},
      {"GET", "/api/v1/audit", "/api/v1/audit", ""},
  };
  for (auto const& call : kCalls) {
    SCOPED_TRACE(std::string(call.method) + " " + call.target);
    auto const got = ask(call.method, call.target, call.body);
    std::string method(call.method);
    for (auto& c : method) c = static_cast<char>(c - 'A' + 'a');
    auto const operation = root_->find("paths")->find(call.path)->find(method);
    auto const response = operation->find("responses")->find(std::to_string(got.status));
    ASSERT_TRUE(response.has_value())
        << "status " << got.status << " is not described: " << got.body;
    codec::json::Parser parser;
    auto const value = parser.parse(got.body);
    ASSERT_TRUE(value.has_value()) << got.body;
    auto const schema = response->find("content")->find("application/json")->find("schema");
    EXPECT_EQ(check_schema(*root_, *schema, *value), "") << got.body;
  }
}

TEST_F(OpenapiTest, EveryDocumentedPathAnswers) {
  std::string scratch;
  for (auto const [path, operations] : root_->find("paths")->members()) {
    auto target = std::regex_replace(std::string(path.text(scratch)), std::regex(R"(\{id\})"), "1");
    target = std::regex_replace(target, std::regex(R"(\{[a-z]+\})"), "none");
    if (target == "/live") continue;  // needs an upgrade: receivers/live
    for (auto const [method, operation] : operations.members()) {
      std::string name(method.text(scratch));
      for (auto& c : name) c = static_cast<char>(c - 'a' + 'A');
      SCOPED_TRACE(name + " " + target);
      auto const got = ask(name, target, name == "GET" || name == "DELETE" ? "" : "{}");
      EXPECT_NE(got.status, 0) << got.body;
      EXPECT_NE(got.status, 405);
      EXPECT_LT(got.status, 500) << got.body;
      EXPECT_THAT(got.body, testing::Not(HasSubstr("there is nothing at")));
    }
  }
}

TEST_F(OpenapiTest, EveryRouteIsDocumented) {
  std::set<std::string> documented;
  std::string scratch;
  for (auto const [path, operations] : root_->find("paths")->members())
    documented.emplace(path.text(scratch));
  static std::regex const literal(R"re("(/(?:api/v1/[^"]*|live|metrics|healthz|readyz)[^"]*)")re");
  std::size_t routes = 0;
  for (auto const& entry : std::filesystem::recursive_directory_iterator("src")) {
    auto const path = entry.path().string();
    if (!path.ends_with(".cc") || path.find("test") != path.npos || path.find("src/app") == 0)
      continue;
    std::ifstream file(path);
    for (std::string line; std::getline(file, line);) {
      if (line.find("route(") == line.npos &&
          line.find("constexpr std::string_view k") == line.npos)
        continue;
      std::smatch match;
      if (!std::regex_search(line, match, literal)) continue;
      ++routes;
      auto const prefix = std::regex_replace(match[1].str(), std::regex(R"(/\*?$)"), "/");
      auto const found = documented.lower_bound(prefix);
      EXPECT_TRUE(found != documented.end() && found->starts_with(prefix))
          << path << ": " << match[1];
    }
  }
  EXPECT_GE(routes, 10u);
}

}  // namespace
}  // namespace headrace::api
