// SPDX-License-Identifier: Apache-2.0
#include "broker/log/log_broker.h"

#include "broker/log/impl/log_engine.h"

namespace headrace::broker::log {

base::Result<std::unique_ptr<Broker>> make_log_broker(LogOptions options, base::FileSystem& files,
                                                      base::Clock& clock) {
  HEADRACE_TRY(auto broker, LogBroker::open(std::move(options), files, clock, true));
  return std::unique_ptr<Broker>(std::move(broker));
}

}  // namespace headrace::broker::log
