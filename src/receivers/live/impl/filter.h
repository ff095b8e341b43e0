// SPDX-License-Identifier: Apache-2.0
// Filter: which messages a reader wants, from query parameters or from a frame. Threads: values;
//         pure.
//   Errors: invalid_argument: names the parameter or the place in the frame, and the nearest data
//           type.
#pragma once

#include <compare>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "net/http_types.h"

namespace headrace::receivers::live {

inline constexpr std::size_t kFilterNamesMax = 1'000;

struct Filter {
  std::vector<std::string> types, sources;  // sorted, each once; empty: all
  bool messages = true;

  bool wants(std::string_view type, std::string_view source) const;
  auto operator<=>(Filter const&) const = default;
};

base::Result<Filter> filter_of_query(net::RequestHead const& head,
                                     std::span<std::string const> known_types);
// {"filter":{"types":[...],"sources":[...],"messages":true}}
base::Result<Filter> filter_of_frame(std::string_view json,
                                     std::span<std::string const> known_types);

}  // namespace headrace::receivers::live
