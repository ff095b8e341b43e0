// SPDX-License-Identifier: Apache-2.0
#include "documents/sqlite/impl/search.h"

#include <fmt/format.h>

#include <limits>

#include "documents/sqlite/impl/compact_id.h"
#include "documents/sqlite/impl/writer.h"

namespace headrace::documents::impl {

using base::Error;
using base::ErrorCode;
using base::Result;
using sqlite::Statement;

namespace {

constexpr std::int64_t kTimeMin = std::numeric_limits<std::int64_t>::min();
constexpr std::int64_t kTimeMax = std::numeric_limits<std::int64_t>::max();
constexpr std::size_t kReaderNamesMax = 10'000;
constexpr std::uint64_t kRowsPerClock = 64;  // the clock is read once in so many rows

// Column numbers of every stream.
enum Column : int { kRow, kTime, kType, kSource, kPrincipal, kReceived, kEncoding, kId, kBody };

// BEGIN on a reading connection: all its statements see one state.
class Snapshot {
 public:
  static Result<Snapshot> begin(sqlite::Database& database) {
    HEADRACE_TRY_VOID(database.execute("BEGIN"));
    return Snapshot(database);
  }
  Snapshot(Snapshot&& other) noexcept : database_(std::exchange(other.database_, nullptr)) {}
  ~Snapshot() {
    if (database_ != nullptr) (void)database_->execute("ROLLBACK");
  }

 private:
  explicit Snapshot(sqlite::Database& database) : database_(&database) {}
  sqlite::Database* database_;
};

}  // namespace

class Search {
 public:
  Search(Reader& reader, Query const& query, SearchControl const& control, bool bodies)
      : reader_(reader),
        query_(query),
        control_(control),
        up_(query.order == Order::kAscending),
        bodies_(bodies) {}

  Result<SearchEnd> run(Visit const& visit) {
    HEADRACE_TRY(Snapshot const snapshot, Snapshot::begin(reader_.database_));
    HEADRACE_TRY_VOID(find_place());
    HEADRACE_TRY_VOID(open_streams());
    auto end = merge(visit);
    streams_.clear();  // before the snapshot ends
    return end;
  }

 private:
  struct Stream {
    Statement rows;
    bool ready = false;
    std::pair<std::int64_t, std::int64_t> place() const {
      return {rows.integer(kTime), rows.integer(kRow)};
    }
  };

  // Where to begin: the cursor's place, or before (after, when descending) all that there is now.
  Result<void> find_place() {
    if (query_.limit == 0)
      return Error{ErrorCode::kInvalidArgument, "limit: 0; expected 1 or more"};
    place_.query = fingerprint(query_);
    if (!query_.cursor.empty()) {
      HEADRACE_TRY(PageCursor const cursor, decode_page_cursor(query_.cursor));
      if (cursor.query != place_.query)
        return Error{ErrorCode::kInvalidArgument,
                     "cursor: it belongs to another query; repeat all but limit unchanged"};
      place_ = cursor;
      return {};
    }
    HEADRACE_TRY(Statement last, reader_.database_.prepare("SELECT max(row) FROM messages"));
    HEADRACE_TRY(bool const found, last.step());
    place_.row_last = found ? static_cast<std::uint64_t>(last.integer(0)) : 0;
    return {};
  }

  Result<std::optional<std::int64_t>> find_name(NameKind kind, std::string_view text) {
    HEADRACE_TRY(Statement statement,
                 reader_.database_.prepare("SELECT id FROM names WHERE kind=? AND text=?"));
    statement.bind(1, static_cast<std::int64_t>(kind)).bind(2, text);
    HEADRACE_TRY(bool const found, statement.step());
    if (!found) return std::optional<std::int64_t>();
    return std::optional(statement.integer(0));
  }

  Result<std::vector<std::int64_t>> type_ids() {
    std::vector<std::int64_t> ids;
    if (query_.types.empty()) {
      HEADRACE_TRY(Statement statement,
                   reader_.database_.prepare("SELECT id FROM names WHERE kind=0"));
      for (;;) {
        HEADRACE_TRY(bool const row, statement.step());
        if (!row) return ids;
        ids.push_back(statement.integer(0));
      }
    }
    for (std::string const& type : query_.types) {
      HEADRACE_TRY(auto const id, find_name(NameKind::kType, type));
      if (id) ids.push_back(*id);
    }
    std::sort(ids.begin(), ids.end());
    ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
    return ids;
  }

  Result<void> open_streams() {
    HEADRACE_TRY(std::vector<std::int64_t> const types, type_ids());
    if (!query_.source.empty()) {
      HEADRACE_TRY(auto const source, find_name(NameKind::kSource, query_.source));
      if (!source || types.empty()) return {};
      std::string condition = fmt::format("source={}", *source);
      if (!query_.types.empty())
        condition += fmt::format(" AND type IN ({})", fmt::join(types, ","));
      return open_stream("messages_source_time", condition);
    }
    for (std::int64_t const type : types)
      HEADRACE_TRY_VOID(open_stream("messages_type_time", fmt::format("type={}", type)));
    return {};
  }

  Result<void> open_stream(std::string_view index, std::string_view condition) {
    std::int64_t const first = query_.from ? query_.from->ns : kTimeMin;
    if (query_.to && query_.to->ns == kTimeMin) return {};
    std::int64_t const last = query_.to ? query_.to->ns - 1 : kTimeMax;
    bool const resumed = !query_.cursor.empty();
    // The index is sought by time; among equal times it is read, without bodies, from the first to
    // the place.
    char const* const bounds =
        up_ ? "(time,row)>(?1,?2) AND time<=?3" : "(time,row)<(?1,?2) AND time>=?3";
    std::string const sql = fmt::format(
        "SELECT row,time,type{} FROM messages INDEXED BY {} WHERE {} AND {} AND row<=?4 ORDER BY "
        "time {},row {}",
        bodies_ ? ",source,principal,received,encoding,id,body" : "", index, condition, bounds,
        up_ ? "ASC" : "DESC", up_ ? "ASC" : "DESC");
    HEADRACE_TRY(Statement rows, reader_.database_.prepare(sql));
    std::pair begin =
        up_ ? std::pair<std::int64_t, std::int64_t>(first, 0) : std::pair(last, kTimeMax);
    if (resumed) {
      std::pair const place(place_.time.ns, static_cast<std::int64_t>(place_.row));
      begin = up_ ? std::max(begin, place) : std::min(begin, place);
    }
    rows.bind(1, begin.first).bind(2, begin.second).bind(3, up_ ? last : first);
    rows.bind(4, static_cast<std::int64_t>(place_.row_last));
    HEADRACE_TRY(bool const ready, rows.step());
    if (ready) streams_.push_back({std::move(rows), true});
    return {};
  }

  Stream* next_stream() {
    Stream* best = nullptr;
    for (Stream& stream : streams_) {
      if (!stream.ready) continue;
      if (best == nullptr ||
          (up_ ? stream.place() < best->place() : best->place() < stream.place()))
        best = &stream;
    }
    return best;
  }

  Result<SearchEnd> merge(Visit const& visit) {
    SearchEnd end;
    for (Stream* stream = next_stream(); stream != nullptr; stream = next_stream()) {
      if (end.scanned % kRowsPerClock == 0) {
        if (control_.stop.stop_requested()) return Error{ErrorCode::kCancelled, "search stopped"};
        end.out_of_time = end.scanned > 0 && std::chrono::steady_clock::now() >= control_.deadline;
        if (end.out_of_time) return ended(end);
      }
      ++end.scanned;
      bool const chosen = query_.where.empty() || meets(body_of(stream->rows), query_.where);
      if (chosen && end.found == query_.limit)
        return ended(end);  // one more than asked for: there is a next page
      std::tie(place_.time.ns, place_.row) = stream->place();
      if (chosen) {
        ++end.found;
        HEADRACE_TRY(bool const more, hand_over(stream->rows, visit));
        if (!more) return ended(end);
      }
      HEADRACE_TRY(stream->ready, stream->rows.step());
    }
    return end;
  }

  SearchEnd ended(SearchEnd end) const {
    end.next = encode_page_cursor(place_);
    return end;
  }

  static codec::record::Body body_of(Statement const& row) {
    return {static_cast<model::BodyEncoding>(row.integer(kEncoding)), row.blob(kBody)};
  }

  Result<bool> hand_over(Statement const& row, Visit const& visit) {
    if (!bodies_) return visit({});
    FoundMessage message;
    // Names are held by node: a later one does not move an earlier one, and room is made only
    //                         between messages.
    if (reader_.names_.size() > kReaderNamesMax) reader_.names_.clear();
    HEADRACE_TRY(message.type, reader_.name(row.integer(kType)));
    HEADRACE_TRY(message.source, reader_.name(row.integer(kSource)));
    HEADRACE_TRY(message.principal, reader_.name(row.integer(kPrincipal)));
    base::Bytes const id = row.blob(kId);
    id_.clear();
    if (row.is_text(kId))
      id_ = base::as_text(id);
    else
      append_id(id_, id);
    message.id = id_;
    message.time.ns = row.integer(kTime);
    message.received.ns = row.integer(kReceived);
    message.encoding = static_cast<model::BodyEncoding>(row.integer(kEncoding));
    message.body = row.blob(kBody);
    return visit(message);
  }

  Reader& reader_;
  Query const& query_;
  SearchControl const& control_;
  bool const up_;
  bool const bodies_;
  PageCursor place_;
  std::vector<Stream> streams_;
  std::string id_;
};

Result<std::unique_ptr<Reader>> Reader::open(std::string const& path,
                                             sqlite::OpenOptions const& options) {
  HEADRACE_TRY(sqlite::Database database, sqlite::Database::open(path, options));
  std::unique_ptr<Reader> reader(new Reader(std::move(database)));
  HEADRACE_TRY(reader->name_, reader->database_.prepare("SELECT text FROM names WHERE id=?"));
  return reader;
}

Result<std::string_view> Reader::name(std::int64_t id) {
  if (auto const at = names_.find(id); at != names_.end()) return std::string_view(at->second);
  auto const found = name_->bind(1, id).step();
  std::string text = found && *found ? std::string(name_->text(0)) : std::string();
  name_->reset();
  if (!found) return found.error();
  if (!*found)
    return Error{ErrorCode::kCorrupt, fmt::format("{}: no name {}", database_.path(), id)};
  return std::string_view(names_.emplace(id, std::move(text)).first->second);
}

Result<SearchEnd> Reader::search(Query const& query, SearchControl const& control,
                                 Visit const& visit) {
  return Search(*this, query, control, true).run(visit);
}

Result<std::uint64_t> Reader::count(Query const& query, SearchControl const& control) {
  Query all = query;
  all.limit = std::numeric_limits<std::size_t>::max();
  all.cursor.clear();
  auto const end = Search(*this, all, control, !query.where.empty()).run([](FoundMessage const&) {
    return true;
  });
  if (!end) return end.error();
  if (end->out_of_time)
    return Error{ErrorCode::kTimedOut, fmt::format("counted {} of {} messages when time was up",
                                                   end->found, end->scanned)};
  return end->found;
}

}  // namespace headrace::documents::impl
