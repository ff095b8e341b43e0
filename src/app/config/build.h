// SPDX-License-Identifier: Apache-2.0
// From checked settings to typed values, and what no single key can say: unknown names, clashes,
// things that need one another.
//   Threads: pure.
#pragma once

#include <vector>

#include "app/config/config.h"

namespace headrace::app {

Config build_config(Settings const& settings, std::vector<Problem>& problems);

}  // namespace headrace::app
