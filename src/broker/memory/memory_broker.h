// SPDX-License-Identifier: Apache-2.0
// A broker in this process's memory: for tests, and where nothing need survive. Passes the same
// contract suite as the log.
//   Threads, Errors: broker.h.   Durability: none survives the process, whatever a data type asks
//   for.
//   Bounded:  bytes_max of records; the oldest of all partitions go first, except what is held:
//             then append is overloaded.
#pragma once

#include <cstdint>
#include <memory>

#include "base/clock.h"
#include "broker/broker.h"

namespace headrace::broker::memory {

struct MemoryOptions {
  std::uint64_t bytes_max = 256u << 20;
  std::size_t producers_max = 65'536;  // remembered for find_producer
};

// `clock` outlives the broker; it decides what retention removes, at each append.
std::unique_ptr<Broker> make_memory_broker(MemoryOptions options, base::Clock& clock);

}  // namespace headrace::broker::memory
