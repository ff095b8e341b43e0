// SPDX-License-Identifier: Apache-2.0
// MsgpackWriter: appends MessagePack to a string that the caller owns, each value in its shortest
// form.
//   Threads: pure.   Errors: none; the caller announces the right counts. Text of 4 GB and more is
//   a bug (asserts).
#pragma once

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/clock.h"

namespace headrace::codec::msgpack {

//   MsgpackWriter w(out);  w.map(2).value("id").value("a1").value("seq").value(7);
class MsgpackWriter {
 public:
  explicit MsgpackWriter(std::string& out) : out_(out) {}

  MsgpackWriter& map(std::uint32_t members);     // then so many keys and values
  MsgpackWriter& array(std::uint32_t elements);  // then so many values
  MsgpackWriter& nil();
  MsgpackWriter& value(std::string_view text);  // str; the caller has valid UTF-8
  MsgpackWriter& value(char const* text) { return value(std::string_view(text)); }
  MsgpackWriter& value(std::string const& text) { return value(std::string_view(text)); }
  MsgpackWriter& value(double number);  // float64
  template <std::same_as<bool> Bool>
  MsgpackWriter& value(Bool b) {
    out_ += b ? '\xc3' : '\xc2';
    return *this;
  }
  template <std::integral Integer>
    requires(!std::same_as<Integer, bool>)
  MsgpackWriter& value(Integer number) {
    if constexpr (std::is_signed_v<Integer>)
      return signed_integer(number);
    else
      return unsigned_integer(number);
  }
  MsgpackWriter& value(base::Timestamp time);  // the timestamp extension
  MsgpackWriter& binary(base::Bytes bytes);
  MsgpackWriter& extension(std::int8_t type, base::Bytes data);
  // One whole MessagePack value, as it is.
  MsgpackWriter& raw(base::Bytes msgpack) {
    out_ += base::as_text(msgpack);
    return *this;
  }
  template <class T>
  MsgpackWriter& member(std::string_view key, T const& v) {
    return value(key).value(v);
  }

 private:
  MsgpackWriter& signed_integer(std::int64_t value);
  MsgpackWriter& unsigned_integer(std::uint64_t value);

  std::string& out_;
};

}  // namespace headrace::codec::msgpack
