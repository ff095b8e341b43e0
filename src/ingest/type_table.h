// SPDX-License-Identifier: Apache-2.0
// TypeTable: from the name of a data type to what is declared about it and its topic.
//   Threads: immutable after make(); any. Lifetime: entries stay where they are while the table
//            lives, moved or not.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/error.h"
#include "broker/broker.h"
#include "model/data_type.h"

namespace headrace::ingest {

inline constexpr std::size_t kDataTypesMax = 256;

struct TypeEntry {
  model::DataType type;
  broker::TopicState topic;
  std::uint16_t index = 0;  // into TypeTable::entries()
};

class TypeTable {
 public:
  static base::Result<TypeTable> make(broker::Broker& broker,
                                      std::vector<model::DataType> const& types);

  TypeEntry const* find(std::string_view name) const {
    auto const it = by_name_.find(name);
    return it == by_name_.end() ? nullptr : it->second;
  }
  std::vector<std::unique_ptr<TypeEntry>> const& entries() const { return entries_; }
  // "unknown data type 'x'; did you mean 'y'?"
  std::string unknown(std::string_view name) const;
  // The weakest durability of all types: what an acknowledgement of a connection stands for.
  model::Durability weakest_durability() const;

 private:
  std::vector<std::unique_ptr<TypeEntry>> entries_;
  std::unordered_map<std::string_view, TypeEntry const*> by_name_;
};

// The candidate with the fewest single-character changes from `text`, when those are at most 2 and
// fewer than half of it.
std::string_view nearest(std::string_view text, std::vector<std::string_view> const& candidates);

}  // namespace headrace::ingest
