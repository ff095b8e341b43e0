// SPDX-License-Identifier: Apache-2.0
#include "identity/identity.h"

#include <algorithm>
#include <condition_variable>
#include <map>
#include <shared_mutex>
#include <thread>

#include "base/log.h"
#include "identity/impl/store.h"
#include "identity/impl/token_text.h"

namespace headrace::identity {

using base::Error;
using base::ErrorCode;

namespace {
constexpr std::string_view kLocalAdmin = "local-admin";
constexpr base::Timestamp kNever{std::numeric_limits<std::int64_t>::max()};
struct TextHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const {
    return std::hash<std::string_view>{}(text);
  }
};
template <class T>
using TextMap = std::unordered_map<std::string, T, TextHash, std::equal_to<>>;

Error not_found(std::string_view what, std::string_view which) {
  return {ErrorCode::kNotFound, fmt::format("no {} '{}'", what, which)};
}

struct HeldToken {
  StoredToken stored;
  PrincipalPtr principal;
};
struct HeldClaim {
  std::string principal;
  base::Timestamp since;
};
}  // namespace

struct Identity::Impl {
  Impl(Options o, base::Clock& c, Store s) : options(std::move(o)), clock(c), store(std::move(s)) {
    store.set_audit_entries_max(options.audit_entries_max);
  }
  base::Result<void> load();
  base::Result<void> make_admin_token();
  void hold_token(StoredToken stored);
  void rebuild_principals(std::string_view user);
  void claim_loop();
  void write_claims(std::vector<Claim> claims);
  AuditEntry audit(std::string_view actor, std::string_view action,
                   std::string_view subject) const {
    return {clock.now(), std::string(actor), std::string(action), std::string(subject)};
  }
  base::Result<User> user_copy(std::string_view user) const;
  void apply_user(User const& user);
  base::Result<void> update_user(std::string_view user, AuditEntry const& audit,
                                 std::function<void(User&)> const& change);

  Options const options;
  base::Clock& clock;
  TokenKey key{};
  std::string admin_token;
  PrincipalPtr const local = std::make_shared<Principal>(Principal{
      model::PrincipalId::trusted(model::kLocalPrincipal), Role::kAdmin, "", true, kNever});
  PrincipalPtr const local_admin = std::make_shared<Principal>(
      Principal{model::PrincipalId::trusted(kLocalAdmin), Role::kAdmin, "admin", true, kNever});
  TokenHash admin_hash{};

  // change_mutex: one change at a time, over the disk write. mutex: the maps; held shortly. Taken
  // in this order.
  std::mutex change_mutex;
  mutable std::mutex store_mutex;
  Store store;
  mutable std::shared_mutex mutex;
  TextMap<User> users;
  std::unordered_map<TokenHash, std::shared_ptr<HeldToken>, TokenHashHasher> by_hash;
  TextMap<std::shared_ptr<HeldToken>> by_id;
  TextMap<HeldClaim> claims;
  std::atomic<bool> any_users{false};
  std::atomic<std::uint64_t> generation{1};

  std::mutex pending_mutex;
  std::condition_variable pending_changed;
  std::vector<Claim> pending;
  bool closing = false;
  std::thread claim_writer;
};

std::string_view name(Role role) {
  switch (role) {
    case Role::kAdmin: return "admin";
    case Role::kAgent: return "agent";
    case Role::kViewer: return "viewer";
  }
  return "viewer";
}
std::optional<Role> parse_role(std::string_view text) {
  for (auto const role : {Role::kAdmin, Role::kAgent, Role::kViewer})
    if (name(role) == text) return role;
  return std::nullopt;
}
bool allows(Role role, Need need) {
  switch (need) {
    case Need::kReport: return role != Role::kViewer;
    case Need::kRead: return role != Role::kAgent;
    case Need::kAdmin: return role == Role::kAdmin;
  }
  return false;
}
std::string_view name(ClaimMode mode) {
  switch (mode) {
    case ClaimMode::kClaim: return "claim";
    case ClaimMode::kAny: return "any";
    case ClaimMode::kListed: return "listed";
  }
  return "claim";
}
std::optional<ClaimMode> parse_claim_mode(std::string_view text) {
  for (auto const mode : {ClaimMode::kClaim, ClaimMode::kAny, ClaimMode::kListed})
    if (name(mode) == text) return mode;
  return std::nullopt;
}

// ---- opening and closing

base::Result<std::unique_ptr<Identity>> Identity::open(Options options, base::Clock& clock) {
  std::error_code failed;
  std::filesystem::create_directories(options.data_dir, failed);
  if (failed) return base::system_error(failed.value(), options.data_dir.string());
  HEADRACE_TRY(auto store, Store::open(options.data_dir / "identity.db"));
  auto impl = std::make_unique<Impl>(std::move(options), clock, std::move(store));
  HEADRACE_TRY(impl->key, load_or_make_key(impl->options.data_dir / "identity.key"));
  HEADRACE_TRY_VOID(impl->load());
  HEADRACE_TRY_VOID(impl->make_admin_token());
  auto* raw = impl.get();
  raw->claim_writer = std::thread([raw] { raw->claim_loop(); });
  return std::unique_ptr<Identity>(new Identity(std::move(impl)));
}

Identity::Identity(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Identity::~Identity() { close(); }

void Identity::close() {
  {
    std::scoped_lock const lock(impl_->pending_mutex);
    impl_->closing = true;
  }
  impl_->pending_changed.notify_all();
  if (impl_->claim_writer.joinable()) impl_->claim_writer.join();
}

base::Result<void> Identity::Impl::load() {
  HEADRACE_TRY(auto all, store.load());
  for (auto& user : all.users) users.emplace(user.name, user);
  for (auto& token : all.tokens) hold_token(std::move(token));
  for (auto& claim : all.claims)
    claims.emplace(std::move(claim.source), HeldClaim{std::move(claim.principal), claim.since});
  any_users = !users.empty();
  return {};
}

base::Result<void> Identity::Impl::make_admin_token() {
  auto const token = generate_token();
  admin_hash = hash_token(key, token.text);
  return write_secret_file(options.data_dir / "admin.token", token.text + "\n");
}

// With `mutex` held, or before there are other threads.
void Identity::Impl::hold_token(StoredToken stored) {
  auto const user = users.find(stored.token.user);
  if (user == users.end()) return;
  auto held = std::make_shared<HeldToken>();
  held->stored = std::move(stored);
  held->principal = std::make_shared<Principal>(
      Principal{model::PrincipalId::trusted(user->first), user->second.role, held->stored.token.id,
                false, held->stored.token.expires.value_or(kNever)});
  ++user->second.token_count;
  by_hash[held->stored.hash] = held;
  by_id[held->stored.token.id] = held;
}

void Identity::Impl::rebuild_principals(std::string_view user) {
  auto const role = users.find(user)->second.role;
  for (auto& [id, held] : by_id)
    if (held->stored.token.user == user)
      held->principal = std::make_shared<Principal>(
          Principal{held->principal->id, role, id, false, held->principal->expires});
}

// ---- questions

bool Identity::has_users() const { return impl_->any_users.load(std::memory_order_acquire); }
std::uint64_t Identity::generation() const {
  return impl_->generation.load(std::memory_order_acquire);
}
PrincipalPtr Identity::local_principal() const { return impl_->local; }
std::filesystem::path Identity::admin_token_path() const {
  return impl_->options.data_dir / "admin.token";
}

base::Result<PrincipalPtr> Identity::verify(std::string_view token) const {
  auto const refuse = [](std::string_view why) {
    return Error{ErrorCode::kUnauthenticated, std::string(why)};
  };
  if (!token_id(token)) return refuse("the token is not one of this server");
  auto const hash = hash_token(impl_->key, token);
  if (hash == impl_->admin_hash) return impl_->local_admin;
  std::shared_lock const lock(impl_->mutex);
  auto const it = impl_->by_hash.find(hash);
  if (it == impl_->by_hash.end()) return refuse("the token is not one of this server");
  auto const& held = *it->second;
  if (held.stored.token.revoked) return refuse("the token was revoked");
  if (held.stored.token.expires && *held.stored.token.expires <= impl_->clock.now())
    return refuse("the token has expired");
  auto const user = impl_->users.find(held.stored.token.user);
  if (user == impl_->users.end() || !user->second.active) return refuse("the user is banned");
  return held.principal;
}

bool Identity::valid(Principal const& principal) const {
  if (&principal == impl_->local_admin.get()) return true;
  if (principal.local) return !has_users();
  std::shared_lock const lock(impl_->mutex);
  auto const token = impl_->by_id.find(principal.token_id);
  if (token == impl_->by_id.end() || token->second->stored.token.revoked) return false;
  auto const& expires = token->second->stored.token.expires;
  if (expires && *expires <= impl_->clock.now()) return false;
  auto const user = impl_->users.find(principal.id.text());
  return user != impl_->users.end() && user->second.active && user->second.role == principal.role;
}

base::Result<User> Identity::get_user(std::string_view user) const {
  return impl_->user_copy(user);
}

base::Result<User> Identity::Impl::user_copy(std::string_view user) const {
  std::shared_lock const lock(mutex);
  auto const it = users.find(user);
  if (it == users.end()) return not_found("user", user);
  return it->second;
}

std::vector<User> Identity::users() const {
  std::vector<User> all;
  {
    std::shared_lock const lock(impl_->mutex);
    for (auto const& [name, user] : impl_->users) all.push_back(user);
  }
  std::sort(all.begin(), all.end(), [](User const& a, User const& b) { return a.name < b.name; });
  return all;
}

base::Result<std::vector<Token>> Identity::tokens(std::string_view user) const {
  std::vector<Token> all;
  {
    std::shared_lock const lock(impl_->mutex);
    if (!impl_->users.contains(user)) return not_found("user", user);
    for (auto const& [id, held] : impl_->by_id)
      if (held->stored.token.user == user) all.push_back(held->stored.token);
  }
  std::sort(all.begin(), all.end(), [](Token const& a, Token const& b) {
    return std::tie(a.created, a.id) < std::tie(b.created, b.id);
  });
  return all;
}

base::Result<std::vector<AuditEntry>> Identity::audit(std::size_t count_max) const {
  std::scoped_lock const lock(impl_->store_mutex);
  return impl_->store.audit(count_max);
}

// ---- users and tokens

// With change_mutex held.
base::Result<void> Identity::Impl::update_user(std::string_view user, AuditEntry const& entry,
                                               std::function<void(User&)> const& change) {
  HEADRACE_TRY(auto copy, user_copy(user));
  change(copy);
  {
    std::scoped_lock const lock(store_mutex);
    HEADRACE_TRY_VOID(store.put_user(copy, entry));
  }
  apply_user(copy);
  return {};
}

void Identity::Impl::apply_user(User const& user) {
  {
    std::unique_lock const lock(mutex);
    users[user.name] = user;
    rebuild_principals(user.name);
    any_users.store(true, std::memory_order_release);
  }
  generation.fetch_add(1, std::memory_order_acq_rel);
}

base::Result<User> Identity::add_user(std::string_view actor, std::string_view user, Role role) {
  HEADRACE_TRY_VOID(model::check_principal(user, impl_->options.limits));
  if (user == model::kLocalPrincipal || user == kLocalAdmin)
    return Error{ErrorCode::kInvalidArgument, fmt::format("'{}' is a reserved name", user)};
  std::scoped_lock const change(impl_->change_mutex);
  {
    std::shared_lock const lock(impl_->mutex);
    if (impl_->users.contains(user))
      return Error{ErrorCode::kAlreadyExists, fmt::format("user '{}' exists", user)};
    if (impl_->users.size() >= impl_->options.users_max)
      return Error{ErrorCode::kOverloaded,
                   fmt::format("there are {} users, the most supported", impl_->users.size())};
  }
  User const added{std::string(user), role, impl_->clock.now(), true, 0};
  {
    std::scoped_lock const lock(impl_->store_mutex);
    HEADRACE_TRY_VOID(impl_->store.put_user(added, impl_->audit(actor, "user.add", user)));
  }
  impl_->apply_user(added);
  return added;
}

base::Result<void> Identity::remove_user(std::string_view actor, std::string_view user) {
  std::scoped_lock const change(impl_->change_mutex);
  HEADRACE_TRY_VOID(impl_->user_copy(user));
  {
    std::scoped_lock const pending(impl_->pending_mutex);
    std::erase_if(impl_->pending, [&](Claim const& claim) { return claim.principal == user; });
  }
  {
    std::scoped_lock const lock(impl_->store_mutex);
    HEADRACE_TRY_VOID(impl_->store.remove_user(user, impl_->audit(actor, "user.remove", user)));
  }
  {
    std::unique_lock const lock(impl_->mutex);
    std::erase_if(impl_->by_hash,
                  [&](auto const& entry) { return entry.second->stored.token.user == user; });
    std::erase_if(impl_->by_id,
                  [&](auto const& entry) { return entry.second->stored.token.user == user; });
    std::erase_if(impl_->claims, [&](auto const& entry) { return entry.second.principal == user; });
    impl_->users.erase(impl_->users.find(user));
    impl_->any_users.store(!impl_->users.empty(), std::memory_order_release);
  }
  impl_->generation.fetch_add(1, std::memory_order_acq_rel);
  return {};
}

base::Result<void> Identity::set_active(std::string_view actor, std::string_view user,
                                        bool active) {
  std::scoped_lock const change(impl_->change_mutex);
  return impl_->update_user(user, impl_->audit(actor, active ? "user.unban" : "user.ban", user),
                            [&](User& u) { u.active = active; });
}

base::Result<void> Identity::set_role(std::string_view actor, std::string_view user, Role role) {
  std::scoped_lock const change(impl_->change_mutex);
  return impl_->update_user(user,
                            impl_->audit(actor, fmt::format("user.role.{}", name(role)), user),
                            [&](User& u) { u.role = role; });
}

base::Result<NewToken> Identity::add_token(std::string_view actor, std::string_view user,
                                           std::optional<std::chrono::nanoseconds> lifetime) {
  std::scoped_lock const change(impl_->change_mutex);
  HEADRACE_TRY_VOID(impl_->user_copy(user));
  auto text = generate_token();
  {
    std::shared_lock const lock(impl_->mutex);
    if (impl_->by_id.size() >= impl_->options.tokens_max)
      return Error{ErrorCode::kOverloaded,
                   fmt::format("there are {} tokens, the most supported", impl_->by_id.size())};
    while (impl_->by_id.contains(text.id)) text = generate_token();
  }
  StoredToken stored;
  stored.token = {text.id, std::string(user), impl_->clock.now(), {}, false};
  if (lifetime) stored.token.expires = stored.token.created + *lifetime;
  stored.hash = hash_token(impl_->key, text.text);
  {
    std::scoped_lock const lock(impl_->store_mutex);
    HEADRACE_TRY_VOID(impl_->store.put_token(stored, impl_->audit(actor, "token.add", text.id)));
  }
  std::unique_lock const lock(impl_->mutex);
  NewToken result{stored.token, text.text};
  impl_->hold_token(std::move(stored));
  return result;
}

base::Result<void> Identity::revoke_token(std::string_view actor, std::string_view token_id) {
  std::scoped_lock const change(impl_->change_mutex);
  StoredToken revoked;
  {
    std::shared_lock const lock(impl_->mutex);
    auto const it = impl_->by_id.find(token_id);
    if (it == impl_->by_id.end()) return not_found("token", token_id);
    revoked = it->second->stored;
  }
  revoked.token.revoked = true;
  {
    std::scoped_lock const lock(impl_->store_mutex);
    HEADRACE_TRY_VOID(
        impl_->store.put_token(revoked, impl_->audit(actor, "token.revoke", token_id)));
  }
  {
    std::unique_lock const lock(impl_->mutex);
    impl_->by_id.find(token_id)->second->stored.token.revoked = true;
  }
  impl_->generation.fetch_add(1, std::memory_order_acq_rel);
  return {};
}

// ---- claims

base::Result<void> Identity::claim(Principal const& principal, std::string_view source) {
  if (principal.local || impl_->options.claim_mode == ClaimMode::kAny) return {};
  auto const& who = principal.id.text();
  auto const decide = [&](HeldClaim const& held) -> base::Result<void> {
    if (held.principal == who) return {};
    return Error{ErrorCode::kDenied,
                 fmt::format("source '{}' belongs to another principal", source)};
  };
  {
    std::shared_lock const lock(impl_->mutex);
    if (auto const it = impl_->claims.find(source); it != impl_->claims.end())
      return decide(it->second);
    if (impl_->options.claim_mode == ClaimMode::kListed)
      return Error{ErrorCode::kDenied,
                   fmt::format("source '{}' is not listed for principal '{}'", source, who)};
  }
  auto const now = impl_->clock.now();
  {
    std::unique_lock const lock(impl_->mutex);
    if (impl_->claims.size() >= impl_->options.claims_max)
      return Error{ErrorCode::kOverloaded,
                   fmt::format("{} sources are claimed, the most supported", impl_->claims.size())};
    // The principal may have been removed since it was verified: it must not leave a claim behind.
    if (!impl_->users.contains(who))
      return Error{ErrorCode::kDenied, fmt::format("no user '{}'", who)};
    auto const [it, is_new] = impl_->claims.try_emplace(std::string(source), HeldClaim{who, now});
    if (!is_new) return decide(it->second);
  }
  std::scoped_lock const lock(impl_->pending_mutex);
  impl_->pending.push_back({std::string(source), who, now});
  impl_->pending_changed.notify_one();
  return {};
}

void Identity::Impl::claim_loop() {
  std::unique_lock lock(pending_mutex);
  for (;;) {
    pending_changed.wait(lock, [&] { return closing || !pending.empty(); });
    if (!closing) pending_changed.wait_for(lock, options.claim_delay, [&] { return closing; });
    auto claims_now = std::exchange(pending, {});
    bool const last = closing;
    lock.unlock();
    if (!claims_now.empty()) write_claims(std::move(claims_now));
    lock.lock();
    if (last && pending.empty()) return;
  }
}

void Identity::Impl::write_claims(std::vector<Claim> claims_now) {
  std::scoped_lock const lock(store_mutex);
  {
    // What was released or removed since must not come back with the file.
    std::shared_lock const map_lock(mutex);
    std::erase_if(claims_now, [&](Claim const& claim) {
      auto const it = claims.find(claim.source);
      return it == claims.end() || it->second.principal != claim.principal;
    });
  }
  if (auto const written = store.put_claims(claims_now); !written)
    base::log_error("claims of sources were not written; they hold until this process ends",
                    {{"count", claims_now.size()}, {"error", base::to_string(written.error())}});
}

base::Result<void> Identity::assign_claim(std::string_view actor, std::string_view source,
                                          std::string_view user) {
  HEADRACE_TRY_VOID(model::check_source(source, impl_->options.limits));
  std::scoped_lock const change(impl_->change_mutex);
  HEADRACE_TRY_VOID(impl_->user_copy(user));
  Claim const claim{std::string(source), std::string(user), impl_->clock.now()};
  {
    std::scoped_lock const lock(impl_->store_mutex);
    HEADRACE_TRY_VOID(impl_->store.put_claim(claim, impl_->audit(actor, "claim.assign", source)));
    std::unique_lock const map_lock(impl_->mutex);
    impl_->claims[claim.source] = {claim.principal, claim.since};
  }
  impl_->generation.fetch_add(1, std::memory_order_acq_rel);
  return {};
}

base::Result<void> Identity::release_claim(std::string_view actor, std::string_view source) {
  std::scoped_lock const change(impl_->change_mutex);
  {
    std::shared_lock const lock(impl_->mutex);
    if (!impl_->claims.contains(source)) return not_found("claim of source", source);
  }
  {
    std::scoped_lock const lock(impl_->store_mutex);
    HEADRACE_TRY_VOID(
        impl_->store.remove_claim(source, impl_->audit(actor, "claim.release", source)));
    std::unique_lock const map_lock(impl_->mutex);
    if (auto const it = impl_->claims.find(source); it != impl_->claims.end())
      impl_->claims.erase(it);
  }
  impl_->generation.fetch_add(1, std::memory_order_acq_rel);
  return {};
}

bool Identity::owns(std::string_view user, std::string_view source) const {
  std::shared_lock const lock(impl_->mutex);
  auto const it = impl_->claims.find(source);
  return it != impl_->claims.end() && it->second.principal == user;
}

std::vector<Claim> Identity::claims(std::string_view user, std::size_t count_max) const {
  std::vector<Claim> found;
  {
    std::shared_lock const lock(impl_->mutex);
    for (auto const& [source, held] : impl_->claims)
      if (user.empty() || held.principal == user)
        found.push_back({source, held.principal, held.since});
  }
  std::sort(found.begin(), found.end(),
            [](Claim const& a, Claim const& b) { return a.source < b.source; });
  if (found.size() > count_max) found.resize(count_max);
  return found;
}

}  // namespace headrace::identity
