// SPDX-License-Identifier: Apache-2.0
// The tables and their version. Threads: as Database.
#pragma once

#include "sqlite/database.h"

namespace headrace::documents::sqlite_schema {

inline constexpr int kFormatVersion = 1;
inline constexpr int kApplicationId = 0x48444F43;  // "HDOC"

// Makes the tables in an empty file; checks the version of any other.
base::Result<void> prepare_schema(sqlite::Database& database);

// For the benchmark that writes the same rows into the same tables without anything of ours.
char const* schema_sql();
extern char const* const kInsertSql;

}  // namespace headrace::documents::sqlite_schema
