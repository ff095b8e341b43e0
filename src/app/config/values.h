// SPDX-License-Identifier: Apache-2.0
// The texts of values: sizes, durations, addresses, ${NAME}. Threads: pure (expand reads the
// environment).
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "app/config/keys.h"
#include "base/error.h"

namespace headrace::app {

// "512", "64KiB", "8MB", "1GiB": whole numbers of bytes. KB, MB, GB, TB are powers of 1000, KiB ...
// of 1024.
base::Result<std::uint64_t> parse_size(std::string_view text);
// "250us", "7s", "30d".
base::Result<std::chrono::nanoseconds> parse_time_span(std::string_view text);
base::Result<std::int64_t> parse_integer(std::string_view text);
base::Result<bool> parse_bool(std::string_view text);

// "127.0.0.1:8080", "[::1]:0", "localhost:80".
struct ListenAddress {
  std::string host;  // without brackets
  std::uint16_t port = 0;
  bool operator==(ListenAddress const&) const = default;
};
base::Result<ListenAddress> parse_listen(std::string_view text);
std::string to_string(ListenAddress const& address);
bool is_loopback(std::string_view host);
// Whether both cannot be bound at the same time. Port 0 never clashes.
bool clashes(ListenAddress const& a, ListenAddress const& b);

// Replaces ${NAME} by the environment's value; "$${" stands for "${". not_found: names the variable
// that is not set.
base::Result<std::string> expand(std::string_view text);

// Type and bounds of one value. The error says what was expected: "expected duration (250ms, 7s,
// 30d), 1s..10m".
base::Result<void> check_value(Key const& key, std::string_view text);

}  // namespace headrace::app
