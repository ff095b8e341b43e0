// SPDX-License-Identifier: Apache-2.0
#include "documents/sqlite/impl/writer.h"

#include <fmt/format.h>

#include "base/assert.h"
#include "documents/sqlite/impl/compact_id.h"
#include "documents/sqlite/schema.h"

namespace headrace::documents::impl {

using base::Result;
using sqlite::Statement;

class Writer::Open final : public Transaction {
 public:
  Open(Writer& writer, sqlite::Transaction transaction)
      : writer_(writer), transaction_(std::move(transaction)) {
    writer_.open_ = true;
  }
  ~Open() override {
    if (committed_) return;
    transaction_.rollback();
    writer_.rolled_back();
    writer_.open_ = false;
  }

  Result<void> insert(std::span<NewMessage const> messages,
                      std::vector<Inserted>& results) override {
    for (NewMessage const& message : messages) {
      HEADRACE_TRY(bool const fresh, writer_.insert(message));
      results.push_back(fresh ? Inserted::kStored : Inserted::kDuplicate);
    }
    return {};
  }
  Result<std::uint64_t> erase(std::string_view source, std::string_view type) override {
    return writer_.erase(source, type);
  }
  Result<void> set_state(std::string_view scope, std::string_view key,
                         std::string_view value) override {
    return writer_.set_state(scope, key, value);
  }
  Result<void> commit() override {
    HEADRACE_TRY_VOID(transaction_.commit());
    committed_ = true;
    writer_.open_ = false;
    writer_.row_committed_ = writer_.row_next_;
    return {};
  }

 private:
  Writer& writer_;
  sqlite::Transaction transaction_;
  bool committed_ = false;
};

Result<std::unique_ptr<Writer>> Writer::open(std::string const& path,
                                             sqlite::OpenOptions const& options,
                                             std::uint64_t file_bytes_max) {
  HEADRACE_TRY(sqlite::Database database, sqlite::Database::open(path, options));
  HEADRACE_TRY_VOID(sqlite_schema::prepare_schema(database));
  if (file_bytes_max > 0) HEADRACE_TRY_VOID(database.limit_bytes(file_bytes_max));
  // What is erased must not stay readable in free pages.
  HEADRACE_TRY_VOID(database.execute("PRAGMA secure_delete=ON"));
  std::unique_ptr<Writer> writer(new Writer(std::move(database)));
  HEADRACE_TRY_VOID(writer->prepare());
  return writer;
}

Result<void> Writer::prepare() {
  auto const make = [this](std::optional<Statement>& statement,
                           std::string_view sql) -> Result<void> {
    HEADRACE_TRY(statement, database_.prepare(sql));
    return {};
  };
  HEADRACE_TRY_VOID(make(insert_, sqlite_schema::kInsertSql));
  HEADRACE_TRY_VOID(make(find_name_, "SELECT id FROM names WHERE kind=? AND text=?"));
  HEADRACE_TRY_VOID(make(add_name_, "INSERT INTO names(kind,text) VALUES(?,?)"));
  HEADRACE_TRY_VOID(
      make(set_state_,
           "INSERT INTO state VALUES(?,?,?) ON CONFLICT DO UPDATE SET value=excluded.value"));
  HEADRACE_TRY_VOID(make(remove_state_, "DELETE FROM state WHERE scope=? AND key=?"));
  HEADRACE_TRY_VOID(make(set_counter_,
                         "INSERT INTO counters VALUES(?,?) ON CONFLICT DO UPDATE SET "
                         "value=max(value,excluded.value)"));
  HEADRACE_TRY(
      Statement last,
      database_.prepare("SELECT max(coalesce((SELECT max(row)+1 FROM messages),1), "
                        "coalesce((SELECT value FROM counters WHERE name='row_next'),1))"));
  HEADRACE_TRY(bool const found, last.step());
  row_next_ = row_committed_ = found ? last.integer(0) : 1;
  return {};
}

Result<std::unique_ptr<Transaction>> Writer::begin() {
  HEADRACE_ASSERT(!open_, "a transaction is open");
  HEADRACE_TRY(sqlite::Transaction transaction, sqlite::Transaction::begin(database_));
  return std::unique_ptr<Transaction>(new Open(*this, std::move(transaction)));
}

void Writer::rolled_back() {
  row_next_ = row_committed_;
  for (auto& names : names_) names.clear();  // some may have been of this transaction
}

Result<std::optional<std::int64_t>> Writer::find_name(NameKind kind, std::string_view text) {
  find_name_->bind(1, static_cast<std::int64_t>(kind)).bind(2, text);
  auto const found = find_name_->step();
  std::optional<std::int64_t> id;
  if (found && *found) id = find_name_->integer(0);
  find_name_->reset();
  if (!found) return found.error();
  return id;
}

Result<std::int64_t> Writer::name_id(NameKind kind, std::string_view text) {
  auto& cached = names_[static_cast<std::size_t>(kind)];
  if (auto const at = cached.find(text); at != cached.end()) return at->second;
  HEADRACE_TRY(std::optional<std::int64_t> id, find_name(kind, text));
  if (!id) {
    HEADRACE_TRY_VOID(add_name_->bind(1, static_cast<std::int64_t>(kind)).bind(2, text).run());
    id = database_.last_insert_id();
  }
  if (cached.size() >= kNamesCachedMax) cached.clear();
  cached.emplace(text, *id);
  return *id;
}

Result<bool> Writer::insert(NewMessage const& m) {
  HEADRACE_TRY(std::int64_t const type, name_id(NameKind::kType, m.type));
  HEADRACE_TRY(std::int64_t const source, name_id(NameKind::kSource, m.source));
  HEADRACE_TRY(std::int64_t const principal, name_id(NameKind::kPrincipal, m.principal));
  CompactId const id(m.id);
  insert_->bind(1, row_next_)
      .bind(2, type)
      .bind(3, source)
      .bind(4, principal)
      .bind(5, m.time.ns)
      .bind(6, m.received.ns);
  insert_->bind(7, static_cast<std::int64_t>(m.encoding));
  id.bind(*insert_, 8);
  insert_->bind(9, m.body);
  HEADRACE_TRY_VOID(insert_->run());
  bool const fresh = database_.changes() > 0;
  if (fresh) ++row_next_;
  return fresh;
}

Result<std::uint64_t> Writer::erase(std::string_view source, std::string_view type) {
  HEADRACE_TRY(auto const source_id, find_name(NameKind::kSource, source));
  if (!source_id) return 0;
  std::string sql = fmt::format("DELETE FROM messages WHERE source={}", *source_id);
  if (!type.empty()) {
    HEADRACE_TRY(auto const type_id, find_name(NameKind::kType, type));
    if (!type_id) return 0;
    sql += fmt::format(" AND type={}", *type_id);
  }
  // A number that a page cursor may hold must not come again, even when the newest rows go.
  HEADRACE_TRY_VOID(set_counter_->bind(1, std::string_view("row_next")).bind(2, row_next_).run());
  HEADRACE_TRY_VOID(database_.execute(sql));
  auto const count = static_cast<std::uint64_t>(database_.changes());
  HEADRACE_TRY_VOID(forget_source(*source_id, source));
  return count;
}

// The name goes with its last message.
Result<void> Writer::forget_source(std::int64_t source, std::string_view text) {
  HEADRACE_TRY_VOID(database_.execute(fmt::format(
      "DELETE FROM names WHERE id={0} AND NOT EXISTS (SELECT 1 FROM messages WHERE source={0})",
      source)));
  auto& cached = names_[static_cast<std::size_t>(NameKind::kSource)];
  if (auto const at = cached.find(text); at != cached.end()) cached.erase(at);
  return {};
}

Result<void> Writer::set_state(std::string_view scope, std::string_view key,
                               std::string_view value) {
  Statement& statement = value.empty() ? *remove_state_ : *set_state_;
  statement.bind(1, scope).bind(2, base::as_bytes(key));
  if (!value.empty()) statement.bind(3, base::as_bytes(value));
  return statement.run();
}

Result<std::vector<StateEntry>> Writer::load_state(std::string_view scope) {
  HEADRACE_TRY(Statement statement,
               database_.prepare("SELECT key,value FROM state WHERE scope=? ORDER BY key"));
  statement.bind(1, scope);
  std::vector<StateEntry> entries;
  for (;;) {
    HEADRACE_TRY(bool const row, statement.step());
    if (!row) return entries;
    entries.push_back({std::string(base::as_text(statement.blob(0))),
                       std::string(base::as_text(statement.blob(1)))});
  }
}

}  // namespace headrace::documents::impl
