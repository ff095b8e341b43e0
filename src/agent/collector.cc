// SPDX-License-Identifier: Apache-2.0
#include "agent/collector.h"

#include <fmt/format.h>

#include "agent/impl/system_collector.h"

namespace headrace::agent {

base::Result<std::vector<std::unique_ptr<Collector>>> make_collectors(
    std::vector<std::string> const& names) {
  std::vector<std::unique_ptr<Collector>> collectors;
  for (auto const& name : names) {
    if (name != "system") {
      return base::Error{base::ErrorCode::kInvalidArgument,
                         fmt::format("unknown collector '{}'; there are: system", name)};
    }
    collectors.push_back(std::make_unique<SystemCollector>(base::system_clock()));
  }
  if (collectors.empty())
    return base::Error{base::ErrorCode::kInvalidArgument, "no collector given; there are: system"};
  return collectors;
}

}  // namespace headrace::agent
