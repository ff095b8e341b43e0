// SPDX-License-Identifier: Apache-2.0
#include "identity/authenticator.h"

#include <array>
#include <mutex>
#include <unordered_map>

#include "base/error_map.h"

namespace headrace::identity {

using base::Error;
using base::ErrorCode;

namespace {

constexpr auto kWindow = std::chrono::minutes(1);

// What failures are counted by: an IPv4 address, or the 64 bits that an IPv6 customer has at least.
std::uint64_t peer_key(net::SocketAddress const& peer) {
  std::uint64_t high, low;
  std::memcpy(&high, peer.ip.data(), 8);
  std::memcpy(&low, peer.ip.data() + 8, 8);
  static constexpr std::array<std::uint8_t, 12> kMapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  bool const v4 = std::memcmp(peer.ip.data(), kMapped.data(), kMapped.size()) == 0;
  return v4 ? low : high;
}

}  // namespace

// Failures per peer in windows of a minute.
class Authenticator::Throttle {
 public:
  Throttle(std::uint32_t failures_max, std::size_t peers_max)
      : failures_max_(failures_max), peers_max_(peers_max) {}

  // Counts one more failure; true: too many.
  bool failed(net::SocketAddress const& peer, std::chrono::steady_clock::time_point now) {
    std::scoped_lock const lock(mutex_);
    auto it = peers_.find(peer_key(peer));
    if (it == peers_.end()) {
      make_room(now);
      it = peers_.emplace(peer_key(peer), Failures{now, 0}).first;
    }
    auto& failures = it->second;
    if (now - failures.since >= kWindow) failures = {now, 0};
    if (failures.count < failures_max_) {
      ++failures.count;
      return false;
    }
    return true;
  }

 private:
  struct Failures {
    std::chrono::steady_clock::time_point since;
    std::uint32_t count = 0;
  };
  void make_room(std::chrono::steady_clock::time_point now) {
    if (peers_.size() < peers_max_) return;
    std::erase_if(peers_, [&](auto const& entry) { return now - entry.second.since >= kWindow; });
    if (peers_.size() >= peers_max_) peers_.erase(peers_.begin());
  }

  std::uint32_t const failures_max_;
  std::size_t const peers_max_;
  std::mutex mutex_;
  std::unordered_map<std::uint64_t, Failures> peers_;
};

Authenticator::Authenticator(Identity& identity, base::Clock& clock, AuthenticatorOptions options)
    : identity_(identity),
      clock_(clock),
      options_(std::move(options)),
      throttle_(std::make_unique<Throttle>(options_.failures_per_minute_max, options_.peers_max)) {}
Authenticator::~Authenticator() = default;

base::Result<PrincipalPtr> Authenticator::check_role(PrincipalPtr principal, Need need) const {
  if (allows(principal->role, need)) return principal;
  static constexpr std::string_view kWhat[] = {"report messages", "read", "administer"};
  return Error{ErrorCode::kDenied,
               fmt::format("principal '{}' with role '{}' may not {}", principal->id.text(),
                           name(principal->role), kWhat[static_cast<std::size_t>(need)])};
}

base::Result<PrincipalPtr> Authenticator::authenticate_token(net::SocketAddress const& peer,
                                                             Need need, std::string_view token) {
  if (token.empty() && !identity_.has_users()) {
    if (peer.is_loopback()) return check_role(identity_.local_principal(), need);
    return Error{ErrorCode::kUnauthenticated,
                 "without configured users only this machine is served"};
  }
  if (token.empty())
    return Error{ErrorCode::kUnauthenticated,
                 "a token is required: 'Authorization: Bearer <token>'"};
  auto verified = identity_.verify(token);
  if (verified) return check_role(std::move(*verified), need);
  if (throttle_->failed(peer, clock_.steady()))
    return Error{ErrorCode::kOverloaded, "too many failed tokens from this address; wait a minute"};
  return verified;
}

base::Result<PrincipalPtr> Authenticator::authenticate(net::RequestHead const& head, Need need,
                                                       std::string_view token) {
  auto const header = head.header("authorization");
  if (header && !head.bearer_token())
    return Error{ErrorCode::kUnauthenticated, "Authorization must be 'Bearer <token>'"};
  auto const sent = head.bearer_token().value_or(token);
  if (sent.empty() && !identity_.has_users()) {
    if (auto const refused = net::check_origin(head, options_.origin_policy))
      return Error{ErrorCode::kDenied,
                   fmt::format("Host '{}' or Origin '{}' is not one of this server",
                               head.header_or("host", ""), head.header_or("origin", ""))};
  }
  return authenticate_token(head.peer, need, sent);
}

net::Admission Authenticator::admit(net::RequestHead const& head) {
  auto const who = authenticate(head, need_of(head));
  if (who) return net::Admission::allowed();
  return net::Admission::refused(refusal(who.error()));
}

net::Response refusal(Error const& error) {
  if (error.code == ErrorCode::kOverloaded) {
    auto response = net::error_response(429, base::name(error.code), error.context);
    response.headers.emplace_back("Retry-After", "60");
    return response;
  }
  auto response =
      net::error_response(base::http_status(error.code), base::name(error.code), error.context);
  if (error.code == ErrorCode::kUnauthenticated)
    response.headers.emplace_back("WWW-Authenticate", "Bearer");
  return response;
}

Need need_of(net::RequestHead const& head) {
  constexpr std::string_view kUsers = "/api/v1/users";
  bool const reads = head.method == net::Method::kGet || head.method == net::Method::kHead;
  if (head.path.starts_with(kUsers) || head.path == "/api/v1/audit") return Need::kAdmin;
  if (head.method == net::Method::kPost && head.path == "/api/v1/messages") return Need::kReport;
  return reads || head.method == net::Method::kOptions ? Need::kRead : Need::kAdmin;
}

}  // namespace headrace::identity
