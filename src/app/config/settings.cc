// SPDX-License-Identifier: Apache-2.0
#include "app/config/settings.h"

#include <algorithm>
#include <numeric>

#include "base/assert.h"

namespace headrace::app {

std::string Origin::text() const {
  if (line == 0) return file;
  return file + ":" + std::to_string(line) + ":" + std::to_string(column);
}

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  if (text.empty()) return parts;
  for (std::size_t from = 0;;) {
    auto const at = text.find(separator, from);
    parts.emplace_back(text.substr(from, at - from));
    if (at == std::string_view::npos) return parts;
    from = at + 1;
  }
}

namespace {

// Whether the first segments of `pattern` match `path`; `whole`: and there are no more.
bool matches(std::string_view pattern, std::string_view path, bool whole) {
  for (;;) {
    auto const want = pattern.substr(0, pattern.find('.'));
    auto const have = path.substr(0, path.find('.'));
    if (want != "*" && want != have) return false;
    bool const pattern_ends = want.size() == pattern.size(), path_ends = have.size() == path.size();
    if (path_ends) return pattern_ends == whole;
    if (pattern_ends) return false;
    pattern.remove_prefix(want.size() + 1);
    path.remove_prefix(have.size() + 1);
  }
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      auto const above = row[j];
      row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1])});
      diagonal = above;
    }
  }
  return row[b.size()];
}

}  // namespace

Key const* find_key(std::string_view path) {
  for (auto const& key : keys())
    if (matches(key.path, path, true)) return &key;
  return nullptr;
}

bool is_group(std::string_view path) {
  if (path.empty()) return true;
  return std::any_of(keys().begin(), keys().end(),
                     [&](Key const& key) { return matches(key.path, path, false); });
}

std::vector<std::string_view> members_of(std::string_view group) {
  std::vector<std::string_view> members;
  auto const depth = split(group, '.').size();
  for (auto const& key : keys()) {
    if (!group.empty() && !matches(key.path, group, false)) continue;
    auto rest = key.path;
    for (std::size_t i = 0; i < depth; ++i) rest.remove_prefix(rest.find('.') + 1);
    auto const member = rest.substr(0, rest.find('.'));
    if (std::find(members.begin(), members.end(), member) == members.end())
      members.push_back(member);
  }
  return members;
}

std::optional<std::string> nearest(std::string_view word,
                                   std::vector<std::string> const& candidates) {
  std::optional<std::string> best;
  std::size_t best_distance = std::max<std::size_t>(2, word.size() / 3) + 1;
  for (auto const& candidate : candidates) {
    auto const distance = edit_distance(word, candidate);
    if (distance >= best_distance) continue;
    best_distance = distance;
    best = candidate;
  }
  return best;
}

void Settings::put(std::string const& path, Setting setting) {
  if (!settings_.contains(path)) order_.push_back(path);
  settings_[path] = std::move(setting);
}

void Settings::add_default(std::string_view path, std::string_view value) {
  Setting setting{.raw = std::string(value), .value = std::string(value), .origin = {"default"}};
  setting.key = find_key(path);
  HEADRACE_ASSERT(setting.key != nullptr || is_group(path),
                  "a default for a key that is not declared");
  if (setting.key &&
      (setting.key->kind == KeyKind::kNameList || setting.key->kind == KeyKind::kTextList))
    setting.items = split(value, ',');
  setting.item_origins.assign(setting.items.size(), setting.origin);
  put(std::string(path), std::move(setting));
}

Setting const* Settings::find(std::string_view path) const {
  auto const it = settings_.find(path);
  return it == settings_.end() ? nullptr : &it->second;
}

std::string Settings::value(std::string_view path) const {
  if (auto const* setting = find(path)) return setting->value;
  auto const* key = find_key(path);
  HEADRACE_ASSERT(key != nullptr, "a value of a key that is not declared");
  return std::string(key->default_text);
}

std::vector<std::string> Settings::items(std::string_view path) const {
  if (auto const* setting = find(path)) return setting->items;
  auto const* key = find_key(path);
  HEADRACE_ASSERT(key != nullptr, "items of a key that is not declared");
  return split(key->default_text, ',');
}

std::vector<std::string> Settings::names(std::string_view map) const {
  std::vector<std::string> names;
  auto const prefix = std::string(map) + ".";
  for (auto const& path : order_) {
    if (!path.starts_with(prefix)) continue;
    auto name = path.substr(prefix.size(), path.find('.', prefix.size()) - prefix.size());
    if (std::find(names.begin(), names.end(), name) == names.end())
      names.push_back(std::move(name));
  }
  return names;
}

Origin Settings::origin(std::string_view path) const {
  if (auto const* setting = find(path)) return setting->origin;
  auto const prefix = std::string(path) + ".";
  for (auto const& [other, setting] : settings_)
    if (other.starts_with(prefix)) return setting.origin;
  return {"default"};
}

bool Settings::says(std::string_view path_or_map) const {
  if (settings_.contains(path_or_map)) return true;
  auto const it = settings_.lower_bound(std::string(path_or_map) + ".");
  return it != settings_.end() && it->first.starts_with(std::string(path_or_map) + ".");
}

}  // namespace headrace::app
