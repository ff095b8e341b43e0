// SPDX-License-Identifier: Apache-2.0
// Writing JSON: appends to a string that the caller owns. All JSON that the server sends is made
// with it.
//   Threads: pure.   Errors: none; a sequence of calls that makes no JSON is a bug of the caller
//   (and is not checked).
//   Cost: memory speed for plain text; allocates only when `out` grows.
#pragma once

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace headrace::codec::json {

// With quotes. '"', '\' and control characters are escaped; text that is not valid UTF-8 gets
// U+FFFD for each bad byte, so the output is always valid JSON.
void append_string(std::string& out, std::string_view text);
void append_integer(std::string& out, std::int64_t value);
void append_integer(std::string& out, std::uint64_t value);
// The shortest text that reads back as the same double, with ".0" when it would look like an
// integer. JSON has no NaN and infinities: the strings "NaN", "Infinity", "-Infinity".
void append_double(std::string& out, double value);

// Puts commas and colons where they belong.
//   JsonWriter w(out);
//   w.begin_object().key("accepted").value(3).key("refused").begin_array().end_array().end_object();
class JsonWriter {
 public:
  explicit JsonWriter(std::string& out) : out_(out), start_(out.size()) {}

  JsonWriter& begin_object() { return open('{'); }
  JsonWriter& end_object() { return close('}'); }
  JsonWriter& begin_array() { return open('['); }
  JsonWriter& end_array() { return close(']'); }
  JsonWriter& key(std::string_view name) {
    separate();
    append_string(out_, name);
    out_ += ':';
    return *this;
  }
  JsonWriter& value(std::string_view text) {
    separate();
    append_string(out_, text);
    return *this;
  }
  JsonWriter& value(char const* text) { return value(std::string_view(text)); }
  JsonWriter& value(std::string const& text) { return value(std::string_view(text)); }
  JsonWriter& value(double number) {
    separate();
    append_double(out_, number);
    return *this;
  }
  template <std::same_as<bool> Bool>
  JsonWriter& value(Bool b) {
    return raw(b ? "true" : "false");
  }
  template <std::integral Integer>
    requires(!std::same_as<Integer, bool>)
  JsonWriter& value(Integer number) {
    separate();
    if constexpr (std::is_signed_v<Integer>)
      append_integer(out_, static_cast<std::int64_t>(number));
    else
      append_integer(out_, static_cast<std::uint64_t>(number));
    return *this;
  }
  JsonWriter& value(base::Timestamp time) {  // RFC 3339, in quotes
    separate();
    out_ += '"';
    base::append_rfc3339(out_, time);
    out_ += '"';
    return *this;
  }
  JsonWriter& null() { return raw("null"); }
  // One whole JSON value, as it is.
  JsonWriter& raw(std::string_view json) {
    separate();
    out_ += json;
    return *this;
  }
  template <class T>
  JsonWriter& member(std::string_view name, T const& v) {
    return key(name).value(v);
  }

 private:
  // No value ends with '{', '[' or ':', so the last byte tells whether a comma is due.
  void separate() {
    if (out_.size() == start_) return;
    char const last = out_.back();
    if (last != '{' && last != '[' && last != ':') out_ += ',';
  }
  JsonWriter& open(char bracket) {
    separate();
    out_ += bracket;
    return *this;
  }
  JsonWriter& close(char bracket) {
    out_ += bracket;
    return *this;
  }

  std::string& out_;
  std::size_t start_;
};

}  // namespace headrace::codec::json
