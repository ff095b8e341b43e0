// SPDX-License-Identifier: Apache-2.0
// Settings: what a config file and --set say, key by key, checked against the table of keys, with
//           the place where each was said.
//   Threads: values.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/config/keys.h"

namespace headrace::app {

// Where something was said: "headrace.yaml:3:5", "--set http.listen", "default".
struct Origin {
  std::string file{};
  int line = 0, column = 0;  // 1-based; 0: the place has none
  std::string text() const;
  auto operator<=>(Origin const&) const = default;
};

struct Problem {
  Origin where;
  std::string what;
};

struct Setting {
  std::string raw{};                 // as written, before ${NAME} was replaced: what may be shown
  std::string value{};               // of scalars
  std::vector<std::string> items{};  // of lists
  std::vector<Origin> item_origins{};
  Origin origin{};
  Key const* key = nullptr;  // null: an entry of a map that was named ("receivers.archive")
};

class Settings {
 public:
  // YAML text; problems are appended, what is good is kept.
  void add_yaml(std::string const& text, std::string const& file, std::vector<Problem>& problems);
  // "http.listen=127.0.0.1:0"; replaces what was there.
  void add_override(std::string_view assignment, std::vector<Problem>& problems);
  // As add_override for values that the program knows; never a problem.
  void add_default(std::string_view path, std::string_view value);

  Setting const* find(std::string_view path) const;
  // What was said, or the key's default.
  std::string value(std::string_view path) const;
  std::vector<std::string> items(std::string_view path) const;
  // Names below a map: names("receivers") = {"archive", "live"}, in order of appearance.
  std::vector<std::string> names(std::string_view map) const;
  Origin origin(std::string_view path) const;
  bool says(std::string_view path_or_map) const;

 private:
  friend class YamlWalk;
  void put(std::string const& path, Setting setting);
  std::map<std::string, Setting, std::less<>> settings_;
  std::vector<std::string> order_;
};

// The key that a path of names stands for ("receivers.archive.type" -> "receivers.*.type"); null
// when there is none.
Key const* find_key(std::string_view path);
// Whether keys lie below this path.
bool is_group(std::string_view path);
// The segments that may follow a group; "*" among them when names are free.
std::vector<std::string_view> members_of(std::string_view group);
// The candidate nearest to `word`, when it is near enough to be what was meant.
std::optional<std::string> nearest(std::string_view word,
                                   std::vector<std::string> const& candidates);
std::vector<std::string> split(std::string_view text, char separator);

}  // namespace headrace::app
