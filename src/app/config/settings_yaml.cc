// SPDX-License-Identifier: Apache-2.0
// The only file that knows the YAML library.
#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <set>

#include "app/config/settings.h"
#include "app/config/values.h"

namespace headrace::app {
namespace {

bool is_list(KeyKind kind) {
  return kind == KeyKind::kListen || kind == KeyKind::kTextList || kind == KeyKind::kNameList;
}

std::string join(std::string const& group, std::string const& name) {
  return group.empty() ? name : group + "." + name;
}

std::string shape_of(YAML::Node const& node) {
  if (node.IsMap()) return "a map";
  if (node.IsSequence()) return "a list";
  if (node.IsNull()) return "nothing";
  return fmt::format("'{}'", node.Scalar());
}

}  // namespace

// Walks a YAML tree beside the table of keys. No exception leaves it.
class YamlWalk {
 public:
  YamlWalk(Settings& settings, std::string file, bool has_places, std::vector<Problem>& problems)
      : settings_(settings), file_(std::move(file)), has_places_(has_places), problems_(problems) {}

  void walk(YAML::Node const& node, std::string const& path) {
    if (auto const* key = find_key(path)) return take(node, path, *key);
    if (node.IsNull()) return name_entry(node, path);
    if (!node.IsMap())
      return problem(node, fmt::format("{}: expected a map, got {}", shown(path), shape_of(node)));
    name_entry(node, path);
    std::set<std::string> seen;
    for (auto const& entry : node) {
      if (!entry.first.IsScalar()) {
        problem(entry.first, fmt::format("{}: expected a name as key", shown(path)));
        continue;
      }
      auto const name = entry.first.Scalar();
      if (!seen.insert(name).second)
        problem(entry.first, fmt::format("'{}' is given twice", join(path, name)));
      step(entry.first, entry.second, path, name);
    }
  }

  // One key below a group.
  void step(YAML::Node const& name_node, YAML::Node const& value, std::string const& group,
            std::string const& name) {
    auto const path = join(group, name);
    bool const dotted = name.find('.') != std::string::npos || name.empty();
    if (!dotted && (find_key(path) || is_group(path))) return walk(value, path);
    problem(name_node, unknown(group, name));
  }

  static std::string unknown(std::string const& group, std::string const& name) {
    std::vector<std::string> candidates;
    for (auto const member : members_of(group))
      if (member != "*") candidates.emplace_back(member);
    auto const path = join(group, name);
    if (auto const near = nearest(name, candidates))
      return fmt::format("unknown key '{}'; nearest: '{}'", path, join(group, *near));
    for (auto const& key : keys())
      if (std::string_view(key.path).ends_with("." + name))
        return fmt::format("unknown key '{}'; nearest: '{}'", path, key.path);
    return fmt::format("unknown key '{}'; expected {}{}", path,
                       candidates.size() > 1 ? "one of " : "", fmt::join(candidates, ", "));
  }

  void take(YAML::Node const& node, std::string const& path, Key const& key) {
    Setting setting{.raw = {},
                    .value = {},
                    .items = {},
                    .item_origins = {},
                    .origin = place(node),
                    .key = &key};
    if (is_list(key.kind)) {
      if (!take_items(node, path, key, setting)) return;
    } else {
      if (!node.IsScalar())
        return problem(node, fmt::format("{}: expected {}, got {}", path, kind_name(key.kind),
                                         shape_of(node)));
      auto value = scalar(node, path, key);
      if (!value) return;
      setting.raw = node.Scalar();
      setting.value = std::move(*value);
    }
    settings_.put(path, std::move(setting));
  }

 private:
  bool take_items(YAML::Node const& node, std::string const& path, Key const& key,
                  Setting& setting) {
    if (node.IsMap()) {
      problem(node, fmt::format("{}: expected {}, got a map", path, kind_name(key.kind)));
      return false;
    }
    auto const add = [&](YAML::Node const& item) {
      if (!item.IsScalar())
        return problem(item, fmt::format("{}: expected {}, got {} in it", path, kind_name(key.kind),
                                         shape_of(item)));
      if (auto value = scalar(item, path, key)) {
        setting.raw += (setting.raw.empty() ? "" : ",") + item.Scalar();
        setting.items.push_back(std::move(*value));
        setting.item_origins.push_back(place(item));
      }
    };
    if (node.IsScalar()) add(node);
    if (node.IsSequence())
      for (auto const& item : node) add(item);
    setting.value = fmt::format("{}", fmt::join(setting.items, ","));
    bool const given = node.IsScalar() || (node.IsSequence() && node.size() > 0);
    return !given || !setting.items.empty();  // none was good: that was said
  }

  std::optional<std::string> scalar(YAML::Node const& node, std::string const& path,
                                    Key const& key) {
    auto value = expand(node.Scalar());
    if (!value) {
      problem(node, fmt::format("{}: {}", path, value.error().context));
      return std::nullopt;
    }
    if (auto const good = check_value(key, *value); !good) {
      problem(node, fmt::format("{}: '{}'{}: {}", path, node.Scalar(), expansion(node, *value, key),
                                good.error().context));
      return std::nullopt;
    }
    return std::move(*value);
  }

  // What ${NAME} became, so that the message can be understood. Secrets are never shown.
  static std::string expansion(YAML::Node const& node, std::string const& value, Key const& key) {
    if (value == node.Scalar() || key.kind == KeyKind::kSecret) return {};
    return fmt::format(", which is '{}'", value);
  }

  void name_entry(YAML::Node const& node, std::string const& path) {
    if (path.empty()) return;
    settings_.put(path, {.raw = {},
                         .value = {},
                         .items = {},
                         .item_origins = {},
                         .origin = place(node),
                         .key = nullptr});
  }

  Origin place(YAML::Node const& node) const {
    auto const mark = node.Mark();
    if (!has_places_ || mark.is_null()) return {file_};
    return {file_, mark.line + 1, mark.column + 1};
  }
  void problem(YAML::Node const& node, std::string what) {
    problems_.push_back({place(node), std::move(what)});
  }
  static std::string shown(std::string const& path) { return path.empty() ? "the file" : path; }

  Settings& settings_;
  std::string file_;
  bool has_places_;
  std::vector<Problem>& problems_;
};

void Settings::add_yaml(std::string const& text, std::string const& file,
                        std::vector<Problem>& problems) {
  try {
    auto const documents = YAML::LoadAll(text);
    if (documents.empty()) return;
    if (documents.size() > 1)
      problems.push_back({{file}, "expected one YAML document, got several"});
    YamlWalk(*this, file, true, problems).walk(documents.front(), "");
  } catch (YAML::Exception const& error) {
    auto const& mark = error.mark;
    auto const* const quote = text.find("${") == std::string::npos
                                  ? ""
                                  : " (within { } and [ ] write '${NAME}' in quotes)";
    problems.push_back(
        {{file, mark.line + 1, mark.column + 1}, fmt::format("not YAML: {}{}", error.msg, quote)});
  }
}

namespace {

// What --set gives a key: text as it is; lists separated by commas, or as YAML in brackets; groups
// as YAML.
YAML::Node node_of(std::string_view value, Key const* key) {
  std::string const text(value);
  if (key == nullptr || (is_list(key->kind) && text.starts_with('[') && text.ends_with(']')))
    return YAML::Load(text);
  if (!is_list(key->kind)) return YAML::Node(text);
  YAML::Node list(YAML::NodeType::Sequence);
  for (auto const& item : split(value, ',')) list.push_back(item);
  return list;
}

}  // namespace

void Settings::add_override(std::string_view assignment, std::vector<Problem>& problems) {
  auto const equals = assignment.find('=');
  if (equals == std::string_view::npos || equals == 0) {
    problems.push_back(
        {{fmt::format("--set {}", assignment)}, "expected KEY=VALUE, as http.listen=127.0.0.1:0"});
    return;
  }
  std::string const path(assignment.substr(0, equals));
  Origin const origin{"--set " + path};
  std::string group;
  for (auto const& name : split(path, '.')) {
    auto const next = join(group, name);
    if (find_key(group)) {
      problems.push_back(
          {origin,
           fmt::format("unknown key '{}'; '{}' is a value, nothing is below it", path, group)});
      return;
    }
    if (name.empty() || (!find_key(next) && !is_group(next))) {
      problems.push_back({origin, YamlWalk::unknown(group, name)});
      return;
    }
    group = next;
  }
  try {
    YamlWalk(*this, origin.file, false, problems)
        .walk(node_of(assignment.substr(equals + 1), find_key(path)), path);
  } catch (YAML::Exception const& error) {
    problems.push_back({origin, fmt::format("not YAML: {}", error.msg)});
  }
}

}  // namespace headrace::app
