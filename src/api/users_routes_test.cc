// SPDX-License-Identifier: Apache-2.0
#include "api/users_routes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "codec/json/json.h"
#include "net/http_client.h"

namespace headrace::api {
namespace {

using testing::HasSubstr;

class UsersRoutesTest : public testing::Test {
 protected:
  UsersRoutesTest() {
    char name[] = "/tmp/headrace-users-XXXXXX";
    dir_ = ::mkdtemp(name);
    identity_ = identity::Identity::open({.data_dir = dir_}, base::system_clock()).value();
    authenticator_ = std::make_unique<identity::Authenticator>(*identity_, base::system_clock(),
                                                               identity::AuthenticatorOptions{});
    threads_.start();
    net::HttpServerOptions http;
    http.listeners = {{.address = "127.0.0.1", .port = 0, .tls = std::nullopt}};
    http.authorize = [this](net::RequestHead const& head) { return authenticator_->admit(head); };
    server_ = std::make_unique<net::HttpServer>(threads_, http);
    add_users_routes(*server_, *authenticator_);
    EXPECT_TRUE(server_->start().has_value());
    client_.emplace(
        net::HttpClient::open("http://127.0.0.1:" + std::to_string(server_->ports().front()))
            .value());
    token_ = add("root", identity::Role::kAdmin);
  }
  ~UsersRoutesTest() override {
    server_->stop(std::chrono::seconds(5));
    threads_.stop();
    identity_->close();
    std::filesystem::remove_all(dir_);
  }

  std::string add(std::string_view user, identity::Role role) {
    EXPECT_TRUE(identity_->add_user("test", user, role).has_value());
    return identity_->add_token("test", user, {})->secret;
  }
  struct Got {
    int status;
    std::string body;
  };
  Got ask(std::string_view method, std::string_view target, std::string_view body = {}) {
    net::HeaderFields headers;
    if (!token_.empty()) headers.emplace_back("Authorization", "Bearer " + token_);
    auto const reply = client_->request(method, target, headers, body);
    if (!reply) return {0, base::to_string(reply.error())};
    return {reply->status, reply->body};
  }
  std::string text_at(std::string const& json, std::initializer_list<std::string_view> path) {
    codec::json::Parser parser;
    auto const root = parser.parse(json);
    if (!root) return "(no JSON)";
    std::optional<codec::tape::Value> value = *root;
    for (auto const key : path)
      if (value) value = value->find(key);
    std::string scratch;
    return value ? std::string(value->as_string(scratch).value_or("")) : "(absent)";
  }

  std::string dir_;
  std::unique_ptr<identity::Identity> identity_;
  std::unique_ptr<identity::Authenticator> authenticator_;
  net::IoThreads threads_{1};
  std::unique_ptr<net::HttpServer> server_;
  std::optional<net::HttpClient> client_;
  std::string token_;  // who asks; empty: nobody
};

TEST_F(UsersRoutesTest, AUserComesChangesAndGoes) {
  auto const added = ask("POST", "/api/v1/users", R"({"name":"fleet","role":"agent"})");
  EXPECT_EQ(added.status, 201);
  EXPECT_THAT(added.body, HasSubstr(R"("name":"fleet","role":"agent")"));
  EXPECT_EQ(ask("POST", "/api/v1/users", R"({"name":"fleet","role":"agent"})").status, 409);
  EXPECT_THAT(ask("GET", "/api/v1/users").body, HasSubstr(R"("name":"fleet")"));
  EXPECT_EQ(ask("GET", "/api/v1/users/fleet").body, added.body);

  auto const changed = ask("PATCH", "/api/v1/users/fleet", R"({"active":false,"role":"viewer"})");
  EXPECT_EQ(changed.status, 200);
  EXPECT_THAT(changed.body, HasSubstr(R"("role":"viewer")"));
  EXPECT_THAT(changed.body, HasSubstr(R"("active":false)"));

  EXPECT_EQ(ask("DELETE", "/api/v1/users/fleet").status, 204);
  EXPECT_EQ(ask("GET", "/api/v1/users/fleet").status, 404);
  EXPECT_EQ(ask("DELETE", "/api/v1/users/fleet").status, 404);
}

TEST_F(UsersRoutesTest, ATokenIsShownOnceAndWorksUntilItIsRevoked) {
  ask("POST", "/api/v1/users", R"({"name":"fleet","role":"agent"})");
  auto const made = ask("POST", "/api/v1/users/fleet/tokens", R"({"lifetime":"30d"})");
  ASSERT_EQ(made.status, 201) << made.body;
  auto const id = text_at(made.body, {"token", "id"});
  auto const secret = text_at(made.body, {"secret"});
  EXPECT_TRUE(identity_->verify(secret).has_value());
  auto const listed = ask("GET", "/api/v1/users/fleet/tokens").body;
  EXPECT_THAT(listed, HasSubstr(id));
  EXPECT_THAT(listed, testing::Not(HasSubstr(secret)));

  EXPECT_EQ(ask("DELETE", "/api/v1/users/root/tokens/" + id).status, 404);  // another's
  EXPECT_TRUE(identity_->verify(secret).has_value());
  EXPECT_EQ(ask("DELETE", "/api/v1/users/fleet/tokens/" + id).status, 204);
  EXPECT_FALSE(identity_->verify(secret).has_value());
  EXPECT_THAT(ask("GET", "/api/v1/users/fleet/tokens").body, HasSubstr(R"("revoked":true)"));
}

TEST_F(UsersRoutesTest, SourcesAreAssignedAndReleasedWhateverTheirNames) {
  ask("POST", "/api/v1/users", R"({"name":"fleet","role":"agent"})");
  EXPECT_EQ(ask("PUT", "/api/v1/users/fleet/sources/rack%2F1%20a").status, 204);
  EXPECT_TRUE(identity_->owns("fleet", "rack/1 a"));
  EXPECT_THAT(ask("GET", "/api/v1/users/fleet/sources").body, HasSubstr(R"("source":"rack/1 a")"));
  EXPECT_EQ(ask("DELETE", "/api/v1/users/root/sources/rack%2F1%20a").status, 404);
  EXPECT_EQ(ask("DELETE", "/api/v1/users/fleet/sources/rack%2F1%20a").status, 204);
  EXPECT_FALSE(identity_->owns("fleet", "rack/1 a"));
}

TEST_F(UsersRoutesTest, OnlyAdministratorsMayAskAndChange) {
  auto const root = token_;
  struct Case {
    char const *method, *target, *body;
  };
  Case const cases[] = {{"GET", "/api/v1/users", ""},
                        {"POST", "/api/v1/users", R"({"name":"x","role":"admin"})"},
                        {"GET", "/api/v1/users/root", ""},
                        {"PATCH", "/api/v1/users/root", R"({"active":false})"},
                        {"DELETE", "/api/v1/users/root", ""},
                        {"GET", "/api/v1/users/root/tokens", ""},
                        {"POST", "/api/v1/users/root/tokens", "{}"},
                        {"DELETE", "/api/v1/users/root/tokens/x", ""},
                        {"GET", "/api/v1/users/root/sources", ""},
                        {"PUT", "/api/v1/users/root/sources/x", ""},
                        {"DELETE", "/api/v1/users/root/sources/x", ""},
                        {"GET", "/api/v1/audit", ""}};
  auto const before = identity_->audit(100)->size();
  for (auto const role : {identity::Role::kAgent, identity::Role::kViewer}) {
    auto const user = std::string(name(role));
    token_ = add(user, role);
    for (auto const& c : cases) {
      SCOPED_TRACE(user + " " + c.method + " " + c.target);
      EXPECT_EQ(ask(c.method, c.target, c.body).status, 403);
    }
  }
  for (auto const* token : {"", "hr_nope"}) {
    token_ = token;
    for (auto const& c : cases) {
      SCOPED_TRACE(std::string(c.method) + " " + c.target);
      EXPECT_EQ(ask(c.method, c.target, c.body).status, 401);
    }
  }
  token_ = root;
  EXPECT_EQ(identity_->users().size(), 3u);
  EXPECT_EQ(identity_->audit(100)->size(), before + 4);  // the two users and their tokens
}

TEST_F(UsersRoutesTest, EveryChangeIsAuditedWithWhoMadeIt) {
  ask("POST", "/api/v1/users", R"({"name":"fleet","role":"agent"})");
  auto const id = text_at(ask("POST", "/api/v1/users/fleet/tokens").body, {"token", "id"});
  ask("PUT", "/api/v1/users/fleet/sources/s1");
  ask("DELETE", "/api/v1/users/fleet/sources/s1");
  ask("DELETE", "/api/v1/users/fleet/tokens/" + id);
  ask("PATCH", "/api/v1/users/fleet", R"({"active":false})");
  ask("PATCH", "/api/v1/users/fleet", R"({"active":true})");
  ask("DELETE", "/api/v1/users/fleet");
  auto const entries = identity_->audit(8).value();
  std::pair<std::string_view, std::string> const want[] = {
      {"user.remove", "fleet"}, {"user.unban", "fleet"}, {"user.ban", "fleet"},
      {"token.revoke", id},     {"claim.release", "s1"}, {"claim.assign", "s1"},
      {"token.add", id},        {"user.add", "fleet"}};
  ASSERT_EQ(entries.size(), std::size(want));
  for (std::size_t i = 0; i < entries.size(); ++i) {
    SCOPED_TRACE(want[i].first);
    EXPECT_EQ(entries[i].actor, "root");
    EXPECT_EQ(entries[i].action, want[i].first);
    EXPECT_EQ(entries[i].subject, want[i].second);
  }
  auto const shown = ask("GET", "/api/v1/audit?limit=1").body;
  EXPECT_THAT(shown, HasSubstr(R"("actor":"root","action":"user.remove","subject":"fleet")"));
  EXPECT_THAT(shown, testing::Not(HasSubstr("user.unban")));
}

TEST_F(UsersRoutesTest, MistakesAreNamed) {
  struct Case {
    char const *method, *target, *body;
    int status;
    char const* says;
  };
  Case const cases[] = {
      {"POST", "/api/v1/users", R"({"name":"x"})", 400, "role: missing"},
      {"POST", "/api/v1/users", R"({"role":"agent"})", 400, "name: missing"},
      {"POST", "/api/v1/users", R"({"name":"x","role":"king"})", 400, "expected admin, agent"},
      {"POST", "/api/v1/users", R"({"name":"x","role":"agent","x":1})", 400, "unknown key 'x'"},
      {"POST", "/api/v1/users", R"({"name":1,"role":"agent"})", 400, "expected a string"},
      {"POST", "/api/v1/users", "[]", 400, "expected a JSON object"},
      {"PATCH", "/api/v1/users/root", "{}", 400, "nothing to change"},
      {"PATCH", "/api/v1/users/nobody", R"({"active":true})", 404, "nobody"},
      {"POST", "/api/v1/users/root/tokens", R"({"lifetime":"soon"})", 400, "soon"},
      {"POST", "/api/v1/users/nobody/tokens", "", 404, "nobody"},
      {"DELETE", "/api/v1/users/root/tokens/nope", "", 404, "nope"},
      {"GET", "/api/v1/users//tokens", "", 400, "empty part"},
      {"GET", "/api/v1/users/a/b/c/d", "", 404, "too many parts"},
      {"GET", "/api/v1/users/root/keys", "", 404, "expected /api/v1/users/NAME"},
      {"GET", "/api/v1/audit?limit=0", "", 400, "limit"},
  };
  for (auto const& c : cases) {
    SCOPED_TRACE(std::string(c.method) + " " + c.target + " " + c.body);
    auto const got = ask(c.method, c.target, c.body);
    EXPECT_EQ(got.status, c.status) << got.body;
    EXPECT_THAT(got.body, HasSubstr(c.says));
  }
}

}  // namespace
}  // namespace headrace::api
