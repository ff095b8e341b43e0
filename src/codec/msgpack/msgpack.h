// SPDX-License-Identifier: Apache-2.0
// Parser: checks a whole MessagePack document and lays its values out as a tape
// (codec/tape/tape.h).
//
//   Accepted: one value of any kind: nil, bool, all int and float formats, str, bin, array, map,
//   ext, timestamps. Refused, each with byte offset, what was found and what was expected:
//     - the byte 0xc1 (never used), a document that ends early, bytes after it, str that is not
//     valid UTF-8;
//     - ext of type -1 (timestamp) that is none of its three forms or has more than 999999999
//     nanoseconds;
//     - more levels or values than the options allow (too_large); a length is never trusted: at
//     most what is there is read.
//   Duplicate keys and keys that are not strings: kept as they are; look-ups by text take the last
//   equal string key.
//
//   Threads, Lifetime, Errors: as json::Parser. Integers of any format that fit int64 are
//   Kind::kInt64, above it kUint64; float32 is widened exactly.
#pragma once

#include "base/error.h"
#include "codec/tape/tape.h"

namespace headrace::codec::msgpack {

using tape::Kind;
using tape::ParseOptions;
using tape::Value;

class Parser {
 public:
  explicit Parser(ParseOptions const& options = {}) : options_(options) {}

  ParseOptions const& options() const { return options_; }
  void set_options(ParseOptions const& options) { options_ = options; }
  base::Result<Value> parse(base::Bytes bytes);
  base::Result<Value> parse(std::string_view bytes) { return parse(base::as_bytes(bytes)); }

 private:
  ParseOptions options_;
  tape::Tape tape_;
};

base::Result<void> validate(base::Bytes bytes, std::size_t nesting_max = 32);

}  // namespace headrace::codec::msgpack
