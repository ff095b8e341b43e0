// SPDX-License-Identifier: Apache-2.0
// Search: one question on one reading connection. Types are read by (type, time) and merged by
//         (time, row); a source by
// (source, time). Nothing is held but one row per type.
//   Threads: one. Lifetime: the Reader outlives it.
#pragma once

#include <unordered_map>

#include "documents/documents.h"
#include "documents/page_cursor.h"
#include "sqlite/database.h"

namespace headrace::documents::impl {

// A reading connection with the names it has seen.
class Reader {
 public:
  static base::Result<std::unique_ptr<Reader>> open(std::string const& path,
                                                    sqlite::OpenOptions const& options);

  base::Result<SearchEnd> search(Query const& query, SearchControl const& control,
                                 Visit const& visit);
  base::Result<std::uint64_t> count(Query const& query, SearchControl const& control);

 private:
  friend class Search;
  explicit Reader(sqlite::Database database) : database_(std::move(database)) {}
  base::Result<std::string_view> name(std::int64_t id);

  sqlite::Database database_;
  std::optional<sqlite::Statement> name_;
  std::unordered_map<std::int64_t, std::string> names_;
};

}  // namespace headrace::documents::impl
