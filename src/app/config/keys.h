// SPDX-License-Identifier: Apache-2.0
// Every key of headrace.yaml in one table: path, type, default, bounds, meaning. All else comes
// from it: the check of a file, the
// effective config that `headrace config` prints, and docs/guide/configuration.md.
//   Threads: constants.
#pragma once

#include <span>
#include <string_view>

namespace headrace::app {

enum class KeyKind : unsigned char {
  kText,
  kPath,
  kBool,
  kInteger,
  kSize,      // bytes: "64MiB", "8MB", "512"
  kDuration,  // "250ms", "7s", "30d"
  kChoice,    // one of `bounds`, separated by |
  kName,      // [a-z][a-z0-9_-]*
  kListen,    // one or more of host:port; port 0 picks a free one
  kTextList,
  kNameList,
  kSecret,  // never printed
};

struct Key {
  // Segments separated by dots; `*` stands for a name that the file chooses.
  std::string_view path;
  KeyKind kind = KeyKind::kText;
  std::string_view
      default_text;          // as one would write it; of a list: separated by commas; empty: none
  std::string_view bounds;   // "min..max" for numbers (either may be left out), choices for kChoice
  std::string_view meaning;  // one line
};

// In the order in which they are shown; keys of one group stand together.
std::span<Key const> keys();
// What each group of keys is for ("http", "data_types.*"); empty when nothing is said.
std::string_view group_meaning(std::string_view group);
// "duration", "size", "one of disk, os, memory", ... for messages and the reference.
std::string_view kind_name(KeyKind kind);

}  // namespace headrace::app
