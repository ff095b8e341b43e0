// SPDX-License-Identifier: Apache-2.0
// CommandLine: what was asked for, read from argv. Help and mistakes are printed here.
//   Exit codes of the program: 0 done, 1 it failed, 2 the command line or the config is wrong, 3 no
//   such thing (dead letter, user,
//   ...), 4 damage was found (log verify), 5 the server cannot be reached.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "app/config/config.h"

namespace headrace::app {

inline constexpr int kExitOk = 0, kExitFailed = 1, kExitUsage = 2, kExitNotFound = 3,
                     kExitDamaged = 4, kExitUnreachable = 5;

enum class Verb : unsigned char {
  kServe,
  kAgent,
  kCheck,
  kConfig,
  kTail,
  kDeadLettersList,
  kDeadLettersShow,
  kDeadLettersRetry,
  kDeadLettersDrop,
  kUserAdd,
  kUserList,
  kUserBan,
  kUserUnban,
  kUserRemove,
  kUserToken,
  kUserRevoke,
  kLogVerify,
  kLogRepair,
  kVersion,
};

struct CommandLine {
  Verb verb = Verb::kVersion;
  ConfigSource config;     // --config, --set, --data
  bool demo = false;       // serve
  std::string ports_file;  // serve
  bool reference = false;  // config
  std::string file;        // check
  // Where the server is, for commands that ask it; empty: what the data directory says.
  std::string server, token_file;
  std::vector<std::string> types, sources;  // tail, deadletters
  std::uint64_t count = 0;                  // tail, list: after so many; 0: no bound
  std::string receiver;
  std::vector<std::string> ids;
  bool all = false, json = false;
  std::string user, role = "agent", expires, token_id;
};

// Nothing: `exit_code` says how to end (help was printed, or what was wrong).
std::optional<CommandLine> read_command_line(int argc, char const* const* argv, int& exit_code);

}  // namespace headrace::app
