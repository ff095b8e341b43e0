// SPDX-License-Identifier: Apache-2.0
#include "broker/log/impl/checked_file.h"

#include <fmt/format.h>

#include "base/crc32c.h"

namespace headrace::broker::log {

std::string encode_checked(std::string_view magic, std::uint32_t version,
                           std::string_view payload) {
  ByteWriter out;
  out.raw(magic.data(), 8);
  out.number(version);
  out.number(base::crc32c(base::as_bytes(payload)));
  out.number(static_cast<std::uint64_t>(payload.size()));
  out.raw(payload.data(), payload.size());
  return out.bytes();
}

std::uint64_t checked_bytes(std::string_view bytes, std::string_view magic) {
  if (bytes.size() < kCheckedHeadBytes || bytes.substr(0, 8) != magic) return 0;
  auto const length = base::load<std::uint64_t>(base::as_bytes(bytes).data() + 16);
  return length > (1ull << 40) ? 0 : kCheckedHeadBytes + length;
}

base::Result<std::string_view> decode_checked(std::string_view bytes, std::string_view magic,
                                              std::uint32_t version, std::string_view file) {
  auto const corrupt = [&](std::string text) {
    return base::Error{base::ErrorCode::kCorrupt, fmt::format("{}: {}", file, text)};
  };
  auto const whole = checked_bytes(bytes, magic);
  if (whole == 0) return corrupt(fmt::format("byte 0: expected \"{}\"", magic));
  auto const* head = base::as_bytes(bytes).data();
  if (auto const v = base::load<std::uint32_t>(head + 8); v > version || v == 0) {
    return base::Error{
        base::ErrorCode::kInvalidArgument,
        fmt::format("{}: format {} is newer than this program's {}", file, v, version)};
  }
  if (bytes.size() < whole)
    return corrupt(fmt::format("{} bytes; expected {}", bytes.size(), whole));
  auto const payload = bytes.substr(kCheckedHeadBytes, whole - kCheckedHeadBytes);
  auto const want = base::load<std::uint32_t>(head + 12);
  if (auto const got = base::crc32c(base::as_bytes(payload)); got != want) {
    return corrupt(fmt::format("byte 12: checksum {:08x}; expected {:08x}", got, want));
  }
  return payload;
}

}  // namespace headrace::broker::log
