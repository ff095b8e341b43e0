// SPDX-License-Identifier: Apache-2.0
// Where: conditions on the fields of a body, as people write them.
//   where     = condition { "and" condition }
//               data.height >= 100 and name = "x" and peers.0 != null
//   condition = path operator literal
//   path      = segment { "." segment }
//   segment   = letters, digits, bytes of UTF-8 above ASCII and _ - $ @ : /
//   operator  = "=" | "!=" | "<" | "<=" | ">" | ">="
//   literal   = JSON number | JSON string | "true" | "false" | "null"
// A condition is met only by a scalar that is there and of the literal's kind, with two exceptions:
// "!=" is met by a scalar of another kind, too, and objects, arrays and absent fields meet nothing.
// Numbers compare by exact value (int64, uint64 and double alike), strings by bytes; true, false
// and null know only "=" and "!=". So `x != null` asks for a scalar that is there.
//   Threads: values; pure.
//   Errors:  invalid_argument with the byte position (from 0), what was found and what was
//            expected.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "codec/record/body.h"

namespace headrace::documents {

inline constexpr std::size_t kWhereBytesMax = 4'096;
inline constexpr std::size_t kWhereConditionsMax = 32;

enum class Operator : unsigned char {
  kEqual,
  kNotEqual,
  kLess,
  kLessOrEqual,
  kGreater,
  kGreaterOrEqual
};

struct Condition {
  std::string path;
  Operator op = Operator::kEqual;
  codec::record::Scalar literal;

  bool operator==(Condition const&) const = default;
};

// All must be met; none: met by all.
using Where = std::vector<Condition>;

// Blank text is no condition.
base::Result<Where> parse_where(std::string_view text);
// One way to write it: parse_where(to_string(w)) == w.
std::string to_string(Where const& where);

bool meets(codec::record::Scalar const& value, Condition const& condition);
bool meets(codec::record::Body const& body, Where const& where);

}  // namespace headrace::documents
