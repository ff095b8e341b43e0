// SPDX-License-Identifier: Apache-2.0
// Collector: something on this machine that can be asked for its present state.
//   Threads:  called from the agent's collecting thread only.
//   Errors:   a collector that fails is logged and asked again at the next period; its message is
//             left out, never half a one.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/error.h"

namespace headrace::agent {

class Collector {
 public:
  virtual ~Collector() = default;
  virtual std::string_view name() const = 0;
  // One JSON object: the body of the message.
  virtual base::Result<std::string> collect(base::Timestamp now) = 0;
};

// The collectors by name: "system". An unknown name is invalid_argument and lists those that there
//                         are.
base::Result<std::vector<std::unique_ptr<Collector>>> make_collectors(
    std::vector<std::string> const& names);

}  // namespace headrace::agent
