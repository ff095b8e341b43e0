// SPDX-License-Identifier: Apache-2.0
// Store: identity.db. Knows rows, not rules. Every change commits before it returns, together with
// its audit entry.
//   Threads: one at a time (the owner locks).
#pragma once

#include <filesystem>
#include <span>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "identity/identity.h"
#include "identity/impl/token_text.h"
#include "sqlite/database.h"

namespace headrace::identity {

struct StoredToken {
  Token token;
  TokenHash hash{};
};
struct StoredAll {
  std::vector<User> users;
  std::vector<StoredToken> tokens;
  std::vector<Claim> claims;
};

class Store {
 public:
  static base::Result<Store> open(std::filesystem::path const& path);

  base::Result<StoredAll> load();
  base::Result<void> put_user(User const& user, AuditEntry const& audit);
  base::Result<void> remove_user(std::string_view user, AuditEntry const& audit);
  base::Result<void> put_token(StoredToken const& token, AuditEntry const& audit);
  base::Result<void> put_claims(std::span<Claim const> claims);
  base::Result<void> put_claim(Claim const& claim, AuditEntry const& audit);
  base::Result<void> remove_claim(std::string_view source, AuditEntry const& audit);
  base::Result<std::vector<AuditEntry>> audit(std::size_t count_max);
  void set_audit_entries_max(std::size_t count) { audit_entries_max_ = count; }

 private:
  explicit Store(sqlite::Database database) : database_(std::move(database)) {}
  template <class Change>
  base::Result<void> audited(AuditEntry const& audit, Change&& change);
  base::Result<void> load_users(StoredAll& all);
  base::Result<void> load_tokens(StoredAll& all);
  base::Result<void> load_claims(StoredAll& all);
  base::Result<void> write_claim(Claim const& claim);
  base::Result<void> append_audit(AuditEntry const& audit);

  sqlite::Database database_;
  std::size_t audit_entries_max_ = 100'000;
};

}  // namespace headrace::identity
