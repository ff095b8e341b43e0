// SPDX-License-Identifier: Apache-2.0
#include "net/origin_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>

namespace headrace::net {

namespace {

// The name of "name", "name:80", "[::1]:80"; "" when it is none of them.
std::string_view name_of_host(std::string_view host) {
  auto const after_name = host.starts_with('[') ? host.find(']') : host.find(':');
  if (host.starts_with('[')) {
    if (after_name == host.npos) return "";
    auto const rest = host.substr(after_name + 1);
    if (!rest.empty() && rest.front() != ':') return "";
    return host.substr(0, after_name + 1);
  }
  return host.substr(0, std::min(after_name, host.size()));
}

bool our_host(std::string_view host, OriginPolicy const& policy) {
  auto const wanted = name_of_host(host);
  for (std::string_view known : {"localhost", "127.0.0.1", "[::1]"}) {
    if (equals_ignoring_case(wanted, known)) return true;
  }
  return std::any_of(policy.host_names.begin(), policy.host_names.end(),
                     [&](auto const& known) { return equals_ignoring_case(wanted, known); });
}

// An origin is ours when it is allowed by name, or when it is exactly this request's own Host.
bool our_origin(std::string_view origin, std::string_view host, OriginPolicy const& policy) {
  for (auto const& known : policy.origins) {
    if (equals_ignoring_case(origin, known)) return true;
  }
  auto const scheme_end = origin.find("://");
  if (scheme_end == origin.npos) return false;
  return equals_ignoring_case(origin.substr(scheme_end + 3), host);
}

}  // namespace

std::optional<Response> check_origin(RequestHead const& head, OriginPolicy const& policy) {
  auto const host = head.header_or("host", "");
  if (!our_host(host, policy)) {
    return error_response(421, "denied",
                          fmt::format("Host '{}' is not this server; expected localhost, "
                                      "127.0.0.1, [::1] or a configured host name",
                                      host));
  }
  auto const origin = head.header("origin");
  if (origin && !our_origin(*origin, host, policy)) {
    return error_response(403, "denied",
                          fmt::format("Origin '{}' may not call this server; expected http://{} "
                                      "or a configured origin",
                                      *origin, host));
  }
  return std::nullopt;
}

}  // namespace headrace::net
