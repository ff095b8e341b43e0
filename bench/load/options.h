// SPDX-License-Identifier: Apache-2.0
// What one run of the load generator does, and what it found. Threads: values.
#pragma once

#include <cstdint>
#include <string>

#include "load/latency.h"

namespace headrace::bench {

struct Options {
  std::string host = "127.0.0.1";
  std::uint16_t port = 8080;
  std::string mode = "websocket";  // websocket, http, idle
  int connections = 50;
  int batch = 1;      // messages per frame or request
  double rate = 0;    // messages a second over all connections; 0: as fast as the acks allow
  int window = 1000;  // unacknowledged messages per connection when flat out (at least one frame)
  int message_bytes = 200;
  double warmup_s = 1, seconds = 5;
  int pid = 0;  // the server's, for its CPU time and memory; 0: not measured
  std::string data_type = "system_metrics";
  std::string token;
};

struct Report {
  std::uint64_t messages = 0;  // acknowledged within the measured time
  std::uint64_t refused = 0;   // nacks, error replies
  double seconds = 0;
  double server_cpu_s = 0;
  Latency latency;  // from when a message was due to its acknowledgement
};

// Each connects, warms up, measures, disconnects. Failure to connect or a broken connection ends
// the program with a message.
Report run_websocket(Options const& options);
Report run_http(Options const& options);
// Opens `connections` agents that say hello and nothing more; prints the server's memory per
// connection.
void run_idle(Options const& options);

}  // namespace headrace::bench
