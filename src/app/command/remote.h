// SPDX-License-Identifier: Apache-2.0
// Remote: the server that a command asks: the one named by --server, else the one that runs on the
//         data directory, else one that this
// process starts on the data for the command alone, on a port of loopback that nobody is told.
//   Threads: one.   Lifetime: stops what it started.
//   Errors:  of open(): unavailable (no answer), not_found (no data directory), what Service::start
//            says. Of a request: what the
//            reply says.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "app/command/command_line.h"
#include "app/wiring/service.h"
#include "base/error.h"
#include "codec/json/json.h"
#include "net/http_client.h"

namespace headrace::app {

struct RemoteAddress {
  std::string url, token;
  bool local = false;  // this machine's own: its certificate need not be signed by anybody
};

class Remote {
 public:
  // What is started when no server runs: all of it on data that is there, or users alone, on data
  // that may not be there yet.
  enum class Offline : unsigned char { kEverything, kUsers };
  static base::Result<Remote> open(CommandLine const& line, Config const& config, Offline offline);
  // Where the server is, without starting one. unavailable: none runs.
  static base::Result<RemoteAddress> find(CommandLine const& line, Config const& config);

  // The body of a 2xx reply.
  base::Result<std::string> request(std::string_view method, std::string_view target,
                                    std::string_view json = {});
  // GET of a list in pages: calls `each` with every element of `member` until `count_max` (0: no
  // bound) were there.
  base::Result<void> each(std::string target, std::string_view member, std::uint64_t count_max,
                          std::function<void(codec::json::Value)> const& each);

 private:
  Remote(net::HttpClient client, std::string token)
      : client_(std::move(client)), token_(std::move(token)) {}

  std::unique_ptr<Service> service_;  // ours, when none ran
  net::HttpClient client_;
  std::string token_;
};

// Runs a command against the Remote; prints what went wrong and gives the exit code.
int with_remote(CommandLine const& line, Remote::Offline offline,
                std::function<base::Result<void>(Remote&)> const& command);

}  // namespace headrace::app
