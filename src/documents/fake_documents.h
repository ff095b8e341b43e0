// SPDX-License-Identifier: Apache-2.0
// FakeDocuments: Documents in memory, for tests: plain containers, so that the contract suite is
//                not shaped by a database.
// Faults can be set: the next commits fail, with or without having been applied.
//   Threads: as Documents.
#pragma once

#include <map>
#include <mutex>
#include <set>
#include <tuple>

#include "documents/documents.h"
#include "documents/page_cursor.h"

namespace headrace::documents {

class FakeDocuments final : public Documents {
 public:
  struct Row {
    std::uint64_t row;
    std::string type, source, principal, id;
    base::Timestamp time, received;
    model::BodyEncoding encoding;
    std::string body;
  };
  struct Contents {
    std::vector<Row> rows;  // ascending row
    std::set<std::tuple<std::string, std::string, std::string>> ids;
    std::map<std::pair<std::string, std::string>, std::string> state;
    std::uint64_t row_last = 0;
  };
  enum class Fault { kNone, kBefore, kAfter };

  // The next commit fails: kBefore: nothing was applied; kAfter: all was, but the answer got lost.
  void fail_next_commit(Fault fault) { fault_ = fault; }
  void fail_next_begins(int count) { failing_begins_ = count; }

  base::Result<std::unique_ptr<Transaction>> begin() override {
    if (failing_begins_ > 0 && failing_begins_-- > 0)
      return base::Error{base::ErrorCode::kUnavailable, "fake: away"};
    return std::unique_ptr<Transaction>(new FakeTransaction(*this));
  }

  base::Result<std::vector<StateEntry>> load_state(std::string_view scope) override {
    std::lock_guard const lock(mutex_);
    std::vector<StateEntry> entries;
    for (auto const& [key, value] : contents_.state)
      if (key.first == scope) entries.push_back({key.second, value});
    return entries;
  }

  base::Result<SearchEnd> search(Query const& query, SearchControl const& control,
                                 Visit const& visit) const override {
    Contents const contents = snapshot();
    HEADRACE_TRY(PageCursor const after, first_place(query, contents.row_last));
    PageCursor last = after;  // the place of the last message looked at
    SearchEnd end;
    for (Row const* row : in_order(contents, query, after)) {
      if (control.stop.stop_requested())
        return base::Error{base::ErrorCode::kCancelled, "search stopped"};
      PageCursor const here{after.query, row->time, row->row, after.row_last};
      if (end.scanned > 0 && std::chrono::steady_clock::now() >= control.deadline) {
        end.out_of_time = true;
        end.next = encode_page_cursor(last);
        return end;
      }
      ++end.scanned;
      PageCursor const before = std::exchange(last, here);
      if (!meets(codec::record::Body(row->encoding, base::as_bytes(row->body)), query.where))
        continue;
      if (end.found == query.limit) {
        end.next = encode_page_cursor(before);
        return end;
      }
      ++end.found;
      if (!visit({row->id, row->type, row->source, row->principal, row->time, row->received,
                  row->encoding, base::as_bytes(row->body)})) {
        end.next = encode_page_cursor(here);
        return end;
      }
    }
    return end;
  }

  base::Result<std::uint64_t> count(Query const& query,
                                    SearchControl const& control) const override {
    Query all = query;
    all.limit = SIZE_MAX;
    all.cursor.clear();
    HEADRACE_TRY(SearchEnd const end,
                 search(all, control, [](FoundMessage const&) { return true; }));
    if (end.out_of_time) return base::Error{base::ErrorCode::kTimedOut, "count"};
    return end.found;
  }

  Contents snapshot() const {
    std::lock_guard const lock(mutex_);
    return contents_;
  }

 private:
  class FakeTransaction final : public Transaction {
   public:
    explicit FakeTransaction(FakeDocuments& store) : store_(store), working_(store.snapshot()) {}
    base::Result<void> insert(std::span<NewMessage const> messages,
                              std::vector<Inserted>& results) override {
      for (NewMessage const& m : messages) {
        bool const fresh = working_.ids.emplace(m.type, m.source, m.id).second;
        results.push_back(fresh ? Inserted::kStored : Inserted::kDuplicate);
        if (!fresh) continue;
        working_.rows.push_back({++working_.row_last, std::string(m.type), std::string(m.source),
                                 std::string(m.principal), std::string(m.id), m.time, m.received,
                                 m.encoding, std::string(base::as_text(m.body))});
      }
      return {};
    }
    base::Result<std::uint64_t> erase(std::string_view source, std::string_view type) override {
      auto const gone = [&](Row const& r) {
        return r.source == source && (type.empty() || r.type == type);
      };
      for (Row const& r : working_.rows)
        if (gone(r)) working_.ids.erase({r.type, r.source, r.id});
      return std::erase_if(working_.rows, gone);
    }
    base::Result<void> set_state(std::string_view scope, std::string_view key,
                                 std::string_view value) override {
      std::pair const at{std::string(scope), std::string(key)};
      if (value.empty())
        working_.state.erase(at);
      else
        working_.state[at] = value;
      return {};
    }
    base::Result<void> commit() override {
      Fault const fault = std::exchange(store_.fault_, Fault::kNone);
      if (fault == Fault::kBefore)
        return base::Error{base::ErrorCode::kOverloaded, "fake: disk full"};
      {
        std::lock_guard const lock(store_.mutex_);
        store_.contents_ = std::move(working_);
      }
      if (fault == Fault::kAfter)
        return base::Error{base::ErrorCode::kIo, "fake: the answer got lost"};
      return {};
    }

   private:
    FakeDocuments& store_;
    Contents working_;
  };

  static base::Result<PageCursor> first_place(Query const& query, std::uint64_t row_last) {
    if (query.limit == 0)
      return base::Error{base::ErrorCode::kInvalidArgument, "limit: 0; expected 1 or more"};
    std::uint64_t const print = fingerprint(query);
    bool const up = query.order == Order::kAscending;
    if (query.cursor.empty())
      return PageCursor{print, {up ? INT64_MIN : INT64_MAX}, up ? 0 : row_last, row_last};
    HEADRACE_TRY(PageCursor const cursor, decode_page_cursor(query.cursor));
    if (cursor.query != print)
      return base::Error{base::ErrorCode::kInvalidArgument, "cursor: of another query"};
    return cursor;
  }

  static std::vector<Row const*> in_order(Contents const& contents, Query const& query,
                                          PageCursor const& after) {
    bool const up = query.order == Order::kAscending;
    auto const key = [](Row const& r) { return std::pair(r.time, r.row); };
    std::pair const place(after.time, after.row);
    std::vector<Row const*> rows;
    for (Row const& r : contents.rows) {
      bool const of_type = query.types.empty() || std::find(query.types.begin(), query.types.end(),
                                                            r.type) != query.types.end();
      bool const in_time =
          (!query.from || r.time >= *query.from) && (!query.to || r.time < *query.to);
      bool const beyond = query.cursor.empty() || (up ? key(r) > place : key(r) < place);
      bool const of_source = query.source.empty() || r.source == query.source;
      if (of_type && of_source && in_time && beyond && r.row <= after.row_last) rows.push_back(&r);
    }
    std::sort(rows.begin(), rows.end(), [&](Row const* a, Row const* b) {
      return up ? key(*a) < key(*b) : key(*b) < key(*a);
    });
    return rows;
  }

  mutable std::mutex mutex_;
  Contents contents_;
  Fault fault_ = Fault::kNone;
  int failing_begins_ = 0;
};

}  // namespace headrace::documents
