// SPDX-License-Identifier: Apache-2.0
#include <sys/stat.h>

#include "app/command/commands.h"

int main(int argc, char** argv) {
  using namespace headrace::app;
  ::umask(0077);  // what is stored is for nobody else on this machine
  int exit_code = kExitUsage;
  auto const line = read_command_line(argc, argv, exit_code);
  if (!line) return exit_code;
  switch (line->verb) {
    case Verb::kServe: return run_serve(*line);
    case Verb::kAgent: return run_agent(*line);
    case Verb::kCheck: return run_check(*line);
    case Verb::kConfig: return run_config(*line);
    case Verb::kTail: return run_tail(*line);
    case Verb::kDeadLettersList:
    case Verb::kDeadLettersShow:
    case Verb::kDeadLettersRetry:
    case Verb::kDeadLettersDrop: return run_dead_letters(*line);
    case Verb::kLogVerify:
    case Verb::kLogRepair: return run_log(*line);
    case Verb::kVersion: return run_version();
    default: return run_user(*line);
  }
}
