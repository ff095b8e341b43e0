// SPDX-License-Identifier: Apache-2.0
#include "dispatch/impl/state_file.h"

#include <fmt/format.h>

namespace headrace::dispatch::impl {

using base::Error;
using base::ErrorCode;
using base::Result;
using sqlite::Statement;
using sqlite::Transaction;

namespace {

constexpr int kFormatVersion = 1;
constexpr int kApplicationId = 0x48444953;  // "HDIS"

constexpr char const* kSchema = R"(
CREATE TABLE state(key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE counters(name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE dead_letters(
  id INTEGER PRIMARY KEY AUTOINCREMENT, data_type TEXT NOT NULL, partition INTEGER NOT NULL,
  position BLOB NOT NULL, index_in_record INTEGER NOT NULL, source TEXT NOT NULL,
  message_id TEXT NOT NULL, code INTEGER NOT NULL, reason TEXT NOT NULL, attempts INTEGER NOT NULL,
  first_refused INTEGER NOT NULL, last_refused INTEGER NOT NULL, retry_pending INTEGER NOT NULL,
  confirmed INTEGER NOT NULL, bytes INTEGER NOT NULL, record BLOB NOT NULL,
  UNIQUE(data_type, partition, position, index_in_record));
CREATE INDEX dead_letters_totals ON dead_letters(confirmed, retry_pending, bytes);
)";

// Big-endian, so that bytes sort as positions do.
std::array<std::byte, 16> sortable(broker::Position position) {
  std::array<std::byte, 16> bytes;
  for (std::size_t i = 0; i < 8; ++i) {
    bytes[i] = static_cast<std::byte>(position.hi >> (56 - 8 * i));
    bytes[8 + i] = static_cast<std::byte>(position.lo >> (56 - 8 * i));
  }
  return bytes;
}

broker::Position position_of(base::Bytes bytes) {
  broker::Position position;
  if (bytes.size() != 16) return position;
  for (std::size_t i = 0; i < 8; ++i) {
    position.hi = position.hi << 8 | static_cast<unsigned char>(bytes[i]);
    position.lo = position.lo << 8 | static_cast<unsigned char>(bytes[8 + i]);
  }
  return position;
}

// Conditions for what people may see, with its values to be bound from parameter 1 on.
std::string condition(DeadLetterFilter const& filter) {
  std::string sql = "confirmed=1";
  if (filter.id) sql += fmt::format(" AND id={}", static_cast<std::int64_t>(*filter.id));
  if (filter.code) sql += fmt::format(" AND code={}", static_cast<int>(*filter.code));
  if (!filter.data_type.empty()) sql += " AND data_type=?1";
  if (!filter.source.empty()) sql += " AND source=?2";
  return sql;
}

void bind(Statement& statement, DeadLetterFilter const& filter) {
  if (!filter.data_type.empty()) statement.bind(1, std::string_view(filter.data_type));
  if (!filter.source.empty()) statement.bind(2, std::string_view(filter.source));
}

Result<std::int64_t> single(sqlite::Database& database, std::string_view sql) {
  HEADRACE_TRY(Statement statement, database.prepare(sql));
  HEADRACE_TRY(bool const row, statement.step());
  return row ? statement.integer(0) : 0;
}

}  // namespace

Result<std::unique_ptr<StateFile>> StateFile::open(std::string const& path,
                                                   sqlite::Synchronous synchronous) {
  sqlite::OpenOptions options;
  options.synchronous = synchronous;
  options.cache_kb_max = 2'048;
  options.checkpoint_pages = 1'000;
  HEADRACE_TRY(sqlite::Database database, sqlite::Database::open(path, options));
  std::unique_ptr<StateFile> file(new StateFile(std::move(database)));
  HEADRACE_TRY_VOID(file->prepare_schema());
  HEADRACE_TRY_VOID(file->recount());
  return file;
}

Result<void> StateFile::prepare_schema() {
  HEADRACE_TRY(Transaction transaction, Transaction::begin(database_));
  HEADRACE_TRY(int const version, database_.user_version());
  HEADRACE_TRY(std::int64_t const tables, single(database_, "SELECT count(*) FROM sqlite_master"));
  HEADRACE_TRY(std::int64_t const application, single(database_, "PRAGMA application_id"));
  if (tables != 0 || version != 0) {
    if (application != kApplicationId)
      return Error{ErrorCode::kCorrupt,
                   fmt::format("{}: a database, but not a receiver's state (application id {})",
                               database_.path(), application)};
    if (version != kFormatVersion)
      return Error{
          ErrorCode::kInvalidArgument,
          fmt::format("{}: receiver state of format version {}; this program reads version {}",
                      database_.path(), version, kFormatVersion)};
    return {};
  }
  HEADRACE_TRY_VOID(database_.execute(kSchema));
  HEADRACE_TRY_VOID(database_.execute(fmt::format("PRAGMA application_id={}", kApplicationId)));
  HEADRACE_TRY_VOID(database_.set_user_version(kFormatVersion));
  return transaction.commit();
}

Result<std::vector<StateChange>> StateFile::load_state() {
  std::lock_guard const lock(mutex_);
  HEADRACE_TRY(Statement statement, database_.prepare("SELECT key,value FROM state"));
  std::vector<StateChange> state;
  for (;;) {
    HEADRACE_TRY(bool const row, statement.step());
    if (!row) return state;
    state.push_back({std::string(base::as_text(statement.blob(0))),
                     std::string(base::as_text(statement.blob(1)))});
  }
}

Result<void> StateFile::set_state(StateChange const& change) {
  bool const remove = change.value.empty();
  std::optional<Statement>& statement = remove ? remove_state_ : set_state_;
  if (!statement) {
    HEADRACE_TRY(statement,
                 database_.prepare(remove ? "DELETE FROM state WHERE key=?"
                                          : "INSERT INTO state VALUES(?,?) ON CONFLICT DO UPDATE "
                                            "SET value=excluded.value"));
  }
  statement->bind(1, base::as_bytes(change.key));
  if (!remove) statement->bind(2, base::as_bytes(change.value));
  return statement->run();
}

Result<void> StateFile::insert(NewDeadLetter const& letter, bool confirmed) {
  HEADRACE_TRY(
      Statement statement,
      database_.prepare(
          "INSERT INTO "
          "dead_letters(data_type,partition,position,index_in_record,source,message_id,code,reason,"
          "attempts,first_refused,last_refused,retry_pending,confirmed,bytes,record) "
          "VALUES(?,?,?,?,?,?,?,?,?,?,?,0,?,?,?) ON CONFLICT DO NOTHING"));
  DeadLetter const& d = letter.letter;
  auto const position = sortable(d.position);
  statement.bind(1, std::string_view(d.data_type))
      .bind(2, std::int64_t{d.partition})
      .bind(3, base::Bytes(position));
  statement.bind(4, std::int64_t{letter.index_in_record})
      .bind(5, std::string_view(d.source))
      .bind(6, std::string_view(d.message_id));
  statement.bind(7, static_cast<std::int64_t>(d.reason.code))
      .bind(8, std::string_view(d.reason.context));
  statement.bind(9, std::int64_t{d.attempts})
      .bind(10, d.first_refused.ns)
      .bind(11, d.last_refused.ns);
  statement.bind(12, std::int64_t{confirmed}).bind(13, static_cast<std::int64_t>(d.record.size()));
  statement.bind(14, base::as_bytes(d.record));
  return statement.run();
}

Result<void> StateFile::settle(Retried const& retried) {
  if (retried.settled)
    return database_.execute(fmt::format("DELETE FROM dead_letters WHERE id={}", retried.id));
  HEADRACE_TRY(
      Statement statement,
      database_.prepare(
          "UPDATE dead_letters SET retry_pending=0, attempts=attempts+1, code=?, reason=?, "
          "last_refused=? WHERE id=?"));
  statement.bind(1, static_cast<std::int64_t>(retried.reason.code))
      .bind(2, std::string_view(retried.reason.context));
  statement.bind(3, retried.time.ns).bind(4, static_cast<std::int64_t>(retried.id));
  return statement.run();
}

Result<void> StateFile::erase(Erased const& erased) {
  HEADRACE_TRY(Statement statement,
               database_.prepare("DELETE FROM dead_letters WHERE data_type=? AND partition=? AND "
                                 "source=? AND position<?"));
  auto const before = sortable(erased.before);
  statement.bind(1, std::string_view(erased.data_type)).bind(2, std::int64_t{erased.partition});
  statement.bind(3, std::string_view(erased.source)).bind(4, base::Bytes(before));
  return statement.run();
}

Result<void> StateFile::write(Write const& write) {
  std::lock_guard const lock(mutex_);
  HEADRACE_TRY(Transaction transaction, Transaction::begin(database_));
  for (StateChange const& change : write.state) HEADRACE_TRY_VOID(set_state(change));
  for (NewDeadLetter const& letter : write.letters) HEADRACE_TRY_VOID(insert(letter, true));
  for (Retried const& retried : write.retried) HEADRACE_TRY_VOID(settle(retried));
  for (Erased const& erased : write.erased) HEADRACE_TRY_VOID(erase(erased));
  HEADRACE_TRY_VOID(transaction.commit());
  if (write.letters.empty() && write.retried.empty() && write.erased.empty()) return {};
  return recount();
}

Result<void> StateFile::put_unconfirmed(std::span<NewDeadLetter const> letters) {
  std::lock_guard const lock(mutex_);
  HEADRACE_TRY(Transaction transaction, Transaction::begin(database_));
  HEADRACE_TRY_VOID(database_.execute("DELETE FROM dead_letters WHERE confirmed=0"));
  for (NewDeadLetter const& letter : letters) HEADRACE_TRY_VOID(insert(letter, false));
  HEADRACE_TRY_VOID(transaction.commit());
  return recount();
}

bool StateFile::has_unconfirmed() const {
  std::lock_guard const lock(mutex_);
  return unconfirmed_ > 0;
}

Result<void> StateFile::confirm() {
  std::lock_guard const lock(mutex_);
  HEADRACE_TRY_VOID(database_.execute("UPDATE dead_letters SET confirmed=1 WHERE confirmed=0"));
  return recount();
}

Result<void> StateFile::settle_unconfirmed(Committed const& committed) {
  std::lock_guard const lock(mutex_);
  if (unconfirmed_ == 0) return {};
  HEADRACE_TRY(Transaction transaction, Transaction::begin(database_));
  std::string wanted = "0";
  {
    HEADRACE_TRY(Statement statement,
                 database_.prepare(
                     "SELECT id,data_type,partition,position FROM dead_letters WHERE confirmed=0"));
    for (;;) {
      HEADRACE_TRY(bool const row, statement.step());
      if (!row) break;
      if (committed(std::string(statement.text(1)),
                    static_cast<std::uint32_t>(statement.integer(2)),
                    position_of(statement.blob(3))))
        wanted += fmt::format(",{}", statement.integer(0));
    }
  }
  HEADRACE_TRY_VOID(database_.execute(
      fmt::format("UPDATE dead_letters SET confirmed=1 WHERE id IN ({})", wanted)));
  HEADRACE_TRY_VOID(database_.execute("DELETE FROM dead_letters WHERE confirmed=0"));
  HEADRACE_TRY_VOID(transaction.commit());
  return recount();
}

Result<std::vector<DeadLetter>> StateFile::select(std::string const& rest, bool with_record,
                                                  std::size_t bytes_max) {
  HEADRACE_TRY(Statement row,
               database_.prepare(fmt::format(
                   "SELECT id,data_type,partition,position,source,message_id,code,reason,attempts,"
                   "first_refused,last_refused,retry_pending,bytes{} FROM dead_letters WHERE {}",
                   with_record ? ",record" : "", rest)));
  std::vector<DeadLetter> letters;
  std::size_t bytes = 0;
  for (;;) {
    HEADRACE_TRY(bool const more, row.step());
    if (!more) return letters;
    bytes += static_cast<std::size_t>(row.integer(12));
    if (!letters.empty() && bytes > bytes_max) return letters;
    DeadLetter& d = letters.emplace_back();
    d.id = static_cast<std::uint64_t>(row.integer(0));
    d.data_type = row.text(1);
    d.partition = static_cast<std::uint32_t>(row.integer(2));
    d.position = position_of(row.blob(3));
    d.source = row.text(4);
    d.message_id = row.text(5);
    d.reason = {static_cast<ErrorCode>(row.integer(6)), std::string(row.text(7))};
    d.attempts = static_cast<std::uint32_t>(row.integer(8));
    d.first_refused.ns = row.integer(9);
    d.last_refused.ns = row.integer(10);
    d.retry_pending = row.integer(11) != 0;
    if (with_record) d.record = base::as_text(row.blob(13));
  }
}

Result<std::vector<DeadLetter>> StateFile::begin_retry(std::size_t count_max,
                                                       std::size_t bytes_max) {
  std::lock_guard const lock(mutex_);
  if (totals_.retry_pending == 0) return std::vector<DeadLetter>();
  HEADRACE_TRY(
      auto letters,
      select(fmt::format("confirmed=1 AND retry_pending=1 ORDER BY id LIMIT {}", count_max), true,
             bytes_max));
  for (DeadLetter const& letter : letters) in_retry_.insert(letter.id);
  return letters;
}

void StateFile::end_retry() {
  std::lock_guard const lock(mutex_);
  in_retry_.clear();
}

Result<DeadLetterPage> StateFile::list(DeadLetterFilter const& filter, std::uint64_t after,
                                       std::size_t limit) {
  std::lock_guard const lock(mutex_);
  HEADRACE_TRY(Statement ids,
               database_.prepare(fmt::format(
                   "SELECT id FROM dead_letters WHERE {} AND id>{} ORDER BY id LIMIT {}",
                   condition(filter), static_cast<std::int64_t>(after), limit + 1)));
  bind(ids, filter);
  std::string list;
  DeadLetterPage page;
  std::size_t count = 0;
  std::int64_t last = 0;
  for (;;) {
    HEADRACE_TRY(bool const row, ids.step());
    if (!row) break;
    if (count++ == limit) {
      page.next_after = static_cast<std::uint64_t>(last);
      break;
    }
    last = ids.integer(0);
    list += fmt::format("{}{}", list.empty() ? "" : ",", last);
  }
  ids.reset();
  HEADRACE_TRY(page.letters, select(fmt::format("id IN ({}) ORDER BY id", list), false, SIZE_MAX));
  return page;
}

Result<DeadLetter> StateFile::show(std::uint64_t id) {
  std::lock_guard const lock(mutex_);
  HEADRACE_TRY(
      auto letters,
      select(fmt::format("confirmed=1 AND id={}", static_cast<std::int64_t>(id)), true, SIZE_MAX));
  if (letters.empty()) return Error{ErrorCode::kNotFound, fmt::format("no dead letter {}", id)};
  return std::move(letters.front());
}

Result<std::uint64_t> StateFile::mark_for_retry(DeadLetterFilter const& filter) {
  std::lock_guard const lock(mutex_);
  std::uint64_t count = 0;
  {
    HEADRACE_TRY(
        Statement statement,
        database_.prepare("UPDATE dead_letters SET retry_pending=1 WHERE " + condition(filter)));
    bind(statement, filter);
    HEADRACE_TRY_VOID(statement.run());
    count = static_cast<std::uint64_t>(database_.changes());
  }
  if (filter.id && count == 0)
    return Error{ErrorCode::kNotFound, fmt::format("no dead letter {}", *filter.id)};
  HEADRACE_TRY_VOID(recount());
  return count;
}

Result<std::uint64_t> StateFile::drop(DeadLetterFilter const& filter) {
  std::lock_guard const lock(mutex_);
  if (filter.id && in_retry_.contains(*filter.id))
    return Error{ErrorCode::kOverloaded,
                 fmt::format("dead letter {} is being sent again at this moment", *filter.id)};
  HEADRACE_TRY(Transaction transaction, Transaction::begin(database_));
  std::uint64_t count = 0;
  {
    std::string const spared =
        in_retry_.empty() ? "" : fmt::format(" AND id NOT IN ({})", fmt::join(in_retry_, ","));
    HEADRACE_TRY(Statement statement,
                 database_.prepare("DELETE FROM dead_letters WHERE " + condition(filter) + spared));
    bind(statement, filter);
    HEADRACE_TRY_VOID(statement.run());
    count = static_cast<std::uint64_t>(database_.changes());
  }
  if (filter.id && count == 0)
    return Error{ErrorCode::kNotFound, fmt::format("no dead letter {}", *filter.id)};
  HEADRACE_TRY_VOID(database_.execute(fmt::format(
      "INSERT INTO counters VALUES('dropped',{0}) ON CONFLICT DO UPDATE SET value=value+{0}",
      count)));
  HEADRACE_TRY_VOID(transaction.commit());
  HEADRACE_TRY_VOID(recount());
  return count;
}

DeadLetterTotals StateFile::totals() const {
  std::lock_guard const lock(mutex_);
  return totals_;
}

Result<void> StateFile::recount() {
  HEADRACE_TRY(
      Statement statement,
      database_.prepare(
          "SELECT confirmed,count(*),coalesce(sum(bytes),0),coalesce(sum(retry_pending),0) "
          "FROM dead_letters INDEXED BY dead_letters_totals GROUP BY confirmed"));
  DeadLetterTotals totals;
  std::uint64_t unconfirmed = 0;
  for (;;) {
    HEADRACE_TRY(bool const row, statement.step());
    if (!row) break;
    auto const count = static_cast<std::uint64_t>(statement.integer(1));
    if (statement.integer(0) == 0) {
      unconfirmed = count;
      continue;
    }
    totals.count = count;
    totals.bytes = static_cast<std::uint64_t>(statement.integer(2));
    totals.retry_pending = static_cast<std::uint64_t>(statement.integer(3));
  }
  HEADRACE_TRY(std::int64_t const dropped,
               single(database_, "SELECT value FROM counters WHERE name='dropped'"));
  totals.dropped_total = static_cast<std::uint64_t>(dropped);
  totals_ = totals;
  unconfirmed_ = unconfirmed;
  return {};
}

}  // namespace headrace::dispatch::impl
