// SPDX-License-Identifier: Apache-2.0
// SocketAddress: an IPv4 or IPv6 address with a port, as a 20-byte value.
//   Threads: a value.   Errors: invalid_argument names the text.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/error.h"

namespace headrace::net {

struct SocketAddress {
  // IPv4 is kept as ::ffff:a.b.c.d, so that one host has one form.
  std::array<std::uint8_t, 16> ip{};
  std::uint16_t port = 0;
  bool v6 = false;  // the form to print and to bind with

  bool operator==(SocketAddress const&) const = default;
  bool is_loopback() const;  // 127.0.0.0/8, ::1, ::ffff:127.0.0.0/104
  bool is_any() const;       // 0.0.0.0 or ::
};

// "127.0.0.1", "::1": without port. to_string_with_port: "127.0.0.1:80", "[::1]:80".
std::string to_string(SocketAddress const& address);
std::string to_string_with_port(SocketAddress const& address);
// A literal address ("127.0.0.1", "::1", "[::1]", "localhost" = 127.0.0.1); no name service is
// asked.
base::Result<SocketAddress> parse_address(std::string_view text, std::uint16_t port);
// "127.0.0.1:8080", "[::1]:8080", "localhost:8080", ":8080" (= 0.0.0.0).
base::Result<SocketAddress> parse_listen_address(std::string_view text);

}  // namespace headrace::net
