// SPDX-License-Identifier: Apache-2.0
// The small files of a log directory: a head of magic, version, length and CRC32C, then numbers
// and texts one after the other.
//   Threads: pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/error.h"

namespace headrace::broker::log {

class ByteWriter {
 public:
  template <class T>
  void number(T value) {
    auto const at = out_.size();
    out_.resize(at + sizeof value);
    base::store(reinterpret_cast<std::byte*>(out_.data()) + at, value);
  }
  void text(std::string_view t) {
    number(static_cast<std::uint32_t>(t.size()));
    out_ += t;
  }
  void raw(void const* data, std::size_t bytes) {
    out_.append(static_cast<char const*>(data), bytes);
  }
  std::string const& bytes() const { return out_; }

 private:
  std::string out_;
};

// Reads what ByteWriter wrote. After the first number that is not there, everything reads as 0 and
// good() is false.
class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : left_(bytes) {}
  template <class T>
  T number() {
    T value{};
    if (left_.size() < sizeof value) {
      good_ = false;
      left_ = {};
      return value;
    }
    std::memcpy(&value, left_.data(), sizeof value);
    left_.remove_prefix(sizeof value);
    return value;
  }
  std::string_view raw(std::size_t bytes) {
    if (left_.size() < bytes) {
      good_ = false;
      return {};
    }
    auto const out = left_.substr(0, bytes);
    left_.remove_prefix(bytes);
    return out;
  }
  std::string_view text() { return raw(number<std::uint32_t>()); }
  // A count of things of at least `each` bytes: refused when they cannot all be there.
  std::size_t count(std::size_t each) {
    auto const n = number<std::uint32_t>();
    if (n > left_.size() / each) {
      good_ = false;
      return 0;
    }
    return n;
  }
  bool good() const { return good_; }
  bool at_end() const { return left_.empty(); }

 private:
  std::string_view left_;
  bool good_ = true;
};

inline constexpr std::size_t kCheckedHeadBytes =
    24;  // magic:8 version:u32 crc32c:u32 (of what follows) length:u64

std::string encode_checked(std::string_view magic, std::uint32_t version, std::string_view payload);
// The payload. Bytes after it are left alone.
// corrupt or invalid_argument (newer), with `file`.
base::Result<std::string_view> decode_checked(std::string_view bytes, std::string_view magic,
                                              std::uint32_t version, std::string_view file);
// Head and payload together; 0 when there is no such head.
std::uint64_t checked_bytes(std::string_view bytes, std::string_view magic);

}  // namespace headrace::broker::log
