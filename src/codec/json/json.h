// SPDX-License-Identifier: Apache-2.0
// Parser: checks a whole JSON document (RFC 8259) and lays its values out as a tape
// (codec/tape/tape.h).
//
//   Accepted: exactly RFC 8259 in UTF-8, any value at the root, white space around it.
//   Refused, each with byte offset, what was found and what was expected:
//     - everything else: comments, trailing commas, leading zeros, NaN, a byte order mark, control
//     characters in strings,
//       text after the document, an empty document, invalid UTF-8 anywhere;
//     - \u escapes that are half of a surrogate pair (an escaped NUL, \u0000, is a character like
//     others);
//     - integers (no fraction, no exponent) outside of -2^63..2^64-1, and numbers beyond the
//     largest double (1e400).
//       Numbers nearer to 0 than the smallest double read as 0. -0 is the integer 0; its bytes stay
//       "-0".
//     - more levels or values than the options allow (too_large).
//   Duplicate keys: kept as they are; look-ups take the last; tape::find_duplicate_key tells, for
//   envelopes. docs/formats/json.md says the same with examples.
//
//   Input:    any bytes, no padding needed: nothing is read past their end. At most 4 GB - 1.
//   Threads:  one thread; keep one per thread, its storage is used again.
//   Lifetime: the Value lives until the next parse() and as long as the bytes.
//   Errors:   invalid_argument, too_large.   Cost: 90 ns for a message of 200 bytes; allocates only
//   to grow.
#pragma once

#include <memory>

#include "base/error.h"
#include "codec/tape/tape.h"

namespace headrace::codec::json {

using tape::Kind;
using tape::ParseOptions;
using tape::Value;

class Parser {
 public:
  explicit Parser(ParseOptions const& options = {});
  ~Parser();
  Parser(Parser const&) = delete;  // Values point into it
  Parser& operator=(Parser const&) = delete;

  ParseOptions const& options() const { return options_; }
  void set_options(ParseOptions const& options) { options_ = options; }
  base::Result<Value> parse(base::Bytes bytes);
  base::Result<Value> parse(std::string_view text) { return parse(base::as_bytes(text)); }

 private:
  struct Index;

  ParseOptions options_;
  tape::Tape tape_;
  std::unique_ptr<Index> index_;
};

// The check alone.
base::Result<void> validate(base::Bytes bytes, std::size_t nesting_max = 32);

}  // namespace headrace::codec::json
