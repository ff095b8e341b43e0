// SPDX-License-Identifier: Apache-2.0
// Writer: the one connection that inserts, with its prepared statements and the ids of names it has
//         seen.
//   Threads: one at a time. Lifetime: outlives its transactions, of which there is at most one.
#pragma once

#include <map>
#include <unordered_map>

#include "documents/documents.h"
#include "sqlite/database.h"

namespace headrace::documents::impl {

enum class NameKind : unsigned char { kType = 0, kSource = 1, kPrincipal = 2 };
inline constexpr std::size_t kNameKinds = 3;
inline constexpr std::size_t kNamesCachedMax = 100'000;

struct TextHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const {
    return std::hash<std::string_view>()(text);
  }
};

class Writer {
 public:
  static base::Result<std::unique_ptr<Writer>> open(std::string const& path,
                                                    sqlite::OpenOptions const& options,
                                                    std::uint64_t file_bytes_max);

  base::Result<std::unique_ptr<Transaction>> begin();
  base::Result<std::vector<StateEntry>> load_state(std::string_view scope);

 private:
  class Open;
  explicit Writer(sqlite::Database database) : database_(std::move(database)) {}
  base::Result<void> prepare();
  base::Result<std::int64_t> name_id(NameKind kind, std::string_view text);
  base::Result<std::optional<std::int64_t>> find_name(NameKind kind, std::string_view text);
  base::Result<bool> insert(NewMessage const& message);
  base::Result<std::uint64_t> erase(std::string_view source, std::string_view type);
  base::Result<void> forget_source(std::int64_t source, std::string_view text);
  base::Result<void> set_state(std::string_view scope, std::string_view key,
                               std::string_view value);
  void rolled_back();

  sqlite::Database database_;
  std::optional<sqlite::Statement> insert_, find_name_, add_name_, set_state_, remove_state_,
      set_counter_;
  std::unordered_map<std::string, std::int64_t, TextHash, std::equal_to<>> names_[kNameKinds];
  std::int64_t row_next_ = 1;       // of the open transaction
  std::int64_t row_committed_ = 1;  // where a rollback goes back to
  bool open_ = false;
};

}  // namespace headrace::documents::impl
