// SPDX-License-Identifier: Apache-2.0
#include <cstdio>
#include <iostream>
#include <iterator>

#include "app/command/commands.h"
#include "base/file_system.h"

namespace headrace::app {

std::optional<Loaded> load_or_complain(ConfigSource const& source) {
  auto loaded = load_config(source);
  if (loaded.problems.empty()) return loaded;
  std::cerr << to_string(loaded.problems);
  return std::nullopt;
}

int complain(std::string_view what, base::Error const& error) {
  std::cerr << "headrace: " << what << ": " << base::to_string(error) << "\n";
  using enum base::ErrorCode;
  switch (error.code) {
    case kInvalidArgument: return kExitUsage;
    case kNotFound: return kExitNotFound;
    default: return kExitFailed;
  }
}

int run_check(CommandLine const& line) {
  Loaded loaded;
  if (line.file == "-") {
    std::string const text{std::istreambuf_iterator<char>(std::cin), {}};
    loaded = load_config_text(text, "-");
  } else {
    loaded = load_config({.file = line.file, .overrides = {}});
  }
  if (!loaded.problems.empty()) {
    std::cerr << to_string(loaded.problems);
    return kExitUsage;
  }
  std::cout << line.file << ": good\n";
  return kExitOk;
}

int run_config(CommandLine const& line) {
  if (line.reference) {
    std::cout << print_reference();
    return kExitOk;
  }
  auto const loaded = load_or_complain(line.config);
  if (!loaded) return kExitUsage;
  std::cout << print_effective(loaded->settings);
  return kExitOk;
}

int run_version() {
  std::cout << "headrace " HEADRACE_VERSION "\n";
  return kExitOk;
}

}  // namespace headrace::app
