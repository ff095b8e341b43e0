// SPDX-License-Identifier: Apache-2.0
// Agent: collects what this machine reports and brings it to a backend over the agent protocol
// (docs/protocols/agent-websocket.md). What is collected goes to a bounded spool on disk first
// (docs/formats/agent-spool.md) and leaves it when the backend has acknowledged it, so that nothing
// is lost while the backend or the agent is away.
//   Threads:  start(), stop() and stats() from any one thread; the agent runs one thread that
//             collects and one that transfers.
//   Lifetime: stop() (or the destructor) joins both. An agent is started once.
//   Errors:   of start(): invalid_argument (options), io (spool directory), corrupt (never: damage
//             is cut and counted). A backend that is away, refuses or answers nonsense is no error:
//             it is logged and tried again with back-off.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "agent/collector.h"
#include "base/clock.h"
#include "base/error.h"

namespace headrace::agent {

// When the spool calls fdatasync. A killed agent loses nothing either way; a power failure loses
// what was not synced.
enum class SpoolSync : unsigned char {
  kAlways,  // after each sample
  kSecond,  // at most once a second (default)
  kNever,   // when the operating system sees fit
};

struct AgentOptions {
  std::string server = "ws://127.0.0.1:8080/agent";  // ws:// or wss://
  std::string token;   // sent as "Authorization: Bearer ..."; empty: none
  std::string source;  // empty: the host's name
  std::string data_type = "system_metrics";
  std::chrono::nanoseconds period = std::chrono::seconds(5);  // at least 10 ms
  std::string spool_directory = "./agent-spool";
  std::uint64_t spool_bytes_max =
      64u << 20;  // at least 1 MB; when full the oldest are dropped and counted
  SpoolSync spool_sync = SpoolSync::kSecond;
  bool tls_verify = true;   // wss: check the server's certificate
  std::string tls_ca_file;  // wss: PEM file of authorities; empty: the system's
  std::chrono::nanoseconds backoff_min = std::chrono::milliseconds(250);
  std::chrono::nanoseconds backoff_max = std::chrono::seconds(30);
  std::uint32_t batch_messages_max = 500;  // messages in one frame
  std::chrono::nanoseconds stop_timeout =
      std::chrono::seconds(2);  // stop() waits this long for the last acknowledgements
};

// Numbers since start(), except `spooled`, which is now.
struct AgentStats {
  bool connected = false;
  std::uint64_t collected = 0;     // messages written to the spool
  std::uint64_t sent = 0;          // messages sent, repeats included
  std::uint64_t acknowledged = 0;  // messages that the backend has acknowledged
  std::uint64_t refused = 0;       // messages that the backend refused for good
  std::uint64_t dropped = 0;       // the oldest messages, dropped because the spool was full
  std::uint64_t damaged_bytes =
      0;                      // bytes of the spool that were cut because they were torn or damaged
  std::uint64_t spooled = 0;  // messages waiting in the spool
  std::uint64_t spooled_bytes = 0;  // bytes of the spool on disk
  std::uint64_t connects = 0;       // sessions opened
  std::string last_error;           // of the transfer; empty when the last attempt went well
};

class Agent {
 public:
  // `collectors` are asked once a period, in this order; each result is one message.
  Agent(AgentOptions options, std::vector<std::unique_ptr<Collector>> collectors);
  ~Agent();
  Agent(Agent const&) = delete;
  Agent& operator=(Agent const&) = delete;

  // Opens the spool and begins to collect at once. Returns before a connection is made.
  base::Result<void> start();
  // Takes no more samples, sends what is spooled for at most stop_timeout, closes. What is not
  // acknowledged stays spooled.
  void stop();
  AgentStats stats() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace headrace::agent
