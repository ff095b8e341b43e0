// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>

#include "app/config/config.h"

namespace headrace::app {
namespace {

bool is_list(KeyKind kind) {
  return kind == KeyKind::kListen || kind == KeyKind::kTextList || kind == KeyKind::kNameList;
}

bool may_be_empty(KeyKind kind) {
  return is_list(kind) || kind == KeyKind::kText || kind == KeyKind::kPath ||
         kind == KeyKind::kSecret;
}

// A scalar that any YAML reader takes for this text.
std::string quoted(std::string const& text) {
  bool const plain = !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '.' || c == '/' || c == '-';
  });
  if (plain && text != "-" && !text.starts_with("- ")) return text;
  std::string out = "\"";
  for (char const c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (static_cast<unsigned char>(c) < 0x20) {
      out += fmt::format("\\x{:02x}", static_cast<unsigned>(c));
      continue;
    }
    out += c;
  }
  return out + "\"";
}

std::string shown_value(Settings const& settings, Key const& key, std::string const& path) {
  auto const* setting = settings.find(path);
  if (key.kind == KeyKind::kSecret) {
    if (settings.value(path).empty()) return "\"\"";
    return "\"<hidden>\"";
  }
  if (is_list(key.kind)) {
    auto const items = setting && setting->raw.find("${") != std::string::npos
                           ? split(setting->raw, ',')
                           : settings.items(path);
    std::vector<std::string> texts;
    for (auto const& item : items) texts.push_back(quoted(item));
    return fmt::format("[{}]", fmt::join(texts, ", "));
  }
  // What came from the environment is shown as it was written: it may be a secret.
  return quoted(setting ? setting->raw : std::string(key.default_text));
}

class Printer {
 public:
  explicit Printer(Settings const& settings) : settings_(settings) {}

  std::string print() {
    group("", 0);
    return std::move(out_);
  }

 private:
  void group(std::string const& path, std::size_t depth) {
    for (auto const member : members_of(path)) {
      if (member != "*") {
        entry(path.empty() ? std::string(member) : fmt::format("{}.{}", path, member),
              std::string(member), depth);
        continue;
      }
      for (auto const& name : settings_.names(path))
        entry(fmt::format("{}.{}", path, name), name, depth);
    }
  }

  void entry(std::string const& path, std::string const& name, std::size_t depth) {
    std::string const indent(depth * 2, ' ');
    if (auto const* key = find_key(path)) {
      if (!applies(path)) return;
      if (!may_be_empty(key->kind) && settings_.value(path).empty()) {
        out_ += fmt::format("{:<44}  # {}\n", fmt::format("{}# {}:", indent, name), key->meaning);
        return;
      }
      auto const line = fmt::format("{}{}: {}", indent, name, shown_value(settings_, *key, path));
      bool const set = settings_.find(path) != nullptr && settings_.origin(path).file != "default";
      out_ +=
          fmt::format("{:<44}  # {}{}\n", line,
                      set ? fmt::format("[{}] ", settings_.origin(path).text()) : "", key->meaning);
      return;
    }
    if (depth == 0) out_ += fmt::format("\n# {}\n", group_meaning(path));
    bool const empty = members_of(path).front() == "*" && settings_.names(path).empty();
    out_ += fmt::format("{}{}:{}\n", indent, name, empty ? " {}" : "");
    if (!empty) group(path, depth + 1);
  }

  // Whether the key means anything beside the others: a live feed has no store.
  bool applies(std::string const& path) const {
    if (!path.starts_with("receivers.") || settings_.find(path) != nullptr) return true;
    if (settings_.value(path.substr(0, path.rfind('.')) + ".type") != "live") return true;
    for (auto const* key : {".store", ".path", ".required", ".from"})
      if (path.ends_with(key)) return false;
    return true;
  }

  Settings const& settings_;
  std::string out_;
};

std::string reference_bounds(Key const& key) {
  if (key.kind != KeyKind::kChoice) return std::string(key.bounds);
  return fmt::format("{}", fmt::join(split(key.bounds, '|'), ", "));
}

std::string shown_path(std::string_view path) {
  std::string out(path);
  for (auto at = out.find('*'); at != std::string::npos; at = out.find('*'))
    out.replace(at, 1, "NAME");
  return out;
}

constexpr std::string_view kReferenceHead =
    R"(<!-- Made by `headrace config --reference`. Do not edit: change src/app/config/keys.cc. -->
# Configuration

`headrace serve` needs no file. `headrace serve --config headrace.yaml` reads one, and
`--set KEY=VALUE` overrides any key, as in `--set http.listen=127.0.0.1:0`.
`headrace check FILE` names everything that is wrong with a file at once, with line and column;
`headrace config` prints what is in force, with comments.

```yaml
data_dir: ./data
http:       { listen: 127.0.0.1:8080 }
data_types:
  ethereum_metrics: {}
  networking_metrics: {}
  system_metrics: { durability: disk, retention: 30d }
receivers:
  archive: { type: documents, store: sqlite }
  live:    { type: live }
subscriptions:
  ethereum_metrics:   [archive, live]
  networking_metrics: [live]
  system_metrics:     [archive, live]
handlers:
  agent_websocket: { path: /agent }
broker:     { type: log, durability: disk }
```

- Without `data_types` there are `ethereum_metrics`, `networking_metrics` and `system_metrics`.
  Without `receivers` there are `archive` (type documents) and `live` (type live). Without
  `subscriptions` every data type is led to every receiver; types of points are not led to the
  document archive unless `subscriptions` says so.
- Durations: a whole number with `ns`, `us`, `ms`, `s`, `m`, `h` or `d`. Sizes: a whole number of
  bytes, or with `KB`, `MB`, `GB`, `TB` (powers of 1000) or `KiB`, `MiB`, `GiB`, `TiB` (powers of
  1024).
- `${NAME}` in any value is replaced by the environment's; `$${` stands for `${`. Within `{ }` and
  `[ ]` YAML wants it quoted: `agent: { token: '${NAME}' }`. Secrets are given so, or in a file of
  their own (`token_file`), and are never printed.
- Relative paths are relative to the working directory.
- An address other than loopback is refused until there is a user (`headrace user add`).
)";

}  // namespace

std::string print_effective(Settings const& settings) {
  return "# The config in force: what the file and --set say [where], else the defaults.\n" +
         Printer(settings).print();
}

std::string print_reference() {
  std::string out(kReferenceHead);
  std::string section = "none";
  for (auto const& key : keys()) {
    auto const dot = key.path.find('.');
    std::string const group(dot == std::string_view::npos ? std::string_view("")
                                                          : key.path.substr(0, dot));
    if (group != section) {
      section = group;
      out += group.empty() ? std::string("\n## General\n")
                           : fmt::format("\n## `{}`\n\n{}\n", group, group_meaning(group));
      out += "\n| key | type | default | bounds | meaning |\n| --- | --- | --- | --- | --- |\n";
    }
    auto const code = [](std::string const& text) {
      return text.empty() ? std::string() : fmt::format("`{}`", text);
    };
    out += fmt::format("| `{}` | {} | {} | {} | {} |\n", shown_path(key.path), kind_name(key.kind),
                       code(std::string(key.default_text)), reference_bounds(key), key.meaning);
  }
  return out;
}

}  // namespace headrace::app
