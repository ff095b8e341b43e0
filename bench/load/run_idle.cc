// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <sys/resource.h>

#include <memory>
#include <thread>
#include <vector>

#include "load/agent_connection.h"
#include "load/options.h"
#include "load/process_usage.h"

namespace headrace::bench {

void run_idle(Options const& options) {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);

  std::vector<std::unique_ptr<AgentConnection>> agents;
  agents.reserve(static_cast<std::size_t>(options.connections));
  // A tenth comes first, so that what the server sets up once is not charged to the connections.
  int const first = options.connections / 10;
  for (int i = 0; i < first; ++i) agents.push_back(std::make_unique<AgentConnection>(options, i));
  std::this_thread::sleep_for(std::chrono::milliseconds(500));
  auto const before = resident_bytes(options.pid);
  for (int i = first; i < options.connections; ++i)
    agents.push_back(std::make_unique<AgentConnection>(options, i));
  std::this_thread::sleep_for(std::chrono::milliseconds(1500));
  auto const after = resident_bytes(options.pid);
  auto const added = static_cast<double>(options.connections - first);
  fmt::print(R"({{"connections":{},"bytes_per_connection":{:.0f},"resident_bytes":{}}})"
             "\n",
             options.connections,
             (static_cast<double>(after) - static_cast<double>(before)) / added, after);
}

}  // namespace headrace::bench
