// SPDX-License-Identifier: Apache-2.0
// SqliteDocuments: Documents in one SQLite file (docs/formats/documents-sqlite.md), embedded
//   default. One connection writes, up to readers_max read: in WAL mode they never wait for one
//   another.
//   Errors at open: corrupt (not ours, or damaged), invalid_argument (a newer format: expected
//                   versions are named).
#pragma once

#include <memory>
#include <string>

#include "documents/documents.h"
#include "sqlite/database.h"

namespace headrace::documents {

struct SqliteOptions {
  sqlite::Synchronous synchronous = sqlite::Synchronous::kFull;
  std::size_t readers_max =
      4;  // searches at the same time; the next ones wait within their deadline
  int writer_cache_kb_max = 32'768;
  int reader_cache_kb_max = 4'096;
  std::uint64_t file_bytes_max = 0;  // a commit beyond is overloaded; 0: the disk is the bound
};

base::Result<std::unique_ptr<Documents>> open_sqlite_documents(std::string const& path,
                                                               SqliteOptions const& options);

}  // namespace headrace::documents
