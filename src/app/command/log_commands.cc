// SPDX-License-Identifier: Apache-2.0
#include <iostream>

#include "app/command/commands.h"
#include "app/wiring/data_dir.h"
#include "base/file_system.h"
#include "broker/log/log_check.h"

namespace headrace::app {

int run_log(CommandLine const& line) {
  auto const loaded = load_or_complain(line.config);
  if (!loaded) return kExitUsage;
  auto const& path = loaded->config.data_dir;
  if (auto const missing = base::read_file(base::real_file_system(), path + "/FORMAT", 100);
      !missing)
    return complain("there is no data directory at " + path, missing.error());
  auto const dir = DataDir::open(path);
  if (!dir) return complain("a server must not run meanwhile", dir.error());
  auto& files = base::real_file_system();
  if (line.verb == Verb::kLogRepair) {
    auto const report = broker::log::repair_log(dir->file("log"), files);
    if (!report) return complain("log repair", report.error());
    std::cout << broker::log::to_string(*report);
    return kExitOk;
  }
  auto const report = broker::log::verify_log(dir->file("log"), files);
  if (!report) return complain("log verify", report.error());
  std::cout << broker::log::to_string(*report);
  return report->good() ? kExitOk : kExitDamaged;
}

}  // namespace headrace::app
