// SPDX-License-Identifier: Apache-2.0
// Parameters: the query of a request, each checked. Threads: a value.
//   Errors: invalid_argument: which parameter, what it was, what was expected.
#pragma once

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "net/http_types.h"

namespace headrace::api {

class Parameters {
 public:
  // Names outside of `known` are refused, with the nearest.
  static base::Result<Parameters> read(net::RequestHead const& head,
                                       std::initializer_list<std::string_view> known);

  // The value; an error when it is there twice.
  base::Result<std::optional<std::string>> one(std::string_view name) const;
  base::Result<std::string> text(std::string_view name) const;  // empty when it is not there
  std::vector<std::string> list(std::string_view name) const;   // repeated, or separated by commas
  base::Result<std::optional<base::Timestamp>> time(
      std::string_view name) const;  // RFC 3339 or integer ns
  base::Result<std::size_t> number(std::string_view name, std::size_t otherwise, std::size_t least,
                                   std::size_t most) const;
  base::Result<std::optional<bool>> flag(std::string_view name) const;  // true, false, 1, 0

 private:
  std::vector<std::pair<std::string, std::string>> all_;
};

}  // namespace headrace::api
