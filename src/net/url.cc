// SPDX-License-Identifier: Apache-2.0
#include "net/url.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace headrace::net {

namespace {

struct Scheme {
  std::string_view prefix;
  bool tls;
  std::uint16_t port;
};
constexpr Scheme kSchemes[] = {
    {"http://", false, 80}, {"https://", true, 443}, {"ws://", false, 80}, {"wss://", true, 443}};

base::Error wrong(std::string_view text, std::string_view why) {
  return {base::ErrorCode::kInvalidArgument, fmt::format("URL '{}': {}", text, why)};
}

// Splits "host:port" or "[v6]:port" into url.host and the text of the port.
std::string_view take_host(std::string_view authority, Url& url) {
  if (authority.starts_with('[')) {
    auto const end = authority.find(']');
    if (end == authority.npos) return "";
    url.host = authority.substr(1, end - 1);
    return authority.substr(end + 1);
  }
  auto const colon = std::min(authority.find(':'), authority.size());
  url.host = authority.substr(0, colon);
  return authority.substr(colon);
}

}  // namespace

std::string Url::host_header() const {
  std::string const shown = host.find(':') == host.npos ? host : "[" + host + "]";
  return port == (tls ? 443 : 80) ? shown : fmt::format("{}:{}", shown, port);
}

base::Result<Url> parse_url(std::string_view text) {
  auto const* const scheme = std::find_if(std::begin(kSchemes), std::end(kSchemes),
                                          [&](auto& s) { return text.starts_with(s.prefix); });
  if (scheme == std::end(kSchemes)) {
    return wrong(text, "expected http://, https://, ws:// or wss://");
  }
  bool const odd = std::any_of(text.begin(), text.end(),
                               [](char c) { return c <= ' ' || c == 0x7f || c == '#'; });
  if (odd) return wrong(text, "blanks, control characters and '#' are not allowed");
  Url url{scheme->tls, "", scheme->port, "/"};
  auto const rest = text.substr(scheme->prefix.size());
  auto const authority_end = std::min(rest.find_first_of("/?"), rest.size());
  auto const authority = rest.substr(0, authority_end);
  if (authority_end < rest.size()) {
    url.target = rest.substr(authority_end);
    if (url.target.front() == '?') url.target.insert(0, 1, '/');
  }
  if (authority.find('@') != authority.npos) return wrong(text, "user information is not allowed");
  auto const port_text = take_host(authority, url);
  if (url.host.empty()) return wrong(text, "the host is missing");
  if (port_text.empty()) return url;
  unsigned port = 0;
  auto const* const end = port_text.data() + port_text.size();
  auto const parsed = std::from_chars(port_text.data() + 1, end, port);
  if (port_text.front() != ':' || parsed.ec != std::errc() || parsed.ptr != end || port == 0 ||
      port > 65535) {
    return wrong(text, "the port must be a number from 1 to 65535");
  }
  url.port = static_cast<std::uint16_t>(port);
  return url;
}

}  // namespace headrace::net
