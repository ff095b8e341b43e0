// SPDX-License-Identifier: Apache-2.0
#include "net/address.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "net/impl/socket.h"

namespace headrace::net {

namespace {

constexpr std::array<std::uint8_t, 12> kMappedPrefix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

bool mapped_v4(SocketAddress const& a) {
  return std::equal(kMappedPrefix.begin(), kMappedPrefix.end(), a.ip.begin());
}

}  // namespace

bool SocketAddress::is_loopback() const {
  if (mapped_v4(*this)) return ip[12] == 127;
  return std::all_of(ip.begin(), ip.end() - 1, [](auto b) { return b == 0; }) && ip[15] == 1;
}

bool SocketAddress::is_any() const {
  auto const zero = [](auto b) { return b == 0; };
  if (mapped_v4(*this)) return std::all_of(ip.begin() + 12, ip.end(), zero);
  return std::all_of(ip.begin(), ip.end(), zero);
}

std::string to_string(SocketAddress const& address) {
  char text[INET6_ADDRSTRLEN] = "";
  if (mapped_v4(address)) {
    inet_ntop(AF_INET, address.ip.data() + 12, text, sizeof text);
  } else {
    inet_ntop(AF_INET6, address.ip.data(), text, sizeof text);
  }
  return text;
}

std::string to_string_with_port(SocketAddress const& address) {
  return mapped_v4(address) ? fmt::format("{}:{}", to_string(address), address.port)
                            : fmt::format("[{}]:{}", to_string(address), address.port);
}

base::Result<SocketAddress> parse_address(std::string_view text, std::uint16_t port) {
  std::string literal(text);
  if (literal == "localhost") literal = "127.0.0.1";
  if (literal.size() > 2 && literal.front() == '[' && literal.back() == ']') {
    literal = literal.substr(1, literal.size() - 2);
  }
  SocketAddress address;
  address.port = port;
  if (inet_pton(AF_INET, literal.c_str(), address.ip.data() + 12) == 1) {
    std::copy(kMappedPrefix.begin(), kMappedPrefix.end(), address.ip.begin());
    return address;
  }
  address.v6 = true;
  if (inet_pton(AF_INET6, literal.c_str(), address.ip.data()) == 1) return address;
  return base::Error{base::ErrorCode::kInvalidArgument,
                     fmt::format("'{}' is no address; expected an IPv4 or IPv6 literal such as "
                                 "127.0.0.1, 0.0.0.0 or ::1, or localhost",
                                 text)};
}

base::Result<SocketAddress> parse_listen_address(std::string_view text) {
  auto const colon = text.rfind(':');
  unsigned port = 0;
  auto const digits = colon == text.npos ? std::string_view() : text.substr(colon + 1);
  auto const [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (digits.empty() || error != std::errc() || end != digits.data() + digits.size() ||
      port > 65535) {
    return base::Error{base::ErrorCode::kInvalidArgument,
                       fmt::format("'{}' has no port; expected ADDRESS:PORT such as "
                                   "127.0.0.1:8080 or [::1]:8080",
                                   text)};
  }
  auto host = text.substr(0, colon);
  if (host.find(':') != host.npos && host.front() != '[') {
    return base::Error{base::ErrorCode::kInvalidArgument,
                       fmt::format("'{}': an IPv6 address needs brackets: [::1]:8080", text)};
  }
  return parse_address(host.empty() ? "0.0.0.0" : host, static_cast<std::uint16_t>(port));
}

}  // namespace headrace::net
