// SPDX-License-Identifier: Apache-2.0
#include "identity/authenticator.h"

#include <gtest/gtest.h>

namespace headrace::identity {
namespace {

using base::ErrorCode;
using namespace std::chrono_literals;

struct Head : net::RequestHead {
  Head(std::string_view address, std::vector<net::HeaderView> fields) : fields_(std::move(fields)) {
    headers = fields_;
    peer = *net::parse_address(address, 1234);
    method = net::Method::kPost;
    path = "/api/v1/messages";
  }
  std::vector<net::HeaderView> fields_;
};

class AuthenticatorTest : public ::testing::Test {
 protected:
  AuthenticatorTest() {
    std::string text = (std::filesystem::temp_directory_path() / "authenticator_XXXXXX").string();
    folder_ = ::mkdtemp(text.data());
    identity_ = *Identity::open({.data_dir = folder_}, clock_);
    authenticator_ = std::make_unique<Authenticator>(
        *identity_, clock_, AuthenticatorOptions{.failures_per_minute_max = 3});
  }
  ~AuthenticatorTest() override {
    identity_.reset();
    std::filesystem::remove_all(folder_);
  }
  std::string bearer(std::string_view user, Role role) {
    EXPECT_TRUE(identity_->add_user("root", user, role));
    return "Bearer " + identity_->add_token("root", user, {})->secret;
  }
  // nullopt: allowed.
  std::optional<ErrorCode> ask(std::string_view address, std::vector<net::HeaderView> fields,
                               Need need = Need::kReport) {
    auto const who = authenticator_->authenticate(Head(address, std::move(fields)), need);
    if (who) return std::nullopt;
    return who.error().code;
  }

  std::filesystem::path folder_;
  base::ManualClock clock_;
  std::unique_ptr<Identity> identity_;
  std::unique_ptr<Authenticator> authenticator_;
};

TEST_F(AuthenticatorTest, WithoutUsersThisMachineIsServedWhenHostAndOriginAreItsOwn) {
  EXPECT_EQ(ask("127.0.0.1", {{"Host", "localhost:8080"}}), std::nullopt);
  EXPECT_EQ(ask("::1", {{"Host", "[::1]:8080"}}), std::nullopt);
  EXPECT_EQ(ask("127.0.0.1", {{"Host", "localhost:8080"}, {"Origin", "http://localhost:8080"}}),
            std::nullopt);
  EXPECT_EQ(ask("127.0.0.1", {{"Host", "evil.example"}}), ErrorCode::kDenied);
  EXPECT_EQ(ask("127.0.0.1", {{"Host", "localhost:8080"}, {"Origin", "http://evil.example"}}),
            ErrorCode::kDenied);
  EXPECT_EQ(ask("192.0.2.7", {{"Host", "localhost:8080"}}), ErrorCode::kUnauthenticated);
}

TEST_F(AuthenticatorTest, WithUsersEveryoneNeedsAToken) {
  auto const agent = bearer("a", Role::kAgent);
  EXPECT_EQ(ask("127.0.0.1", {{"Host", "localhost"}}), ErrorCode::kUnauthenticated);
  EXPECT_EQ(ask("192.0.2.7", {{"Host", "h.example"}, {"Authorization", agent}}), std::nullopt);
  EXPECT_EQ(ask("192.0.2.7", {{"Authorization", "Basic YTpi"}}), ErrorCode::kUnauthenticated);
}

TEST_F(AuthenticatorTest, RolesDecideWhatATokenMayDo) {
  struct Case {
    Role role;
    bool report, read, admin;
  };
  for (auto const& c :
       {Case{Role::kAdmin, true, true, true}, Case{Role::kAgent, true, false, false},
        Case{Role::kViewer, false, true, false}}) {
    SCOPED_TRACE(name(c.role));
    auto const token = bearer(fmt::format("u-{}", name(c.role)), c.role);
    auto const allowed = [&](Need need) {
      return !ask("192.0.2.7", {{"Authorization", token}}, need);
    };
    EXPECT_EQ(allowed(Need::kReport), c.report);
    EXPECT_EQ(allowed(Need::kRead), c.read);
    EXPECT_EQ(allowed(Need::kAdmin), c.admin);
  }
}

TEST_F(AuthenticatorTest, FailedTokensOfAnAddressAreHeldBackButAGoodOneIsTaken) {
  auto const good = bearer("a", Role::kAgent);
  std::vector<net::HeaderView> const bad{{"Authorization", "Bearer nonsense"}};
  for (int i = 0; i < 3; ++i) EXPECT_EQ(ask("192.0.2.7", bad), ErrorCode::kUnauthenticated);
  EXPECT_EQ(ask("192.0.2.7", bad), ErrorCode::kOverloaded);
  EXPECT_EQ(ask("192.0.2.8", bad), ErrorCode::kUnauthenticated);
  EXPECT_EQ(ask("192.0.2.7", {{"Authorization", good}}), std::nullopt);
  clock_.advance(61s);
  EXPECT_EQ(ask("192.0.2.7", bad), ErrorCode::kUnauthenticated);
}

TEST_F(AuthenticatorTest, AddressesOfOneIpv6NetworkCountTogether) {
  bearer("a", Role::kAgent);
  std::vector<net::HeaderView> const bad{{"Authorization", "Bearer nonsense"}};
  for (auto const* address : {"2001:db8::1", "2001:db8::2", "2001:db8::3"})
    EXPECT_EQ(ask(address, bad), ErrorCode::kUnauthenticated);
  EXPECT_EQ(ask("2001:db8::4", bad), ErrorCode::kOverloaded);
  EXPECT_EQ(ask("2001:db8:0:1::1", bad), ErrorCode::kUnauthenticated);
}

TEST(Refusal, HasTheHeadersThatItsStatusDemands) {
  auto const has = [](net::Response const& r, std::string_view field) {
    return std::any_of(r.headers.begin(), r.headers.end(),
                       [&](auto const& h) { return h.first == field; });
  };
  auto const unauthenticated = refusal({ErrorCode::kUnauthenticated, "x"});
  EXPECT_EQ(unauthenticated.status, 401);
  EXPECT_TRUE(has(unauthenticated, "WWW-Authenticate"));
  auto const throttled = refusal({ErrorCode::kOverloaded, "x"});
  EXPECT_EQ(throttled.status, 429);
  EXPECT_TRUE(has(throttled, "Retry-After"));
  EXPECT_EQ(refusal({ErrorCode::kDenied, "x"}).status, 403);
}

TEST(NeedOf, FollowsMethodAndPath) {
  struct Case {
    net::Method method;
    std::string_view path;
    Need want;
  };
  for (auto const& c : {Case{net::Method::kPost, "/api/v1/messages", Need::kReport},
                        Case{net::Method::kGet, "/api/v1/messages", Need::kRead},
                        Case{net::Method::kGet, "/api/v1/users", Need::kAdmin},
                        Case{net::Method::kPost, "/api/v1/deadletters/archive/retry", Need::kAdmin},
                        Case{net::Method::kDelete, "/api/v1/users/a", Need::kAdmin}}) {
    net::RequestHead head;
    head.method = c.method;
    head.path = c.path;
    EXPECT_EQ(need_of(head), c.want) << c.path;
  }
}

}  // namespace
}  // namespace headrace::identity
