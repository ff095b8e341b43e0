// SPDX-License-Identifier: Apache-2.0
#include "base/uuid.h"

#include <openssl/sha.h>
#include <sys/random.h>

#include <cerrno>

#include "base/assert.h"
#include "base/bytes.h"

namespace headrace::base {
namespace {

constexpr char kHex[] = "0123456789abcdef";

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool dash_before(std::size_t byte) { return byte == 4 || byte == 6 || byte == 8 || byte == 10; }

void set_version(Uuid& uuid, unsigned version) {
  uuid.bytes[6] = static_cast<std::uint8_t>((uuid.bytes[6] & 0x0F) | version << 4);
  uuid.bytes[8] = static_cast<std::uint8_t>((uuid.bytes[8] & 0x3F) | 0x80);
}

// A thread's store of random bytes, so that an id costs no system call.
void take_random(std::span<std::uint8_t> out) {
  thread_local std::array<std::byte, 512> pool;
  thread_local std::size_t used = sizeof pool;
  if (pool.size() - used < out.size()) {
    random_bytes(pool);
    used = 0;
  }
  std::memcpy(out.data(), pool.data() + used, out.size());
  used += out.size();
}

}  // namespace

std::string to_string(Uuid const& uuid) {
  std::string text;
  text.reserve(36);
  for (std::size_t i = 0; i < 16; ++i) {
    if (dash_before(i)) text += '-';
    text += kHex[uuid.bytes[i] >> 4];
    text += kHex[uuid.bytes[i] & 15];
  }
  return text;
}

std::optional<Uuid> parse_uuid(std::string_view text) {
  if (text.size() != 36 && text.size() != 32) return std::nullopt;
  bool const dashes = text.size() == 36;
  Uuid uuid;
  std::size_t at = 0;
  for (std::size_t i = 0; i < 16; ++i) {
    if (dashes && dash_before(i) && text[at++] != '-') return std::nullopt;
    int const high = hex_value(text[at]), low = hex_value(text[at + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    uuid.bytes[i] = static_cast<std::uint8_t>(high << 4 | low);
    at += 2;
  }
  return uuid;
}

Uuid uuid5(Uuid const& name_space, std::string_view name) {
  std::string input(reinterpret_cast<char const*>(name_space.bytes.data()), 16);
  input += name;
  unsigned char digest[SHA_DIGEST_LENGTH];
  SHA1(reinterpret_cast<unsigned char const*>(input.data()), input.size(), digest);
  Uuid uuid;
  std::memcpy(uuid.bytes.data(), digest, 16);
  set_version(uuid, 5);
  return uuid;
}

Uuid uuid4() {
  Uuid uuid;
  take_random(uuid.bytes);
  set_version(uuid, 4);
  return uuid;
}

Uuid uuid7(Timestamp now) {
  // 48 bits of milliseconds, then a 12-bit counter that starts at random below half of its range in
  // each new millisecond and borrows from the next one when it is full: later ids of a thread are
  // larger, also when the clock steps back.
  thread_local std::uint64_t last_ms = 0;
  thread_local unsigned counter = 0;
  Uuid uuid;
  take_random(uuid.bytes);
  std::uint64_t const ms = now.ns > 0 ? static_cast<std::uint64_t>(now.ns) / 1'000'000 : 0;
  if (ms > last_ms) {
    last_ms = ms;
    counter = (unsigned{uuid.bytes[6]} << 8 | uuid.bytes[7]) & 0x7FF;
  } else if (++counter > 0xFFF) {
    ++last_ms;
    counter = 0;
  }
  for (unsigned i = 0; i < 6; ++i)
    uuid.bytes[i] = static_cast<std::uint8_t>(last_ms >> (40 - 8 * i));
  uuid.bytes[6] = static_cast<std::uint8_t>(counter >> 8);
  uuid.bytes[7] = static_cast<std::uint8_t>(counter);
  set_version(uuid, 7);
  return uuid;
}

void random_bytes(std::span<std::byte> out) {
  while (!out.empty()) {
    ssize_t const got = ::getrandom(out.data(), out.size(), 0);
    if (got < 0) {
      HEADRACE_ASSERT(errno == EINTR, "getrandom failed");
      continue;
    }
    out = out.subspan(static_cast<std::size_t>(got));
  }
}

}  // namespace headrace::base

std::size_t std::hash<headrace::base::Uuid>::operator()(
    headrace::base::Uuid const& u) const noexcept {
  // Time-ordered ids share their first bytes: mix both halves.
  std::uint64_t halves[2];
  std::memcpy(halves, u.bytes.data(), sizeof halves);
  std::uint64_t h = halves[0] * 0x9E3779B97F4A7C15ull ^ halves[1];
  h = (h ^ (h >> 32)) * 0xD6E8FEB86659FD93ull;
  return h ^ (h >> 32);
}
