// SPDX-License-Identifier: Apache-2.0
#include "base/assert.h"

#include <cstdio>
#include <cstdlib>

namespace headrace::base {

void assertion_failed(char const* expression, char const* file, int line, char const* message) {
  // No allocation and no locks of ours: the process may be in any state.
  std::fprintf(stderr, "%s:%d: assertion failed: %s (%s)\n", file, line, message, expression);
  std::fflush(stderr);
  std::abort();
}

}  // namespace headrace::base
