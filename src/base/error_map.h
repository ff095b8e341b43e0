// SPDX-License-Identifier: Apache-2.0
// The one table from ErrorCode to what each protocol says.   Threads: pure.
#pragma once

#include <cstdint>

#include "base/error.h"

namespace headrace::base {

// invalid_argument 400, unauthenticated 401, denied 403, not_found 404, already_exists 409,
// too_large 413, corrupt, io and internal 500, overloaded, unavailable and cancelled 503, timed_out
// 504.
std::uint16_t http_status(ErrorCode code);

// Whether trying the same again later may succeed; HTTP replies then carry Retry-After.
bool retryable(ErrorCode code);

// RFC 6455, 7.4.1: 1007 invalid_argument, 1008 unauthenticated, denied, not_found and
// already_exists (policy), 1009 too_large,
// 1013 overloaded, unavailable and timed_out (try again later), 1001 cancelled (going away), 1011
// corrupt, io and internal.
std::uint16_t websocket_close_code(ErrorCode code);

}  // namespace headrace::base
