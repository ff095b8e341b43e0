// SPDX-License-Identifier: Apache-2.0
// Database, Statement, Transaction: SQLite with ownership, results and nothing more. The only
// module that includes sqlite3.h.
//   Threads:  a Database and its Statements belong to one thread at a time; interrupt() may be
//             called from any thread while the Database lives. Several Databases may be open on one
//             file: in WAL mode readers never block the writer.
//   Lifetime: Statements and Transactions must go before their Database. A moved-from object may
//             only be destroyed.
//   Errors:   overloaded (disk full; or busy for longer than busy_timeout), io, corrupt (damaged,
//             or not a database), already_exists (a constraint), cancelled (interrupt), unavailable
//             (cannot open), invalid_argument (bad SQL), internal. The context names the file, what
//             was done and SQLite's own words.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/error.h"

struct sqlite3;
struct sqlite3_stmt;

namespace headrace::sqlite {

// full: a commit survives a power failure. normal: a commit survives our end; a power failure may
// take the last ones, never the file's consistency. off: for scratch files.
enum class Synchronous : unsigned char { kOff, kNormal, kFull };

struct OpenOptions {
  bool read_only = false;  // must exist; its writer has set WAL mode
  bool create = true;
  Synchronous synchronous = Synchronous::kFull;
  std::chrono::milliseconds busy_timeout{5'000};
  int cache_kb_max = 8'192;
  int page_bytes = 4'096;           // only when the file is created
  int checkpoint_pages = 4'000;     // the WAL goes back into the file about every so many pages
  std::uint64_t map_bytes_max = 0;  // of the file mapped for reading; 0: plain reads
};

class Statement;

class Database {
 public:
  // WAL mode. `path` may be ":memory:" in tests.
  static base::Result<Database> open(std::string const& path, OpenOptions const& options);

  Database(Database&&) noexcept;
  Database& operator=(Database&&) noexcept;
  ~Database();

  // One or several statements without parameters or results.
  base::Result<void> execute(std::string const& sql);
  base::Result<Statement> prepare(std::string_view sql);

  // PRAGMA user_version: what the schema's owner writes its format version into. 0 in a new file.
  base::Result<int> user_version();
  base::Result<void> set_user_version(int version);

  std::int64_t last_insert_id() const;
  std::int64_t changes() const;  // rows changed by the last INSERT, UPDATE or DELETE
  bool in_transaction() const;
  std::string const& path() const;

  // Makes the step that runs now, on whatever thread, end with cancelled.
  void interrupt();
  // Writes the WAL back into the file and cuts it to nothing, when no reader stands in the way.
  base::Result<void> checkpoint();
  // Bounds the file, for tests of a full disk and for budgets: a write beyond is overloaded.
  base::Result<void> limit_bytes(std::uint64_t bytes_max);

 private:
  friend class Statement;
  friend class Transaction;
  struct Impl;
  explicit Database(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// A prepared statement. Bind, step until false, reset, again. Indexes of parameters count from 1,
// of columns from 0.
//   Lifetime: bound text and blobs are not copied: they must stay until reset(). Column views last
//             until the next step or reset.
class Statement {
 public:
  Statement(Statement&&) noexcept;
  Statement& operator=(Statement&&) noexcept;
  ~Statement();

  Statement& bind(int index, std::int64_t value);
  Statement& bind_real(int index, double value);
  Statement& bind(int index, std::string_view text);
  Statement& bind(int index, base::Bytes blob);
  Statement& bind_null(int index);

  // True: a row stands ready. False: done. Errors of bind come out here.
  base::Result<bool> step();
  // step() for statements without rows, then reset().
  base::Result<void> run();
  // Ready to be bound and run again. Never fails: what step() said stands.
  void reset();

  bool is_null(int column) const;
  bool is_text(int column) const;
  std::int64_t integer(int column) const;
  double real(int column) const;
  std::string_view text(int column) const;
  base::Bytes blob(int column) const;

 private:
  friend class Database;
  Statement(Database::Impl* database, sqlite3_stmt* handle)
      : database_(database), handle_(handle) {}
  void note(int code);

  Database::Impl* database_ = nullptr;
  sqlite3_stmt* handle_ = nullptr;
  int bind_error_ = 0;
};

// BEGIN IMMEDIATE; rolled back unless commit() was called.
class Transaction {
 public:
  static base::Result<Transaction> begin(Database& database);
  Transaction(Transaction&& other) noexcept : database_(other.database_) {
    other.database_ = nullptr;
  }
  Transaction& operator=(Transaction&&) = delete;
  ~Transaction();
  // On an error nothing was committed and the transaction is rolled back.
  base::Result<void> commit();
  void rollback();

 private:
  explicit Transaction(Database::Impl* database) : database_(database) {}
  Database::Impl* database_;
};

}  // namespace headrace::sqlite
