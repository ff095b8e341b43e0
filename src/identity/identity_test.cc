// SPDX-License-Identifier: Apache-2.0
#include "identity/identity.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

namespace headrace::identity {
namespace {

using base::ErrorCode;
using namespace std::chrono_literals;

class IdentityTest : public ::testing::Test {
 protected:
  IdentityTest() {
    std::string text = (std::filesystem::temp_directory_path() / "identity_XXXXXX").string();
    folder_ = ::mkdtemp(text.data());
    open({});
  }
  ~IdentityTest() override {
    identity_.reset();
    std::filesystem::remove_all(folder_);
  }
  void open(Options options) {
    identity_.reset();
    options.data_dir = folder_;
    options.claim_delay = 0ms;
    auto opened = Identity::open(options, clock_);
    ASSERT_TRUE(opened) << base::to_string(opened.error());
    identity_ = std::move(*opened);
  }
  std::string token_of(std::string_view user, Role role) {
    EXPECT_TRUE(identity_->add_user("root", user, role));
    return identity_->add_token("root", user, {})->secret;
  }
  ErrorCode refusal(std::string_view token) {
    auto const verified = identity_->verify(token);
    EXPECT_FALSE(verified);
    return verified ? ErrorCode::kInternal : verified.error().code;
  }

  std::filesystem::path folder_;
  base::ManualClock clock_;
  std::unique_ptr<Identity> identity_;
};

TEST_F(IdentityTest, ATokenNamesItsUserAndRole) {
  auto const token = token_of("node-fleet", Role::kAgent);
  EXPECT_EQ(token.size(), 44u);
  auto const who = identity_->verify(token);
  ASSERT_TRUE(who);
  EXPECT_EQ((*who)->id.text(), "node-fleet");
  EXPECT_EQ((*who)->role, Role::kAgent);
  EXPECT_EQ(identity_->get_user("node-fleet")->token_count, 1u);
}

TEST_F(IdentityTest, WhatIsNoTokenIsRefused) {
  auto token = token_of("a", Role::kAgent);
  token.back() = token.back() == 'a' ? 'b' : 'a';
  EXPECT_EQ(refusal(token), ErrorCode::kUnauthenticated);
  for (auto const* text : {"", "hr_", "x", "hr_aaaaaaaa_bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb",
                           "hr_aaaaaaaa-bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"})
    EXPECT_EQ(refusal(text), ErrorCode::kUnauthenticated);
}

TEST_F(IdentityTest, EverythingSurvivesAReopen) {
  auto const token = token_of("a", Role::kViewer);
  auto const banned = token_of("b", Role::kAgent);
  ASSERT_TRUE(identity_->set_active("root", "b", false));
  ASSERT_TRUE(identity_->claim(**identity_->verify(token), "node-1"));
  open({});
  EXPECT_EQ((*identity_->verify(token))->role, Role::kViewer);
  EXPECT_EQ(refusal(banned), ErrorCode::kUnauthenticated);
  auto const claims = identity_->claims("a", 10);
  ASSERT_EQ(claims.size(), 1u);
  EXPECT_EQ(claims[0].source, "node-1");
}

TEST_F(IdentityTest, SecretsAreNotInTheDatabaseAndFilesAreForUsAlone) {
  auto const token = token_of("a", Role::kAgent);
  identity_.reset();
  for (auto const& entry : std::filesystem::directory_iterator(folder_)) {
    std::ifstream file(entry.path(), std::ios::binary);
    std::string const bytes{std::istreambuf_iterator<char>(file), {}};
    EXPECT_EQ(bytes.find(token.substr(12)), std::string::npos) << entry.path();
  }
  for (auto const* name : {"identity.key", "admin.token"}) {
    struct stat status{};
    ASSERT_EQ(::stat((folder_ / name).c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0600u) << name;
  }
}

TEST_F(IdentityTest, BanRevocationAndExpiryTakeEffectAtOnce) {
  auto const token = token_of("a", Role::kAgent);
  auto const who = *identity_->verify(token);
  auto const before = identity_->generation();

  ASSERT_TRUE(identity_->set_active("root", "a", false));
  EXPECT_GT(identity_->generation(), before);
  EXPECT_EQ(refusal(token), ErrorCode::kUnauthenticated);
  EXPECT_FALSE(identity_->valid(*who));
  ASSERT_TRUE(identity_->set_active("root", "a", true));
  EXPECT_TRUE(identity_->verify(token));
  EXPECT_TRUE(identity_->valid(*who));

  ASSERT_TRUE(identity_->revoke_token("root", who->token_id));
  EXPECT_EQ(refusal(token), ErrorCode::kUnauthenticated);
  EXPECT_FALSE(identity_->valid(*who));

  auto const short_lived = identity_->add_token("root", "a", 10s)->secret;
  auto const holder = *identity_->verify(short_lived);
  clock_.advance(10s);
  EXPECT_EQ(refusal(short_lived), ErrorCode::kUnauthenticated);
  EXPECT_FALSE(identity_->valid(*holder));
}

TEST_F(IdentityTest, ARoleChangeEndsWhatWasGivenOutBefore) {
  auto const token = token_of("a", Role::kAgent);
  auto const who = *identity_->verify(token);
  ASSERT_TRUE(identity_->set_role("root", "a", Role::kViewer));
  EXPECT_FALSE(identity_->valid(*who));
  EXPECT_EQ((*identity_->verify(token))->role, Role::kViewer);
}

TEST_F(IdentityTest, RemovingAUserTakesTokensAndClaimsWithIt) {
  auto const token = token_of("a", Role::kAgent);
  ASSERT_TRUE(identity_->claim(**identity_->verify(token), "node-1"));
  ASSERT_TRUE(identity_->remove_user("root", "a"));
  EXPECT_EQ(refusal(token), ErrorCode::kUnauthenticated);
  EXPECT_TRUE(identity_->claims("", 10).empty());
  EXPECT_FALSE(identity_->has_users());
  open({});
  EXPECT_TRUE(identity_->claims("", 10).empty());
  EXPECT_FALSE(identity_->has_users());
}

TEST_F(IdentityTest, TheLocalPrincipalStandsUntilThereAreUsers) {
  auto const local = identity_->local_principal();
  EXPECT_TRUE(identity_->valid(*local));
  token_of("a", Role::kAgent);
  EXPECT_FALSE(identity_->valid(*local));
}

TEST_F(IdentityTest, TheAdminTokenIsNewAtEachOpen) {
  auto const read = [&] {
    std::ifstream file(identity_->admin_token_path());
    std::string text;
    std::getline(file, text);
    return text;
  };
  auto const first = read();
  EXPECT_EQ((*identity_->verify(first))->role, Role::kAdmin);
  open({});
  EXPECT_EQ(refusal(first), ErrorCode::kUnauthenticated);
  EXPECT_TRUE(identity_->verify(read()));
}

TEST_F(IdentityTest, TheFirstPrincipalThatReportsASourceOwnsIt) {
  auto const a = *identity_->verify(token_of("a", Role::kAgent));
  auto const b = *identity_->verify(token_of("b", Role::kAgent));
  EXPECT_TRUE(identity_->claim(*a, "node-1"));
  EXPECT_TRUE(identity_->claim(*a, "node-1"));
  auto const refused = identity_->claim(*b, "node-1");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kDenied);
  ASSERT_TRUE(identity_->release_claim("root", "node-1"));
  EXPECT_TRUE(identity_->claim(*b, "node-1"));
  ASSERT_TRUE(identity_->assign_claim("root", "node-1", "a"));
  EXPECT_FALSE(identity_->claim(*b, "node-1"));
}

TEST_F(IdentityTest, InModeListedOnlyAssignedSourcesAreAllowed) {
  open({.claim_mode = ClaimMode::kListed});
  auto const a = *identity_->verify(token_of("a", Role::kAgent));
  EXPECT_FALSE(identity_->claim(*a, "node-1"));
  ASSERT_TRUE(identity_->assign_claim("root", "node-1", "a"));
  EXPECT_TRUE(identity_->claim(*a, "node-1"));
}

TEST_F(IdentityTest, InModeAnySourcesBelongToNobody) {
  open({.claim_mode = ClaimMode::kAny});
  auto const a = *identity_->verify(token_of("a", Role::kAgent));
  auto const b = *identity_->verify(token_of("b", Role::kAgent));
  EXPECT_TRUE(identity_->claim(*a, "node-1"));
  EXPECT_TRUE(identity_->claim(*b, "node-1"));
}

TEST_F(IdentityTest, BoundsAreAnsweredAsOverloaded) {
  open({.users_max = 2, .tokens_max = 3, .claims_max = 1});
  auto const a = *identity_->verify(token_of("a", Role::kAgent));
  token_of("b", Role::kAgent);
  EXPECT_EQ(identity_->add_user("root", "c", Role::kAgent).error().code, ErrorCode::kOverloaded);
  EXPECT_TRUE(identity_->add_token("root", "a", {}));
  EXPECT_EQ(identity_->add_token("root", "a", {}).error().code, ErrorCode::kOverloaded);
  EXPECT_TRUE(identity_->claim(*a, "n1"));
  EXPECT_EQ(identity_->claim(*a, "n2").error().code, ErrorCode::kOverloaded);
}

TEST_F(IdentityTest, ImpossibleChangesSayWhy) {
  EXPECT_EQ(identity_->add_user("root", "bad name", Role::kAgent).error().code,
            ErrorCode::kInvalidArgument);
  EXPECT_EQ(identity_->add_user("root", "local", Role::kAgent).error().code,
            ErrorCode::kInvalidArgument);
  ASSERT_TRUE(identity_->add_user("root", "a", Role::kAgent));
  EXPECT_EQ(identity_->add_user("root", "a", Role::kAgent).error().code, ErrorCode::kAlreadyExists);
  EXPECT_EQ(identity_->remove_user("root", "x").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(identity_->set_active("root", "x", false).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(identity_->add_token("root", "x", {}).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(identity_->revoke_token("root", "x").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(identity_->tokens("x").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(identity_->release_claim("root", "x").error().code, ErrorCode::kNotFound);
}

TEST_F(IdentityTest, ChangesAreAuditedAndTheOldestGo) {
  open({.audit_entries_max = 3});
  token_of("a", Role::kAgent);
  ASSERT_TRUE(identity_->set_active("root", "a", false));
  ASSERT_TRUE(identity_->remove_user("boss", "a"));
  auto const entries = *identity_->audit(10);
  ASSERT_EQ(entries.size(), 3u);
  EXPECT_EQ(entries[0].actor, "boss");
  EXPECT_EQ(entries[0].action, "user.remove");
  EXPECT_EQ(entries[1].action, "user.ban");
  EXPECT_EQ(entries[2].action, "token.add");
}

TEST_F(IdentityTest, ManyThreadsVerifyClaimAndChange) {
  auto const token = token_of("a", Role::kAgent);
  std::vector<std::thread> threads;
  std::atomic<int> good{0};
  for (int t = 0; t < 3; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 300; ++i) {
        auto const who = identity_->verify(token);
        if (who && identity_->claim(**who, fmt::format("s-{}-{}", t, i))) ++good;
      }
    });
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(identity_->add_token("root", "a", {}));
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(good, 900);
  open({});
  EXPECT_EQ(identity_->claims("a", 10'000).size(), 900u);
}

TEST_F(IdentityTest, AKeyOfTheWrongLengthIsNamed) {
  identity_.reset();
  std::ofstream(folder_ / "identity.key") << "short";
  auto const opened = Identity::open({.data_dir = folder_}, clock_);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ErrorCode::kCorrupt);
  EXPECT_NE(opened.error().context.find("identity.key"), std::string::npos);
}

}  // namespace
}  // namespace headrace::identity
