// SPDX-License-Identifier: Apache-2.0
#include "sqlite/database.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include "base/assert.h"

namespace headrace::sqlite {

using base::Error;
using base::ErrorCode;
using base::Result;

namespace {

ErrorCode map_code(int code) {
  switch (code & 0xFF) {
    case SQLITE_FULL:
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_NOMEM: return ErrorCode::kOverloaded;
    case SQLITE_IOERR:
    case SQLITE_READONLY: return ErrorCode::kIo;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB: return ErrorCode::kCorrupt;
    case SQLITE_CONSTRAINT: return ErrorCode::kAlreadyExists;
    case SQLITE_INTERRUPT: return ErrorCode::kCancelled;
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_AUTH: return ErrorCode::kUnavailable;
    case SQLITE_ERROR:
    case SQLITE_TOOBIG:
    case SQLITE_RANGE: return ErrorCode::kInvalidArgument;
    default: return ErrorCode::kInternal;
  }
}

constexpr std::string_view name_of(Synchronous synchronous) {
  switch (synchronous) {
    case Synchronous::kOff: return "OFF";
    case Synchronous::kNormal: return "NORMAL";
    case Synchronous::kFull: return "FULL";
  }
  return "FULL";
}

}  // namespace

struct Database::Impl {
  sqlite3* handle = nullptr;
  std::string path;

  Impl() = default;
  Impl(Impl const&) = delete;
  Impl& operator=(Impl const&) = delete;
  ~Impl() {
    int const code = sqlite3_close(handle);
    HEADRACE_ASSERT(code == SQLITE_OK, "a statement outlived its database");
  }

  Error error(int code, std::string_view doing) const {
    int const extended = handle != nullptr ? sqlite3_extended_errcode(handle) : code;
    char const* const words = handle != nullptr && (extended & 0xFF) == (code & 0xFF)
                                  ? sqlite3_errmsg(handle)
                                  : sqlite3_errstr(code);
    return {map_code(code), fmt::format("{}: {}: {} (sqlite {})", path, doing, words,
                                        (extended & 0xFF) == (code & 0xFF) ? extended : code)};
  }

  Result<void> execute(char const* sql, std::string_view doing) {
    int const code = sqlite3_exec(handle, sql, nullptr, nullptr, nullptr);
    if (code != SQLITE_OK) return error(code, doing);
    return {};
  }
};

Database::Database(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Database::Database(Database&&) noexcept = default;
Database& Database::operator=(Database&&) noexcept = default;
Database::~Database() = default;

Result<Database> Database::open(std::string const& path, OpenOptions const& options) {
  auto impl = std::make_unique<Impl>();
  impl->path = path;
  int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  flags |= options.read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE;
  if (options.create && !options.read_only) flags |= SQLITE_OPEN_CREATE;
  if (int const code = sqlite3_open_v2(path.c_str(), &impl->handle, flags, nullptr);
      code != SQLITE_OK)
    return impl->error(code, "open");
  sqlite3_busy_timeout(impl->handle, static_cast<int>(options.busy_timeout.count()));
  // The page size counts only before the first write; WAL mode is kept in the file.
  std::string const setup = fmt::format(
      "PRAGMA page_size={}; {} PRAGMA synchronous={}; PRAGMA cache_size=-{}; PRAGMA "
      "wal_autocheckpoint={}; "
      "PRAGMA mmap_size={}; PRAGMA temp_store=MEMORY;",
      options.page_bytes, options.read_only ? "" : "PRAGMA journal_mode=WAL;",
      name_of(options.synchronous), options.cache_kb_max, options.checkpoint_pages,
      options.map_bytes_max);
  HEADRACE_TRY_VOID(impl->execute(setup.c_str(), "open"));
  // Nothing above reads a page of a file that exists; a question does, so that damage shows here.
  HEADRACE_TRY_VOID(impl->execute("SELECT count(*) FROM sqlite_master", "open"));
  return Database(std::move(impl));
}

Result<void> Database::execute(std::string const& sql) { return impl_->execute(sql.c_str(), sql); }

Result<Statement> Database::prepare(std::string_view sql) {
  sqlite3_stmt* handle = nullptr;
  int const code = sqlite3_prepare_v3(impl_->handle, sql.data(), static_cast<int>(sql.size()),
                                      SQLITE_PREPARE_PERSISTENT, &handle, nullptr);
  if (code != SQLITE_OK) return impl_->error(code, sql);
  HEADRACE_ASSERT(handle != nullptr, "an empty statement");
  return Statement(impl_.get(), handle);
}

Result<int> Database::user_version() {
  HEADRACE_TRY(Statement statement, prepare("PRAGMA user_version"));
  HEADRACE_TRY(bool const row, statement.step());
  return row ? static_cast<int>(statement.integer(0)) : 0;
}

Result<void> Database::set_user_version(int version) {
  return execute(fmt::format("PRAGMA user_version={}", version));
}

std::int64_t Database::last_insert_id() const { return sqlite3_last_insert_rowid(impl_->handle); }
std::int64_t Database::changes() const { return sqlite3_changes64(impl_->handle); }
bool Database::in_transaction() const { return sqlite3_get_autocommit(impl_->handle) == 0; }
std::string const& Database::path() const { return impl_->path; }
void Database::interrupt() { sqlite3_interrupt(impl_->handle); }

Result<void> Database::checkpoint() { return execute("PRAGMA wal_checkpoint(TRUNCATE)"); }

Result<void> Database::limit_bytes(std::uint64_t bytes_max) {
  HEADRACE_TRY(Statement statement, prepare("PRAGMA page_size"));
  HEADRACE_TRY(bool const row, statement.step());
  std::uint64_t const page = row ? static_cast<std::uint64_t>(statement.integer(0)) : 4'096;
  statement.reset();
  return execute(
      fmt::format("PRAGMA max_page_count={}", std::max<std::uint64_t>(1, bytes_max / page)));
}

Statement::Statement(Statement&& other) noexcept
    : database_(other.database_),
      handle_(std::exchange(other.handle_, nullptr)),
      bind_error_(other.bind_error_) {}

Statement& Statement::operator=(Statement&& other) noexcept {
  std::swap(database_, other.database_);
  std::swap(handle_, other.handle_);
  std::swap(bind_error_, other.bind_error_);
  return *this;
}

Statement::~Statement() { sqlite3_finalize(handle_); }

void Statement::note(int code) {
  if (code != SQLITE_OK && bind_error_ == SQLITE_OK) bind_error_ = code;
}

Statement& Statement::bind(int index, std::int64_t value) {
  note(sqlite3_bind_int64(handle_, index, value));
  return *this;
}

Statement& Statement::bind_real(int index, double value) {
  note(sqlite3_bind_double(handle_, index, value));
  return *this;
}

Statement& Statement::bind(int index, std::string_view text) {
  // A null pointer would bind NULL; an empty text is not that.
  note(sqlite3_bind_text64(handle_, index, text.data() != nullptr ? text.data() : "", text.size(),
                           SQLITE_STATIC, SQLITE_UTF8));
  return *this;
}

Statement& Statement::bind(int index, base::Bytes blob) {
  void const* const data = blob.data() != nullptr ? static_cast<void const*>(blob.data()) : "";
  note(sqlite3_bind_blob64(handle_, index, data, blob.size(), SQLITE_STATIC));
  return *this;
}

Statement& Statement::bind_null(int index) {
  note(sqlite3_bind_null(handle_, index));
  return *this;
}

Result<bool> Statement::step() {
  if (bind_error_ != SQLITE_OK)
    return database_->error(bind_error_, fmt::format("bind to {}", sqlite3_sql(handle_)));
  int const code = sqlite3_step(handle_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  return database_->error(code, sqlite3_sql(handle_));
}

Result<void> Statement::run() {
  auto const stepped = step();
  reset();
  if (!stepped) return stepped.error();
  return {};
}

void Statement::reset() {
  sqlite3_reset(handle_);
  bind_error_ = SQLITE_OK;
}

bool Statement::is_null(int column) const {
  return sqlite3_column_type(handle_, column) == SQLITE_NULL;
}
bool Statement::is_text(int column) const {
  return sqlite3_column_type(handle_, column) == SQLITE_TEXT;
}
std::int64_t Statement::integer(int column) const { return sqlite3_column_int64(handle_, column); }
double Statement::real(int column) const { return sqlite3_column_double(handle_, column); }

std::string_view Statement::text(int column) const {
  auto const* const data = reinterpret_cast<char const*>(sqlite3_column_text(handle_, column));
  return data == nullptr
             ? std::string_view()
             : std::string_view(data,
                                static_cast<std::size_t>(sqlite3_column_bytes(handle_, column)));
}

base::Bytes Statement::blob(int column) const {
  auto const* const data = static_cast<std::byte const*>(sqlite3_column_blob(handle_, column));
  return data == nullptr
             ? base::Bytes()
             : base::Bytes(data, static_cast<std::size_t>(sqlite3_column_bytes(handle_, column)));
}

Result<Transaction> Transaction::begin(Database& database) {
  HEADRACE_TRY_VOID(database.impl_->execute("BEGIN IMMEDIATE", "begin a transaction"));
  return Transaction(database.impl_.get());
}

Transaction::~Transaction() { rollback(); }

void Transaction::rollback() {
  if (database_ == nullptr) return;
  Database::Impl* const database = std::exchange(database_, nullptr);
  // Some errors roll back by themselves; then there is nothing to do.
  if (sqlite3_get_autocommit(database->handle) == 0)
    sqlite3_exec(database->handle, "ROLLBACK", nullptr, nullptr, nullptr);
}

Result<void> Transaction::commit() {
  HEADRACE_ASSERT(database_ != nullptr, "commit after commit or rollback");
  auto done = database_->execute("COMMIT", "commit");
  if (!done) {
    rollback();
    return done;
  }
  database_ = nullptr;
  return {};
}

}  // namespace headrace::sqlite
