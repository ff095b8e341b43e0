// SPDX-License-Identifier: Apache-2.0
#include "identity/impl/store.h"

#include <algorithm>

namespace headrace::identity {
namespace {

constexpr int kVersion = 1;
constexpr char kSchema[] = R"(
CREATE TABLE users (
  name TEXT PRIMARY KEY, role TEXT NOT NULL, created INTEGER NOT NULL, active INTEGER NOT NULL);
CREATE TABLE tokens (
  id TEXT PRIMARY KEY, user TEXT NOT NULL, hash BLOB NOT NULL, created INTEGER NOT NULL,
  expires INTEGER, revoked INTEGER NOT NULL);
CREATE TABLE claims (
  source TEXT PRIMARY KEY, principal TEXT NOT NULL, since INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE audit (
  n INTEGER PRIMARY KEY AUTOINCREMENT, time INTEGER NOT NULL, actor TEXT NOT NULL,
  action TEXT NOT NULL, subject TEXT NOT NULL);
PRAGMA user_version = 1;
)";

base::Error bad_row(std::string const& path, std::string_view what) {
  return {base::ErrorCode::kCorrupt, fmt::format("{}: {}", path, what)};
}

}  // namespace

base::Result<Store> Store::open(std::filesystem::path const& path) {
  HEADRACE_TRY(auto database, sqlite::Database::open(
                                  path.string(), {.cache_kb_max = 1024, .checkpoint_pages = 256}));
  HEADRACE_TRY(int const version, database.user_version());
  if (version > kVersion)
    return base::Error{
        base::ErrorCode::kInvalidArgument,
        fmt::format("{}: format version {} was written by a newer program; this one knows up to {}",
                    path.string(), version, kVersion)};
  if (version == 0) {
    HEADRACE_TRY(auto transaction, sqlite::Transaction::begin(database));
    HEADRACE_TRY_VOID(database.execute(kSchema));
    HEADRACE_TRY_VOID(transaction.commit());
  }
  return Store(std::move(database));
}

base::Result<StoredAll> Store::load() {
  StoredAll all;
  HEADRACE_TRY_VOID(load_users(all));
  HEADRACE_TRY_VOID(load_tokens(all));
  HEADRACE_TRY_VOID(load_claims(all));
  return all;
}

base::Result<void> Store::load_users(StoredAll& all) {
  HEADRACE_TRY(auto rows, database_.prepare("SELECT name, role, created, active FROM users"));
  for (;;) {
    HEADRACE_TRY(bool const row, rows.step());
    if (!row) return {};
    auto const role = parse_role(rows.text(1));
    if (!role)
      return bad_row(database_.path(),
                     fmt::format("user '{}' has role '{}'", rows.text(0), rows.text(1)));
    all.users.push_back(
        {std::string(rows.text(0)), *role, {rows.integer(2)}, rows.integer(3) != 0, 0});
  }
}

base::Result<void> Store::load_tokens(StoredAll& all) {
  HEADRACE_TRY(auto rows,
               database_.prepare("SELECT id, user, hash, created, expires, revoked FROM tokens"));
  for (;;) {
    HEADRACE_TRY(bool const row, rows.step());
    if (!row) return {};
    StoredToken stored;
    stored.token.id = rows.text(0);
    stored.token.user = rows.text(1);
    auto const hash = rows.blob(2);
    if (hash.size() != stored.hash.size())
      return bad_row(database_.path(), fmt::format("token '{}' has a hash of {} bytes",
                                                   stored.token.id, hash.size()));
    std::copy(hash.begin(), hash.end(), stored.hash.begin());
    stored.token.created = {rows.integer(3)};
    if (!rows.is_null(4)) stored.token.expires = base::Timestamp{rows.integer(4)};
    stored.token.revoked = rows.integer(5) != 0;
    all.tokens.push_back(std::move(stored));
  }
}

base::Result<void> Store::load_claims(StoredAll& all) {
  HEADRACE_TRY(auto rows, database_.prepare("SELECT source, principal, since FROM claims"));
  for (;;) {
    HEADRACE_TRY(bool const row, rows.step());
    if (!row) return {};
    all.claims.push_back({std::string(rows.text(0)), std::string(rows.text(1)), {rows.integer(2)}});
  }
}

template <class Change>
base::Result<void> Store::audited(AuditEntry const& audit, Change&& change) {
  HEADRACE_TRY(auto transaction, sqlite::Transaction::begin(database_));
  HEADRACE_TRY_VOID(change());
  HEADRACE_TRY_VOID(append_audit(audit));
  return transaction.commit();
}

base::Result<void> Store::append_audit(AuditEntry const& audit) {
  HEADRACE_TRY(auto row, database_.prepare(
                             "INSERT INTO audit(time, actor, action, subject) VALUES(?,?,?,?)"));
  row.bind(1, audit.time.ns).bind(2, audit.actor).bind(3, audit.action).bind(4, audit.subject);
  HEADRACE_TRY_VOID(row.run());
  HEADRACE_TRY(auto old, database_.prepare("DELETE FROM audit WHERE n <= ?"));
  old.bind(1, database_.last_insert_id() - static_cast<std::int64_t>(audit_entries_max_));
  return old.run();
}

base::Result<void> Store::put_user(User const& user, AuditEntry const& audit) {
  return audited(audit, [&]() -> base::Result<void> {
    HEADRACE_TRY(auto row,
                 database_.prepare(
                     "INSERT OR REPLACE INTO users(name, role, created, active) VALUES(?,?,?,?)"));
    row.bind(1, user.name)
        .bind(2, name(user.role))
        .bind(3, user.created.ns)
        .bind(4, std::int64_t{user.active});
    return row.run();
  });
}

base::Result<void> Store::remove_user(std::string_view user, AuditEntry const& audit) {
  return audited(audit, [&]() -> base::Result<void> {
    for (auto const* sql : {"DELETE FROM users WHERE name = ?", "DELETE FROM tokens WHERE user = ?",
                            "DELETE FROM claims WHERE principal = ?"}) {
      HEADRACE_TRY(auto row, database_.prepare(sql));
      row.bind(1, user);
      HEADRACE_TRY_VOID(row.run());
    }
    return {};
  });
}

base::Result<void> Store::put_token(StoredToken const& token, AuditEntry const& audit) {
  return audited(audit, [&]() -> base::Result<void> {
    HEADRACE_TRY(auto row,
                 database_.prepare(
                     "INSERT OR REPLACE INTO tokens(id, user, hash, created, expires, revoked) "
                     "VALUES(?,?,?,?,?,?)"));
    row.bind(1, token.token.id).bind(2, token.token.user).bind(3, base::Bytes(token.hash));
    row.bind(4, token.token.created.ns).bind(6, std::int64_t{token.token.revoked});
    if (token.token.expires)
      row.bind(5, token.token.expires->ns);
    else
      row.bind_null(5);
    return row.run();
  });
}

base::Result<void> Store::write_claim(Claim const& claim) {
  HEADRACE_TRY(
      auto row,
      database_.prepare("INSERT OR REPLACE INTO claims(source, principal, since) VALUES(?,?,?)"));
  row.bind(1, claim.source).bind(2, claim.principal).bind(3, claim.since.ns);
  return row.run();
}

base::Result<void> Store::put_claims(std::span<Claim const> claims) {
  HEADRACE_TRY(auto transaction, sqlite::Transaction::begin(database_));
  for (auto const& claim : claims) HEADRACE_TRY_VOID(write_claim(claim));
  return transaction.commit();
}

base::Result<void> Store::put_claim(Claim const& claim, AuditEntry const& audit) {
  return audited(audit, [&] { return write_claim(claim); });
}

base::Result<void> Store::remove_claim(std::string_view source, AuditEntry const& audit) {
  return audited(audit, [&]() -> base::Result<void> {
    HEADRACE_TRY(auto row, database_.prepare("DELETE FROM claims WHERE source = ?"));
    row.bind(1, source);
    return row.run();
  });
}

base::Result<std::vector<AuditEntry>> Store::audit(std::size_t count_max) {
  HEADRACE_TRY(
      auto rows,
      database_.prepare("SELECT time, actor, action, subject FROM audit ORDER BY n DESC LIMIT ?"));
  rows.bind(1, static_cast<std::int64_t>(std::min<std::size_t>(count_max, INT64_MAX)));
  std::vector<AuditEntry> entries;
  for (;;) {
    HEADRACE_TRY(bool const row, rows.step());
    if (!row) return entries;
    entries.push_back({{rows.integer(0)},
                       std::string(rows.text(1)),
                       std::string(rows.text(2)),
                       std::string(rows.text(3))});
  }
}

}  // namespace headrace::identity
