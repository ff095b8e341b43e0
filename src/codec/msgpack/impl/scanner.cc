// SPDX-License-Identifier: Apache-2.0
#include "codec/msgpack/impl/scanner.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/utf8.h"

namespace headrace::codec::msgpack::impl {
namespace {

constexpr std::size_t kFirstNodes = 256;

std::uint64_t big_endian(std::byte const* at, std::size_t size) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < size; ++i) value = value << 8 | static_cast<std::uint8_t>(at[i]);
  return value;
}

bool has_high_bytes(base::Bytes bytes) {
  constexpr std::uint64_t kHigh = 0x8080808080808080ull;
  std::byte const* const at = bytes.data();
  std::size_t const size = bytes.size();
  if (size >= 8) {
    std::uint64_t all = base::load<std::uint64_t>(at + size - 8);  // overlaps what is read below
    for (std::size_t i = 0; i + 8 < size; i += 8) all |= base::load<std::uint64_t>(at + i);
    return (all & kHigh) != 0;
  }
  if (size >= 4)
    return ((base::load<std::uint32_t>(at) | base::load<std::uint32_t>(at + size - 4)) & kHigh) !=
           0;
  if (size == 0) return false;
  return ((at[0] | at[size / 2] | at[size - 1]) & std::byte{0x80}) != std::byte{0};
}

}  // namespace

Scanner::Scanner(tape::Tape& tape, tape::ParseOptions const& options)
    : tape_(tape),
      bytes_(tape.bytes),
      nodes_(tape.nodes.data()),
      capacity_(tape.nodes.size()),
      recorded_depth_(options.recorded_depth),
      nesting_max_(std::min(options.nesting_max, tape::kNestingCap)),
      values_max_(std::min<std::size_t>(options.values_max, UINT32_MAX - 1)) {}

bool Scanner::run() {
  if (bytes_.size() >= UINT32_MAX)
    return fail(0, "expected less than 4 GB", base::ErrorCode::kTooLarge);
  do {
    if (depth_ > 0) --levels_[depth_ - 1].remaining;
    if (!value()) return false;
    while (depth_ > 0 && levels_[depth_ - 1].remaining == 0) close();
  } while (depth_ > 0);
  if (at_ != bytes_.size())
    return fail(at_,
                fmt::format("{} bytes after the value, expected the end", bytes_.size() - at_));
  return true;
}

inline bool Scanner::scalar(Kind kind, std::size_t bytes) {
  return room(1, bytes - 1, "a number") && record(kind, at_ + bytes);
}

inline bool Scanner::text(std::size_t header, std::uint64_t size) {
  if (!room(header, size, "a string")) return false;
  base::Bytes const characters = bytes_.subspan(at_ + header, size);
  if (has_high_bytes(characters) && !base::valid_utf8(base::as_text(characters))) {
    std::size_t const bad = base::find_invalid_utf8(base::as_text(characters)).value_or(0);
    return fail(at_ + header + bad,
                fmt::format("found byte 0x{:02x} in a string, expected valid UTF-8",
                            static_cast<unsigned>(characters[bad])));
  }
  return record(Kind::kString, at_ + header + size);
}

bool Scanner::value() {
  if (at_ >= bytes_.size()) return fail(at_, "found the end, expected a value");
  unsigned const f = static_cast<std::uint8_t>(bytes_[at_]);
  if (f <= 0x7F || f >= 0xE0) return scalar(Kind::kInt64, 1);
  if (f <= 0x8F) return container(Kind::kObject, 1, f & 0x0F);
  if (f <= 0x9F) return container(Kind::kArray, 1, f & 0x0F);
  if (f <= 0xBF) return text(1, f & 0x1F);
  std::uint64_t size = 0;
  switch (f) {
    case 0xC0: return scalar(Kind::kNull, 1);
    case 0xC2: return scalar(Kind::kFalse, 1);
    case 0xC3: return scalar(Kind::kTrue, 1);
    case 0xC4:
    case 0xC5:
    case 0xC6: {  // bin8, 16, 32
      std::size_t const bytes = std::size_t{1} << (f - 0xC4);
      return length(bytes, size) && binary(1 + bytes, size);
    }
    case 0xC7:
    case 0xC8:
    case 0xC9: {  // ext8, 16, 32
      std::size_t const bytes = std::size_t{1} << (f - 0xC7);
      return length(bytes, size) && extension(2 + bytes, size);
    }
    case 0xCA: return scalar(Kind::kDouble, 5);
    case 0xCB: return scalar(Kind::kDouble, 9);
    case 0xCC:
    case 0xCD:
    case 0xCE:
    case 0xCF: {  // uint8..64
      bool const large = f == 0xCF && bytes_.size() - at_ > 1 &&
                         (bytes_[at_ + 1] & std::byte{0x80}) != std::byte{0};
      return scalar(large ? Kind::kUint64 : Kind::kInt64, 1 + (std::size_t{1} << (f - 0xCC)));
    }
    case 0xD0:
    case 0xD1:
    case 0xD2:
    case 0xD3: return scalar(Kind::kInt64, 1 + (std::size_t{1} << (f - 0xD0)));
    case 0xD4:
    case 0xD5:
    case 0xD6:
    case 0xD7:
    case 0xD8: return extension(2, std::uint64_t{1} << (f - 0xD4));
    case 0xD9:
    case 0xDA:
    case 0xDB: {  // str8, 16, 32
      std::size_t const bytes = std::size_t{1} << (f - 0xD9);
      return length(bytes, size) && text(1 + bytes, size);
    }
    case 0xDC:
    case 0xDD: {  // array16, 32
      std::size_t const bytes = f == 0xDC ? 2 : 4;
      return length(bytes, size) && container(Kind::kArray, 1 + bytes, size);
    }
    case 0xDE:
    case 0xDF: {  // map16, 32
      std::size_t const bytes = f == 0xDE ? 2 : 4;
      return length(bytes, size) && container(Kind::kObject, 1 + bytes, size);
    }
    default: return fail(at_, "found byte 0xc1, which MessagePack never uses, expected a value");
  }
}

bool Scanner::length(std::size_t bytes, std::uint64_t& size) {
  if (!room(1, bytes, "a length")) return false;
  size = big_endian(bytes_.data() + at_ + 1, bytes);
  return true;
}

bool Scanner::ends_early(std::size_t header, std::uint64_t size, char const* what) {
  return fail(
      at_, fmt::format("found the end after {} bytes, expected {} of {} bytes after a header of {}",
                       bytes_.size() - at_, what, size, header));
}

bool Scanner::binary(std::size_t header, std::uint64_t size) {
  return room(header, size, "binary") && record(Kind::kBinary, at_ + header + size);
}

bool Scanner::extension(std::size_t header, std::uint64_t size) {
  if (!room(header, size, "an extension")) return false;
  if (bytes_[at_ + header - 1] == std::byte{0xFF} && !timestamp(header, size)) return false;
  return record(Kind::kExtension, at_ + header + size);
}

bool Scanner::timestamp(std::size_t header, std::uint64_t size) {
  std::byte const* const data = bytes_.data() + at_ + header;
  if (size != 4 && size != 8 && size != 12)
    return fail(at_, fmt::format("found a timestamp of {} bytes, expected 4, 8 or 12", size));
  std::uint64_t const ns = size == 4   ? 0
                           : size == 8 ? big_endian(data, 8) >> 34
                                       : big_endian(data, 4);
  if (ns > 999'999'999)
    return fail(at_, fmt::format("found a timestamp with {} ns, expected at most 999999999", ns));
  return true;
}

bool Scanner::container(Kind kind, std::size_t header, std::uint64_t count) {
  if (depth_ == nesting_max_)
    return fail(at_,
                fmt::format("found level {} of arrays and maps, expected at most {}", depth_ + 1,
                            nesting_max_),
                base::ErrorCode::kTooLarge);
  std::uint64_t const values = kind == Kind::kObject ? 2 * count : count;
  std::size_t const left = bytes_.size() - at_ - header;  // length() has checked the header
  if (values > left)
    return fail(
        at_, fmt::format("found {} bytes left, expected {} values of at least one byte each", left,
                         values));
  std::uint32_t const node = depth_ <= recorded_depth_ ? count_ : kNoNode;
  std::size_t const begin = at_;
  if (!record(kind, begin + header)) return false;
  levels_[depth_++] = {values, node, 0};
  return true;
}

void Scanner::close() {
  Level const level = levels_[--depth_];
  std::uint16_t const nesting = static_cast<std::uint16_t>(level.nesting + 1);
  if (depth_ > 0) levels_[depth_ - 1].nesting = std::max(levels_[depth_ - 1].nesting, nesting);
  if (level.node == kNoNode) return;
  tape::Node& node = nodes_[level.node];
  node.end = static_cast<std::uint32_t>(at_);
  node.next = count_;
  node.nesting = nesting;
}

bool Scanner::grow(std::size_t begin) {
  if (count_ >= values_max_)
    return fail(begin, fmt::format("found value {}, expected at most {}", count_ + 1, values_max_),
                base::ErrorCode::kTooLarge);
  tape_.nodes.resize(std::min(std::max(kFirstNodes, tape_.nodes.size() * 2), values_max_));
  nodes_ = tape_.nodes.data();
  capacity_ = tape_.nodes.size();
  return true;
}

bool Scanner::fail(std::size_t at, std::string what, base::ErrorCode code) {
  fault_ = {code, fmt::format("MessagePack, byte {}: {}", at, what)};
  return false;
}

}  // namespace headrace::codec::msgpack::impl
