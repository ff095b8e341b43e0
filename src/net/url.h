// SPDX-License-Identifier: Apache-2.0
// Url: scheme, host, port, target of http, https, ws and wss.   Threads: pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"

namespace headrace::net {

struct Url {
  bool tls = false;
  std::string host;  // without brackets
  std::uint16_t port = 0;
  std::string target = "/";  // path and query

  std::string host_header() const;  // with brackets and, when not the scheme's own, the port
};

// "http://localhost:8080/x?y", "wss://h/agent". A fragment or user info is refused.
base::Result<Url> parse_url(std::string_view text);

}  // namespace headrace::net
