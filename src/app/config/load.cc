// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>

#include "app/config/build.h"
#include "app/config/config.h"
#include "base/file_system.h"

namespace headrace::app {
namespace {

constexpr std::uint64_t kFileBytesMax = 1u << 20;

// What holds where the file says nothing about a whole map.
void add_defaults(Settings& settings) {
  if (!settings.says("data_types"))
    for (auto const* type : {"ethereum_metrics", "networking_metrics", "system_metrics"})
      settings.add_default(fmt::format("data_types.{}", type), "");
  if (!settings.says("receivers")) {
    settings.add_default("receivers.archive.type", "documents");
    settings.add_default("receivers.archive.store", "sqlite");
    settings.add_default("receivers.live.type", "live");
  }
}

// Every data type to every receiver that can show it: documents to all of them, points not to the
// document archive.
void add_default_subscriptions(Settings& settings) {
  for (auto const& type : settings.names("data_types")) {
    bool const points = settings.value(fmt::format("data_types.{}.body", type)) == "points";
    std::string to;
    for (auto const& receiver : settings.names("receivers")) {
      if (points && settings.value(fmt::format("receivers.{}.type", receiver)) == "documents")
        continue;
      to += (to.empty() ? "" : ",") + receiver;
    }
    settings.add_default(fmt::format("subscriptions.{}", type), to);
  }
}

Loaded finish(Settings from_file, std::vector<std::string> const& overrides,
              std::vector<Problem> problems) {
  Loaded loaded{.config = {}, .settings = std::move(from_file), .problems = std::move(problems)};
  bool const subscribed = loaded.settings.says("subscriptions");
  add_defaults(loaded.settings);
  std::vector<Problem> ignored;
  auto probe =
      loaded.settings;  // overrides may add data types and receivers, which then are subscribed too
  for (auto const& assignment : overrides) probe.add_override(assignment, ignored);
  if (!subscribed) {
    add_default_subscriptions(probe);
    for (auto const& type : probe.names("subscriptions"))
      loaded.settings.add_default(
          fmt::format("subscriptions.{}", type),
          fmt::format("{}", fmt::join(probe.items(fmt::format("subscriptions.{}", type)), ",")));
  }
  for (auto const& assignment : overrides)
    loaded.settings.add_override(assignment, loaded.problems);
  loaded.config = build_config(loaded.settings, loaded.problems);
  std::stable_sort(loaded.problems.begin(), loaded.problems.end(),
                   [](Problem const& a, Problem const& b) { return a.where < b.where; });
  return loaded;
}

}  // namespace

Loaded load_config_text(std::string const& text, std::string const& file,
                        std::vector<std::string> const& overrides) {
  Settings settings;
  std::vector<Problem> problems;
  settings.add_yaml(text, file, problems);
  return finish(std::move(settings), overrides, std::move(problems));
}

Loaded load_config(ConfigSource const& source) {
  if (!source.file) return finish({}, source.overrides, {});
  auto const text = base::read_file(base::real_file_system(), *source.file, kFileBytesMax);
  if (text) return load_config_text(*text, *source.file, source.overrides);
  return finish({}, source.overrides,
                {{{*source.file}, fmt::format("cannot be read: {}", text.error().context)}});
}

std::string to_string(std::vector<Problem> const& problems) {
  std::string out;
  for (auto const& problem : problems)
    out += fmt::format("{}: {}\n", problem.where.text(), problem.what);
  return out;
}

}  // namespace headrace::app
