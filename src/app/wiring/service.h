// SPDX-License-Identifier: Apache-2.0
// Service: everything that `headrace serve` runs, made in order by one make function a module,
//          stopped in reverse.
//   Start:   data directory; identity, stores and broker side by side; ingest, live feed, dispatch,
//            api, server, demo agent.
//   Stop:    agent, listeners and connections (what was accepted is settled and answered),
//            questions, dispatch, broker, ingest,
//            io threads.
//   Threads: one controlling thread.
//   Errors:  of start(): invalid_argument (the config cannot be run: exit code 2), unavailable
//            (locked), io (port in use, disk), corrupt
//            (names the file), ...
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "app/config/config.h"
#include "base/error.h"

namespace headrace::app {

struct ServiceOptions {
  bool demo = false;  // an agent in this process reports this machine
  bool commands =
      false;  // for one command on the data: no handlers, one port of loopback that nobody is told
  bool users_only = false;  // with commands: nothing but the routes of users
};

class Service {
 public:
  static base::Result<std::unique_ptr<Service>> start(Config config, ServiceOptions options);
  ~Service();  // stops at once, when stop() was not called
  Service(Service const&) = delete;
  Service& operator=(Service const&) = delete;

  std::vector<std::uint16_t> ports() const;
  // "http://127.0.0.1:8080", of the first listener.
  std::string url() const;
  // For commands on this machine.
  std::string admin_token_path() const;
  base::Result<void> reload_tls();
  // timed_out: something did not end in time; the process should exit without destroying.
  base::Result<void> stop(std::chrono::nanoseconds deadline);

  struct Parts;

 private:
  explicit Service(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

// Version of this program, "0.1.0".
std::string_view version();

}  // namespace headrace::app
