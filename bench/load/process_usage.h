// SPDX-License-Identifier: Apache-2.0
// What another process has used, from /proc. Threads: any.
#pragma once

#include <cstdint>

namespace headrace::bench {

// User and system time of all threads since it started, in seconds; 0 for pid 0.
double cpu_seconds(int pid);
std::uint64_t resident_bytes(int pid);

}  // namespace headrace::bench
