// SPDX-License-Identifier: Apache-2.0
#include "documents/sqlite/schema.h"

#include <fmt/format.h>

namespace headrace::documents::sqlite_schema {

using base::Error;
using base::ErrorCode;
using base::Result;

char const* const kInsertSql =
    "INSERT INTO messages(row,type,source,principal,time,received,encoding,id,body) "
    "VALUES(?,?,?,?,?,?,?,?,?) "
    "ON CONFLICT DO NOTHING";

char const* schema_sql() {
  return R"(
CREATE TABLE names(
  id INTEGER PRIMARY KEY AUTOINCREMENT, kind INTEGER NOT NULL, text TEXT NOT NULL,
  UNIQUE(kind, text));
CREATE TABLE messages(
  row INTEGER PRIMARY KEY, type INTEGER NOT NULL, source INTEGER NOT NULL,
  principal INTEGER NOT NULL, time INTEGER NOT NULL, received INTEGER NOT NULL,
  encoding INTEGER NOT NULL, id NOT NULL, body BLOB NOT NULL);
CREATE UNIQUE INDEX messages_id ON messages(source, type, id);
CREATE INDEX messages_type_time ON messages(type, time);
CREATE INDEX messages_source_time ON messages(source, time);
CREATE TABLE state(
  scope TEXT NOT NULL, key BLOB NOT NULL, value BLOB NOT NULL,
  PRIMARY KEY(scope, key)) WITHOUT ROWID;
CREATE TABLE counters(name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
)";
}

namespace {

Result<std::int64_t> single(sqlite::Database& database, std::string_view sql) {
  HEADRACE_TRY(sqlite::Statement statement, database.prepare(sql));
  HEADRACE_TRY(bool const row, statement.step());
  return row ? statement.integer(0) : 0;
}

}  // namespace

Result<void> prepare_schema(sqlite::Database& database) {
  HEADRACE_TRY(sqlite::Transaction transaction, sqlite::Transaction::begin(database));
  HEADRACE_TRY(int const version, database.user_version());
  HEADRACE_TRY(std::int64_t const tables, single(database, "SELECT count(*) FROM sqlite_master"));
  HEADRACE_TRY(std::int64_t const application, single(database, "PRAGMA application_id"));
  if (tables != 0 || version != 0) {
    if (application != kApplicationId)
      return Error{
          ErrorCode::kCorrupt,
          fmt::format("{}: a database, but not a document store of Headrace (application id {})",
                      database.path(), application)};
    if (version != kFormatVersion)
      return Error{
          ErrorCode::kInvalidArgument,
          fmt::format("{}: document store of format version {}; this program reads version {}{}",
                      database.path(), version, kFormatVersion,
                      version > kFormatVersion ? ": it was written by a newer one" : "")};
    return {};
  }
  HEADRACE_TRY_VOID(database.execute(schema_sql()));
  HEADRACE_TRY_VOID(database.execute(fmt::format("PRAGMA application_id={}", kApplicationId)));
  HEADRACE_TRY_VOID(database.set_user_version(kFormatVersion));
  return transaction.commit();
}

}  // namespace headrace::documents::sqlite_schema
