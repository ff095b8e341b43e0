// SPDX-License-Identifier: Apache-2.0
// Keeps web pages of other sites from posting to a server on loopback that asks for no credentials:
// Host must be one of ours (DNS rebinding), and Origin, when a browser sends it, must be too.
// Threads: pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "net/http_types.h"

namespace headrace::net {

struct OriginPolicy {
  // Beside localhost, 127.0.0.1 and [::1]: names without port ("metrics.example"), any port is
  // accepted.
  std::vector<std::string> host_names = {};
  // Whole origins that may call from elsewhere: "https://dash.example".
  std::vector<std::string> origins = {};
};

// nullopt: go on. Otherwise 421 (Host) or 403 (Origin) with what was expected. "null" and
// unparsable origins are refused.
std::optional<Response> check_origin(RequestHead const& head, OriginPolicy const& policy);

}  // namespace headrace::net
