// SPDX-License-Identifier: Apache-2.0
#include "ingest/type_table.h"

#include <algorithm>

namespace headrace::ingest {

base::Result<TypeTable> TypeTable::make(broker::Broker& broker,
                                        std::vector<model::DataType> const& types) {
  if (types.size() > kDataTypesMax)
    return base::Error{base::ErrorCode::kInvalidArgument,
                       fmt::format("{} data types are declared; at most {} are supported",
                                   types.size(), kDataTypesMax)};
  TypeTable table;
  for (auto const& type : types) {
    if (table.find(type.name.text()))
      return base::Error{base::ErrorCode::kInvalidArgument,
                         fmt::format("data type '{}' is declared twice", type.name.text())};
    auto entry = std::make_unique<TypeEntry>();
    entry->type = type;
    HEADRACE_TRY(entry->topic, broker.open_topic(type));
    entry->index = static_cast<std::uint16_t>(table.entries_.size());
    table.by_name_.emplace(entry->type.name.text(), entry.get());
    table.entries_.push_back(std::move(entry));
  }
  return table;
}

std::string TypeTable::unknown(std::string_view name) const {
  std::vector<std::string_view> names;
  for (auto const& entry : entries_) names.push_back(entry->type.name.text());
  auto const shown = name.substr(0, 64);
  if (auto const near = nearest(name, names); !near.empty())
    return fmt::format("unknown data type '{}'; did you mean '{}'?", shown, near);
  return fmt::format("unknown data type '{}'", shown);
}

model::Durability TypeTable::weakest_durability() const {
  auto weakest = model::Durability::kDisk;
  for (auto const& entry : entries_) weakest = std::min(weakest, entry->type.durability);
  return weakest;
}

namespace {

// Levenshtein's distance, one row at a time.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
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

std::string_view nearest(std::string_view text, std::vector<std::string_view> const& candidates) {
  constexpr std::size_t kTextMax = 64;  // longer ones are no typing errors
  constexpr std::size_t kChangesMax = 2;
  std::string_view best;
  auto best_distance = kChangesMax + 1;
  if (text.size() > kTextMax) return best;
  for (auto const candidate : candidates) {
    auto const d = distance(text, candidate);
    if (d < best_distance && d * 2 < std::max(text.size(), candidate.size())) {
      best = candidate;
      best_distance = d;
    }
  }
  return best;
}

}  // namespace headrace::ingest
