// SPDX-License-Identifier: Apache-2.0
// Strong types for the names that travel: who (principal), which (source), what (data type),
// message id.
//   A name is checked once, where it comes in; after that its type says that it is good.
//   Threads: values.
#pragma once

#include <compare>
#include <string>
#include <string_view>

#include "base/error.h"
#include "model/limits.h"

namespace headrace::model {

template <class Tag>
class Name {
 public:
  Name() = default;  // empty: "none"
  // For text that is known to be good (checked before, or read back from our own stores).
  static Name trusted(std::string_view text) {
    Name n;
    n.text_ = text;
    return n;
  }
  std::string const& text() const { return text_; }
  bool empty() const { return text_.empty(); }
  auto operator<=>(Name const&) const = default;

 private:
  std::string text_;
};

using DataTypeName = Name<struct DataTypeTag>;
using SourceId = Name<struct SourceTag>;
using PrincipalId = Name<struct PrincipalTag>;

// What each check demands; the error names the field, the rule and the offending byte.
// data type: [a-z][a-z0-9_]*           (topic names of every broker, metric labels and file names
// allow it)
// source:    1 to source_bytes_max bytes of valid UTF-8 without control characters
// id:        1 to id_bytes_max bytes of valid UTF-8 without control characters
// principal: [A-Za-z0-9][A-Za-z0-9._@-]*
base::Result<void> check_data_type(std::string_view text, Limits const& limits);
base::Result<void> check_source(std::string_view text, Limits const& limits);
base::Result<void> check_message_id(std::string_view text, Limits const& limits);
base::Result<void> check_principal(std::string_view text, Limits const& limits);

// The principal of requests that need no credentials (loopback without configured users).
inline constexpr std::string_view kLocalPrincipal = "local";

}  // namespace headrace::model
