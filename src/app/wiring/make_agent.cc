// SPDX-License-Identifier: Apache-2.0
#include "app/wiring/make_agent.h"

namespace headrace::app {

base::Result<std::unique_ptr<agent::Agent>> make_agent(Config const& config) {
  auto const& a = config.agent;
  if (!a.system_enabled)
    return base::Error{base::ErrorCode::kInvalidArgument,
                       "agent.collectors: none is enabled; expected at least one"};
  agent::AgentOptions options;
  options.server = a.server;
  options.token = a.token;
  options.source = a.source;
  options.data_type = a.system_data_type;
  options.period = a.system_period;
  options.spool_directory = a.spool_path.empty() ? config.data_dir + "/agent" : a.spool_path;
  options.spool_bytes_max = a.spool_bytes_max;
  options.spool_sync = a.spool_sync == "always"  ? agent::SpoolSync::kAlways
                       : a.spool_sync == "never" ? agent::SpoolSync::kNever
                                                 : agent::SpoolSync::kSecond;
  options.tls_verify = a.tls_verify;
  options.tls_ca_file = a.tls_ca_file;
  options.backoff_min = a.retry_min;
  options.backoff_max = a.retry_max;
  options.batch_messages_max = static_cast<std::uint32_t>(a.batch_messages_max);
  HEADRACE_TRY(auto collectors, agent::make_collectors({"system"}));
  return std::make_unique<agent::Agent>(std::move(options), std::move(collectors));
}

}  // namespace headrace::app
