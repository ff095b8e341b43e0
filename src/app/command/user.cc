// SPDX-License-Identifier: Apache-2.0
#include "app/command/commands.h"
namespace headrace::app {
int run_user(CommandLine const&) { return kExitFailed; }
}  // namespace headrace::app
