// SPDX-License-Identifier: Apache-2.0
// Makes the agent that a config describes. Errors: invalid_argument (no collector is enabled).
#pragma once

#include <memory>

#include "agent/agent.h"
#include "app/config/config.h"

namespace headrace::app {

base::Result<std::unique_ptr<agent::Agent>> make_agent(Config const& config);

}  // namespace headrace::app
