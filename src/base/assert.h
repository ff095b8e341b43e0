// SPDX-License-Identifier: Apache-2.0
// HEADRACE_ASSERT: for bugs, on in release. Prints expression, file, line and the message, then
// aborts.
#pragma once

namespace headrace::base {
[[noreturn]] void assertion_failed(char const* expression, char const* file, int line,
                                   char const* message);
}

#define HEADRACE_ASSERT(expression, message)                                        \
  do {                                                                              \
    if (!(expression)) [[unlikely]]                                                 \
      ::headrace::base::assertion_failed(#expression, __FILE__, __LINE__, message); \
  } while (false)
