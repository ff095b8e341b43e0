// SPDX-License-Identifier: Apache-2.0
// Body: one view of a message's body, whatever encoding it arrived in, with one rendering as JSON.
//   The MessagePack -> JSON rendering (docs/formats/body-rendering.md): nil null; bool; int and
//   uint exact; float32 and float64 shortest text that reads back the same, NaN and infinities as
//   the strings "NaN", "Infinity", "-Infinity"; str as string (UTF-8 validated on the way in); bin
//   as {"$binary":"<base64>"}; ext as {"$ext":[type,"<base64>"]}; timestamp ext (-1) as an RFC 3339
//   string; map keys that are not strings as their own rendering in a string; duplicate keys kept
//   in order.
//   Points: {"points":[{"stream":"<uuid>","key"?:..,"times":["RFC 3339"..],"values":[..]}..]}.
//   Threads: pure. Errors: none: bodies were validated before they were stored.
#pragma once

#include <optional>
#include <string>
#include <variant>

#include "codec/record/record_view.h"

namespace headrace::codec::record {

// A value found inside a body. Strings are decoded (escapes resolved).
using Scalar = std::variant<std::nullptr_t, bool, std::int64_t, std::uint64_t, double, std::string>;

class Body {
 public:
  Body(model::BodyEncoding encoding, base::Bytes bytes) : encoding_(encoding), bytes_(bytes) {}
  explicit Body(MessageView message) : Body(message.encoding(), message.body()) {}

  model::BodyEncoding encoding() const { return encoding_; }
  base::Bytes bytes() const { return bytes_; }
  // JSON bodies are appended as they are; others are rendered as above.
  void append_json(std::string& out) const;
  // The scalar at a dotted path ("data.body.height", array elements by index: "peers.0"); nullopt
  // when there is none or it is an array or object. Of duplicate keys the last counts.
  std::optional<Scalar> find(std::string_view path) const;

 private:
  model::BodyEncoding encoding_;
  base::Bytes bytes_;
};

}  // namespace headrace::codec::record
