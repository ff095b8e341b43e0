// SPDX-License-Identifier: Apache-2.0
// Uuid: 128 bits, RFC 9562. Threads: a value; the makers may be called from any thread.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace headrace::base {

struct Uuid {
  std::array<std::uint8_t, 16> bytes{};

  auto operator<=>(Uuid const&) const = default;
};

std::string to_string(Uuid const& uuid);  // 8-4-4-4-12, lower case
// 8-4-4-4-12 or 32 hexadecimal digits, any case.
std::optional<Uuid> parse_uuid(std::string_view text);
// Version 5 (SHA-1 of namespace and name).
Uuid uuid5(Uuid const& name_space, std::string_view name);
// Version 4 (random) and version 7 (ordered by time; strictly increasing within a thread).
Uuid uuid4();
Uuid uuid7(Timestamp now);

// Fills with bytes from the operating system's generator; never fails.
void random_bytes(std::span<std::byte> out);

}  // namespace headrace::base

template <>
struct std::hash<headrace::base::Uuid> {
  std::size_t operator()(headrace::base::Uuid const& u) const noexcept;
};
