// SPDX-License-Identifier: Apache-2.0
// Identity: who may do what. Users with roles, their tokens, bans, and which principal owns which
// source; kept in <data dir>/identity.db, held whole in memory, so that every question is one hash
// look-up.
//   Tokens:   "hr_<id>_<secret>": 40 bits of id (shown in lists) and 160 bits of secret, shown
//             once. Stored as BLAKE2b-256 keyed with <data dir>/identity.key (created, mode 0600):
//             a copy of the database alone verifies nothing.
//   Changes:  are durable before the function returns and seen by every later verify(), in this
//             process. A process that finds the data directory locked sends its change to the
//             running server (api/users_routes.h).
//   Threads:  any. verify(), claim(), generation(), has_users() never touch the disk. Functions
//             that change something commit to the disk: not from an io thread when that matters.
//             Claims are committed by a thread of their own within Options::claim_delay; a power
//             failure in that time forgets a first claim, which the next report renews.
//   Lifetime: close() (or the destructor) writes what claims are pending.
//   Errors:   invalid_argument, not_found, already_exists, unauthenticated, denied, overloaded (a
//             bound), io, corrupt.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "model/limits.h"
#include "model/names.h"

namespace headrace::identity {

enum class Role : unsigned char {
  kAdmin,   // everything
  kAgent,   // may report
  kViewer,  // may read and use the feeds
};
std::string_view name(Role role);  // "admin", "agent", "viewer"
std::optional<Role> parse_role(std::string_view text);

// What a request wants to do.
enum class Need : unsigned char { kReport, kRead, kAdmin };
bool allows(Role role, Need need);

// A verified caller. Immutable; shared by the connections that carry it.
struct Principal {
  model::PrincipalId id;
  Role role = Role::kAgent;
  std::string token_id;  // empty: no token was used (the local principal)
  bool local = false;    // on loopback, without configured users: claims do not bind it
  base::Timestamp expires{std::numeric_limits<std::int64_t>::max()};  // of the token
};
using PrincipalPtr = std::shared_ptr<Principal const>;

// May several principals report one source? claim: the first that reports it owns it. any: yes.
// listed: only who was given it.
enum class ClaimMode : unsigned char { kClaim, kAny, kListed };
std::string_view name(ClaimMode mode);
std::optional<ClaimMode> parse_claim_mode(std::string_view text);

struct User {
  std::string name;
  Role role = Role::kAgent;
  base::Timestamp created;
  bool active = true;  // false: banned
  std::uint32_t token_count = 0;
};

struct Token {
  std::string id;
  std::string user;
  base::Timestamp created;
  std::optional<base::Timestamp> expires;
  bool revoked = false;
};
struct NewToken {
  Token token;
  std::string secret;  // the whole text to send as Bearer; never kept
};

struct Claim {
  std::string source;
  std::string principal;
  base::Timestamp since;
};

struct AuditEntry {
  base::Timestamp time;
  std::string actor;    // principal that asked for it
  std::string action;   // "user.add", "user.ban", "token.add", "token.revoke", "claim.release", ...
  std::string subject;  // user, token id or source
};

struct Options {
  std::filesystem::path data_dir{};
  ClaimMode claim_mode = ClaimMode::kClaim;
  model::Limits limits{};
  std::size_t users_max = 100'000;
  std::size_t tokens_max = 200'000;
  std::size_t claims_max = 1'000'000;
  std::size_t audit_entries_max = 100'000;  // the oldest go first
  std::chrono::milliseconds claim_delay{50};
};

class Identity {
 public:
  // Creates what is missing. `clock` outlives it. corrupt or io: names the file.
  static base::Result<std::unique_ptr<Identity>> open(Options options, base::Clock& clock);
  ~Identity();
  Identity(Identity const&) = delete;
  Identity& operator=(Identity const&) = delete;
  void close();

  bool has_users() const;
  // Grows with every change that can take a right away: who keeps a Principal asks valid() again
  // when it has moved.
  std::uint64_t generation() const;

  // unauthenticated: unknown, expired, revoked or banned; the text says which only for tokens that
  // are known.
  base::Result<PrincipalPtr> verify(std::string_view token) const;
  // Whether a principal given out before still stands (not banned, revoked, expired; no users still
  // for the local one).
  bool valid(Principal const& principal) const;
  // Who asks on loopback while no users are configured: admin, "local".
  PrincipalPtr local_principal() const;
  // A token with the rights of an administrator for the commands on this machine, in <data
  // dir>/admin.token (mode 0600), new at each open. The principal is "local-admin".
  std::filesystem::path admin_token_path() const;

  // May `principal` report `source`? Takes the source for it in mode claim. denied: names the rule.
  base::Result<void> claim(Principal const& principal, std::string_view source);
  base::Result<void> assign_claim(std::string_view actor, std::string_view source,
                                  std::string_view user);
  base::Result<void> release_claim(std::string_view actor, std::string_view source);
  bool owns(std::string_view user, std::string_view source) const;
  std::vector<Claim> claims(std::string_view user, std::size_t count_max) const;  // empty user: all

  base::Result<User> add_user(std::string_view actor, std::string_view user, Role role);
  // with tokens and claims
  base::Result<void> remove_user(std::string_view actor, std::string_view user);
  base::Result<void> set_active(std::string_view actor, std::string_view user, bool active);
  base::Result<void> set_role(std::string_view actor, std::string_view user, Role role);
  base::Result<User> get_user(std::string_view user) const;
  std::vector<User> users() const;  // by name

  base::Result<NewToken> add_token(std::string_view actor, std::string_view user,
                                   std::optional<std::chrono::nanoseconds> lifetime);
  base::Result<void> revoke_token(std::string_view actor, std::string_view token_id);
  base::Result<std::vector<Token>> tokens(std::string_view user) const;

  base::Result<std::vector<AuditEntry>> audit(std::size_t count_max) const;  // newest first

 private:
  struct Impl;
  explicit Identity(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace headrace::identity
