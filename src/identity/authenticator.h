// SPDX-License-Identifier: Apache-2.0
// Authenticator: decides for one request who asks and whether they may.
//   No users configured: a peer on loopback is the local principal, provided that Host names this
//   machine and Origin, when there is one, is the page's own (net/origin_check.h); else any web
//   page could post here. Other peers are refused. Users configured: a Bearer token is required
//   from everyone. A browser never sends one on its own, so Host and Origin need no check then.
//   Failed tokens are counted per peer address (IPv6: per /64); past the bound the answer is
//   overloaded with a time to wait. A good token is always taken.
//   Threads: any.   Cost: one BLAKE2b of the token, one look-up.
#pragma once

#include <memory>
#include <string_view>

#include "identity/identity.h"
#include "net/http_server.h"
#include "net/http_types.h"
#include "net/origin_check.h"

namespace headrace::identity {

struct AuthenticatorOptions {
  net::OriginPolicy origin_policy{};
  std::uint32_t failures_per_minute_max = 30;
  std::size_t peers_max = 10'000;  // of whom failures are remembered; the oldest go first
};

class Authenticator {
 public:
  // `identity` and `clock` outlive it.
  Authenticator(Identity& identity, base::Clock& clock, AuthenticatorOptions options);
  ~Authenticator();

  // `token` is used when there is no Authorization header (hello frame, query parameter of a feed).
  // unauthenticated, denied (role, Host, Origin), overloaded (too many failures): answer with
  // refusal().
  base::Result<PrincipalPtr> authenticate(net::RequestHead const& head, Need need,
                                          std::string_view token = {});
  // The same for a token that comes after the request (a hello).
  base::Result<PrincipalPtr> authenticate_token(net::SocketAddress const& peer, Need need,
                                                std::string_view token);
  // For HttpServerOptions::authorize: authenticates for need_of(head).
  net::Admission admit(net::RequestHead const& head);

  // Whether any credentials are asked for: what a server on other than loopback must have.
  bool credentials_required() const { return identity_.has_users(); }
  Identity& identity() { return identity_; }

 private:
  class Throttle;
  base::Result<PrincipalPtr> check_role(PrincipalPtr principal, Need need) const;

  Identity& identity_;
  base::Clock& clock_;
  AuthenticatorOptions options_;
  std::unique_ptr<Throttle> throttle_;
};

// 401 with WWW-Authenticate, 403, 429 with Retry-After.
net::Response refusal(base::Error const& error);
// What a request of the public API wants: reporting is POST /api/v1/messages; users and everything
// that changes something is for administrators; the rest is reading.
Need need_of(net::RequestHead const& head);

}  // namespace headrace::identity
