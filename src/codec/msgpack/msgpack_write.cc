// SPDX-License-Identifier: Apache-2.0
#include "codec/msgpack/msgpack_write.h"

#include <bit>

#include "base/assert.h"

namespace headrace::codec::msgpack {
namespace {

void append(std::string& out, unsigned format, std::uint64_t value, unsigned bytes) {
  out += static_cast<char>(format);
  for (unsigned shift = 8 * bytes; shift > 0; shift -= 8)
    out += static_cast<char>(value >> (shift - 8));
}

// `formats`: of 8, 16 and 32 bits of length; 0 when there is none.
struct Formats {
  unsigned bits8, bits16, bits32;
};

void append_length(std::string& out, Formats formats, std::size_t size) {
  HEADRACE_ASSERT(size <= UINT32_MAX, "MessagePack has no lengths beyond 32 bits");
  if (formats.bits8 != 0 && size <= 0xFF)
    append(out, formats.bits8, size, 1);
  else if (size <= 0xFFFF)
    append(out, formats.bits16, size, 2);
  else
    append(out, formats.bits32, size, 4);
}

constexpr std::int64_t kNsPerSecond = 1'000'000'000;

}  // namespace

MsgpackWriter& MsgpackWriter::map(std::uint32_t members) {
  if (members <= 15)
    out_ += static_cast<char>(0x80 | members);
  else
    append_length(out_, {0, 0xDE, 0xDF}, members);
  return *this;
}

MsgpackWriter& MsgpackWriter::array(std::uint32_t elements) {
  if (elements <= 15)
    out_ += static_cast<char>(0x90 | elements);
  else
    append_length(out_, {0, 0xDC, 0xDD}, elements);
  return *this;
}

MsgpackWriter& MsgpackWriter::nil() {
  out_ += '\xc0';
  return *this;
}

MsgpackWriter& MsgpackWriter::value(std::string_view text) {
  if (text.size() <= 31)
    out_ += static_cast<char>(0xA0 | text.size());
  else
    append_length(out_, {0xD9, 0xDA, 0xDB}, text.size());
  out_ += text;
  return *this;
}

MsgpackWriter& MsgpackWriter::value(double number) {
  append(out_, 0xCB, std::bit_cast<std::uint64_t>(number), 8);
  return *this;
}

MsgpackWriter& MsgpackWriter::signed_integer(std::int64_t value) {
  if (value >= 0) return unsigned_integer(static_cast<std::uint64_t>(value));
  auto const bits = static_cast<std::uint64_t>(value);
  if (value >= -32)
    out_ += static_cast<char>(value);
  else if (value >= INT8_MIN)
    append(out_, 0xD0, bits, 1);
  else if (value >= INT16_MIN)
    append(out_, 0xD1, bits, 2);
  else if (value >= INT32_MIN)
    append(out_, 0xD2, bits, 4);
  else
    append(out_, 0xD3, bits, 8);
  return *this;
}

MsgpackWriter& MsgpackWriter::unsigned_integer(std::uint64_t value) {
  if (value <= 0x7F)
    out_ += static_cast<char>(value);
  else if (value <= 0xFF)
    append(out_, 0xCC, value, 1);
  else if (value <= 0xFFFF)
    append(out_, 0xCD, value, 2);
  else if (value <= 0xFFFFFFFF)
    append(out_, 0xCE, value, 4);
  else
    append(out_, 0xCF, value, 8);
  return *this;
}

MsgpackWriter& MsgpackWriter::value(base::Timestamp time) {
  std::int64_t seconds = time.ns / kNsPerSecond, ns = time.ns % kNsPerSecond;
  if (ns < 0) {
    ns += kNsPerSecond;
    --seconds;
  }
  auto const bits = static_cast<std::uint64_t>(seconds), fraction = static_cast<std::uint64_t>(ns);
  if (ns == 0 && bits <= UINT32_MAX) {
    out_ += "\xd6\xff";
    append(out_, static_cast<unsigned>(bits >> 24), bits, 3);
  } else if (bits >> 34 == 0) {
    out_ += "\xd7\xff";
    std::uint64_t const both = fraction << 34 | bits;
    append(out_, static_cast<unsigned>(both >> 56), both, 7);
  } else {
    out_ += "\xc7\x0c\xff";
    append(out_, static_cast<unsigned>(fraction >> 24), fraction, 3);
    append(out_, static_cast<unsigned>(bits >> 56), bits, 7);
  }
  return *this;
}

MsgpackWriter& MsgpackWriter::binary(base::Bytes bytes) {
  append_length(out_, {0xC4, 0xC5, 0xC6}, bytes.size());
  out_ += base::as_text(bytes);
  return *this;
}

MsgpackWriter& MsgpackWriter::extension(std::int8_t type, base::Bytes data) {
  switch (data.size()) {
    case 1: out_ += '\xd4'; break;
    case 2: out_ += '\xd5'; break;
    case 4: out_ += '\xd6'; break;
    case 8: out_ += '\xd7'; break;
    case 16: out_ += '\xd8'; break;
    default: append_length(out_, {0xC7, 0xC8, 0xC9}, data.size());
  }
  out_ += static_cast<char>(type);
  out_ += base::as_text(data);
  return *this;
}

}  // namespace headrace::codec::msgpack
