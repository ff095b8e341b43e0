// SPDX-License-Identifier: Apache-2.0
// Authenticator: decides for one request who asks and whether they may.
//   No users configured: a peer on loopback is the local principal, provided that Host names this machine and Origin, when
//   there is one, is the page's own (else any web page could post here). Other peers are refused.
//   Users configured: a Bearer token is required from everyone. It is never sent by a browser on its own, so Host and Origin
//   need no check then.
//   Failed tokens are counted per peer address (IPv6: per /64); past the bound the answer is overloaded with a time to wait.
//   A good token is always taken.
//   Threads: any. Cost: one BLAKE2b of the token, one look-up.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "identity/identity.h"

namespace headrace::identity {

// What a request says. Views; only read during the call.
struct RequestFacts {
  std::string_view peer;           // address without port: "127.0.0.1", "::1"
  std::string_view authorization;  // the header's value, empty when there is none
  std::string_view token;          // a token that came another way (hello frame, subprotocol); used when no header came
  std::string_view host;
  std::string_view origin;  // empty when there is none
};

struct AuthenticatorOptions {
  std::vector<std::string> allowed_hosts;    // besides localhost, 127.0.0.0/8 and [::1]; without port
  std::vector<std::string> allowed_origins;  // besides the page's own; "https://dash.example"
  std::uint32_t failures_per_minute_max = 30;
  std::size_t peers_max = 10'000;
};

class Authenticator {
 public:
  Authenticator(Identity& identity, base::Clock& clock, AuthenticatorOptions options);
  ~Authenticator();
  // unauthenticated -> 401 with WWW-Authenticate: Bearer; denied -> 403; overloaded -> 429 with Retry-After: 60.
  base::Result<PrincipalPtr> authenticate(RequestFacts const& facts, Need need);
  // Whether any credentials are asked for: what a server on other than loopback must have.
  bool credentials_required() const { return identity_.has_users(); }
  Identity& identity() { return identity_; }

 private:
  struct Throttle;
  Identity& identity_;
  AuthenticatorOptions options_;
  std::unique_ptr<Throttle> throttle_;
};

// Whether text is an address of this machine only: 127.0.0.0/8, ::1, ::ffff:127.0.0.0/104.
bool is_loopback(std::string_view address);

}  // namespace headrace::identity
