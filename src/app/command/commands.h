// SPDX-License-Identifier: Apache-2.0
// The verbs. Each prints what it has to say and returns the exit code. Threads: the main thread.
#pragma once

#include "app/command/command_line.h"

namespace headrace::app {

int run_serve(CommandLine const& line);
int run_agent(CommandLine const& line);
int run_check(CommandLine const& line);
int run_config(CommandLine const& line);
int run_tail(CommandLine const& line);
int run_dead_letters(CommandLine const& line);
int run_user(CommandLine const& line);
int run_log(CommandLine const& line);
int run_version();

// Loads the config; prints every problem and returns nothing when there are any.
std::optional<Loaded> load_or_complain(ConfigSource const& source);
// Prints "headrace: <what>: <error>" and gives the exit code that stands for it.
int complain(std::string_view what, base::Error const& error);

}  // namespace headrace::app
