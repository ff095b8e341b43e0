// SPDX-License-Identifier: Apache-2.0
// What every Documents must do. An implementation's test instantiates it:
//   INSTANTIATE_TEST_SUITE_P(Sqlite, DocumentsContract, ::testing::Values(Make{...}));
// For tests only.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "base/random.h"
#include "documents/documents.h"

namespace headrace::documents {

// A place where a store lives. open() after the last one was destroyed finds what was committed.
struct StorePlace {
  virtual ~StorePlace() = default;
  virtual std::unique_ptr<Documents> open() = 0;
};
struct StoreKind {
  char const* name;
  std::unique_ptr<StorePlace> (*make)();
  bool keeps = true;  // open() finds what an earlier store has committed
};

class DocumentsContract : public ::testing::TestWithParam<StoreKind> {
 protected:
  struct Row {
    std::string type = "t", source = "s", id;
    std::int64_t time = 0;
    std::string body = "{}";
    model::BodyEncoding encoding = model::BodyEncoding::kJson;
  };

  DocumentsContract() : place_(GetParam().make()), store_(place_->open()) {}

  static NewMessage view(Row const& r) {
    return {r.type,   r.source,        "p",        r.id,
            {r.time}, {r.time + 1000}, r.encoding, base::as_bytes(r.body)};
  }
  std::vector<Inserted> insert(std::vector<Row> const& rows) {
    std::vector<NewMessage> messages;
    for (Row const& r : rows) messages.push_back(view(r));
    std::vector<Inserted> results;
    auto transaction = store_->begin().value();
    EXPECT_TRUE(transaction->insert(messages, results));
    EXPECT_TRUE(transaction->commit());
    return results;
  }
  struct Page {
    std::vector<std::string> ids;
    SearchEnd end;
  };
  Page page(Query const& query) const {
    Page got;
    auto end = store_->search(query, {}, [&](FoundMessage const& m) {
      got.ids.emplace_back(m.id);
      return true;
    });
    EXPECT_TRUE(end) << base::to_string(end.error());
    if (end) got.end = *end;
    EXPECT_EQ(got.end.found, got.ids.size());
    return got;
  }
  std::vector<std::string> ids(Query const& query) const { return page(query).ids; }
  static Query all() {
    Query query;
    query.limit = 1'000'000;
    return query;
  }
  base::ErrorCode search_error(Query const& query, SearchControl const& control = {}) const {
    auto const end = store_->search(query, control, [](FoundMessage const&) { return true; });
    return end ? base::ErrorCode::kInternal : end.error().code;
  }

  std::unique_ptr<StorePlace> place_;
  std::unique_ptr<Documents> store_;
};

using Ids = std::vector<std::string>;

TEST_P(DocumentsContract, EverythingComesBackAsItWent) {
  Row const json{"t", "s\xC3\xA9", "id-1", -5, R"({"a":1})"};
  Row const msgpack{"u",
                    "s",
                    "0190b0a2-7c4f-7e3a-9c5d-0123456789ab",
                    7,
                    std::string("\x81\xA1"
                                "a\x01\x00",
                                5),
                    model::BodyEncoding::kMsgpack};
  Row const none{"u",
                 "s",
                 "0190b0a2-7c4f-7e3a-9c5d-0123456789ab.3.12345678901",
                 INT64_MAX - 1000,
                 "",
                 model::BodyEncoding::kNone};
  Row const large{"u", "s", "0190B0A2-7C4F-7E3A-9C5D-0123456789AB", INT64_MIN,
                  std::string(300'000, 'x')};
  std::vector<Row> const rows = {large, json, msgpack, none};
  insert(rows);
  std::size_t at = 0;
  auto const end = store_->search(all(), {}, [&](FoundMessage const& m) {
    Row const& want = rows[at++];
    EXPECT_EQ(m.type, want.type);
    EXPECT_EQ(m.source, want.source);
    EXPECT_EQ(m.principal, "p");
    EXPECT_EQ(m.id, want.id);
    EXPECT_EQ(m.time.ns, want.time);
    EXPECT_EQ(m.received.ns, want.time + 1000);
    EXPECT_EQ(m.encoding, want.encoding);
    EXPECT_EQ(base::as_text(m.body), want.body);
    return true;
  });
  ASSERT_TRUE(end);
  EXPECT_EQ(at, rows.size());
  EXPECT_FALSE(end->next);
}

TEST_P(DocumentsContract, TheFirstBodyWins) {
  EXPECT_EQ(insert({{.id = "a", .body = "1"}, {.id = "b"}, {.id = "a", .body = "2"}}),
            (std::vector{Inserted::kStored, Inserted::kStored, Inserted::kDuplicate}));
  EXPECT_EQ(insert({{.id = "a", .time = 9, .body = "3"}}), (std::vector{Inserted::kDuplicate}));
  std::string body;
  ASSERT_TRUE(store_->search(all(), {}, [&](FoundMessage const& m) {
    if (m.id == "a") body = base::as_text(m.body);
    return true;
  }));
  EXPECT_EQ(body, "1");
  EXPECT_EQ(ids(all()), (Ids{"a", "b"}));
}

TEST_P(DocumentsContract, TypeSourceAndIdTogetherTellMessagesApart) {
  std::vector<Row> const rows = {
      {"t", "s", "a"}, {"u", "s", "a"}, {"t", "r", "a"}, {"t", "s", "A"}};
  EXPECT_EQ(insert(rows), std::vector(4, Inserted::kStored));
  EXPECT_EQ(insert(rows), std::vector(4, Inserted::kDuplicate));
}

TEST_P(DocumentsContract, IdsThatLookAlikeAreNotMixedUp) {
  std::vector<Row> rows;
  for (char const* id :
       {"0190b0a2-7c4f-7e3a-9c5d-0123456789ab", "0190B0A2-7c4f-7e3a-9c5d-0123456789ab",
        "0190b0a27c4f7e3a9c5d0123456789ab", "0190b0a2-7c4f-7e3a-9c5d-0123456789ab.0.1",
        "0190b0a2-7c4f-7e3a-9c5d-0123456789ab.00.1", "0190b0a2-7c4f-7e3a-9c5d-0123456789ab.0.01",
        "0190b0a2-7c4f-7e3a-9c5d-0123456789ab.0.",
        "0190b0a2-7c4f-7e3a-9c5d-0123456789ab.4294967296.1",
        "0190b0a2-7c4f-7e3a-9c5d-0123456789ab.0.18446744073709551616",
        "0190b0a2-7c4f-7e3a-9c5d-0123456789ab.4294967295.18446744073709551615", "1", "01"})
    rows.push_back({.id = id, .time = static_cast<std::int64_t>(rows.size())});
  EXPECT_EQ(insert(rows), std::vector(rows.size(), Inserted::kStored));
  EXPECT_EQ(insert(rows), std::vector(rows.size(), Inserted::kDuplicate));
  Ids want;
  for (Row const& r : rows) want.push_back(r.id);
  EXPECT_EQ(ids(all()), want);
}

TEST_P(DocumentsContract, SelectsByTypeSourceAndTime) {
  insert({{"t", "s", "1", 10},
          {"t", "r", "2", 20},
          {"u", "s", "3", 30},
          {"t", "s", "4", 40},
          {"v", "r", "5", 25}});
  struct Case {
    char const* name;
    std::vector<std::string> types;
    std::string source;
    std::optional<std::int64_t> from, to;
    Ids want;
  };
  Case const cases[] = {
      {"all", {}, "", {}, {}, {"1", "2", "5", "3", "4"}},
      {"type", {"t"}, "", {}, {}, {"1", "2", "4"}},
      {"types", {"v", "u", "v"}, "", {}, {}, {"5", "3"}},
      {"source", {}, "s", {}, {}, {"1", "3", "4"}},
      {"type and source", {"t"}, "s", {}, {}, {"1", "4"}},
      {"types and source", {"t", "v"}, "r", {}, {}, {"2", "5"}},
      {"from is in", {}, "", 25, {}, {"5", "3", "4"}},
      {"to is out", {}, "", {}, 25, {"1", "2"}},
      {"range", {"t"}, "", 11, 40, {"2"}},
      {"empty range", {}, "", 25, 25, {}},
      {"turned range", {}, "", 40, 10, {}},
      {"unknown type", {"nope"}, "", {}, {}, {}},
      {"unknown source", {}, "nope", {}, {}, {}},
      {"one unknown type", {"nope", "u"}, "", {}, {}, {"3"}},
  };
  for (auto const& c : cases) {
    SCOPED_TRACE(c.name);
    Query query = all();
    query.types = c.types;
    query.source = c.source;
    if (c.from) query.from = base::Timestamp{*c.from};
    if (c.to) query.to = base::Timestamp{*c.to};
    EXPECT_EQ(ids(query), c.want);
    EXPECT_EQ(store_->count(query, {}).value(), c.want.size());
    query.order = Order::kDescending;
    EXPECT_EQ(ids(query), Ids(c.want.rbegin(), c.want.rend()));
  }
}

TEST_P(DocumentsContract, ConditionsLookIntoBodiesOfBothEncodings) {
  insert({{.id = "j1", .time = 1, .body = R"({"h":1,"n":"x"})"},
          {.id = "m2",
           .time = 2,
           .body = "\x82\xA1h\x02\xA1n\xA1x",
           .encoding = model::BodyEncoding::kMsgpack},
          {.id = "j3", .time = 3, .body = R"({"h":3})"},
          {.id = "none", .time = 4, .body = "", .encoding = model::BodyEncoding::kNone}});
  Query query = all();
  query.where = parse_where("h >= 2").value();
  EXPECT_EQ(ids(query), (Ids{"m2", "j3"}));
  EXPECT_EQ(store_->count(query, {}).value(), 2u);
  query.where = parse_where("h < 3 and n = \"x\"").value();
  EXPECT_EQ(ids(query), (Ids{"j1", "m2"}));
  query.limit = 1;
  Page const first = page(query);
  ASSERT_TRUE(first.end.next);
  query.cursor = *first.end.next;
  EXPECT_EQ(ids(query), (Ids{"m2"}));
}

TEST_P(DocumentsContract, EqualTimesKeepTheOrderOfInsertion) {
  insert({{"t", "s", "1", 5}, {"u", "r", "2", 5}});
  insert({{"t", "r", "3", 5}, {"u", "s", "4", 4}});
  EXPECT_EQ(ids(all()), (Ids{"4", "1", "2", "3"}));
}

TEST_P(DocumentsContract, PagesTogetherAreTheFirstPagesSnapshot) {
  base::Random random(7);
  std::vector<Row> rows;
  for (int i = 0; i < 300; ++i)
    rows.push_back({std::string(1, static_cast<char>('a' + random.below(3))),
                    std::string(1, static_cast<char>('x' + random.below(2))), std::to_string(i),
                    static_cast<std::int64_t>(random.below(40))});
  insert(rows);
  int fresh = 1'000;
  for (Order const order : {Order::kAscending, Order::kDescending}) {
    for (char const* source : {"", "x"}) {
      Query query = all();
      query.order = order;
      query.source = source;
      Ids const want = ids(query);
      Ids got;
      query.limit = 7;
      for (int pages = 0; pages < 100; ++pages) {
        Page const p = page(query);
        got.insert(got.end(), p.ids.begin(), p.ids.end());
        if (!p.end.next) break;
        query.cursor = *p.end.next;
        // Between the pages rows come in, before and after the place of the cursor and on it.
        for (int i = 0; i < 3; ++i, ++fresh)
          insert({{"a", "x", std::to_string(fresh), static_cast<std::int64_t>(random.below(40))}});
      }
      EXPECT_EQ(got, want);
    }
  }
}

TEST_P(DocumentsContract, TheLastPageHasNoCursorEvenWhenItIsFull) {
  insert({{.id = "1"}, {.id = "2"}});
  Query query = all();
  query.limit = 2;
  EXPECT_FALSE(page(query).end.next);
  query.limit = 1;
  EXPECT_TRUE(page(query).end.next);
}

TEST_P(DocumentsContract, ACursorOfAnotherQueryIsRefused) {
  insert({{.id = "1"}, {.id = "2"}});
  Query query = all();
  query.limit = 1;
  query.cursor = page(query).end.next.value();
  query.source = "s";
  EXPECT_EQ(search_error(query), base::ErrorCode::kInvalidArgument);
  query.cursor = "garbage";
  EXPECT_EQ(search_error(query), base::ErrorCode::kInvalidArgument);
  query.cursor.clear();
  query.limit = 0;
  EXPECT_EQ(search_error(query), base::ErrorCode::kInvalidArgument);
}

TEST_P(DocumentsContract, AVisitorMayEndTheSearchAndGoOn) {
  insert({{.id = "1"}, {.id = "2"}, {.id = "3"}});
  auto const end = store_->search(all(), {}, [](FoundMessage const& m) { return m.id != "2"; });
  ASSERT_TRUE(end);
  EXPECT_EQ(end->found, 2u);
  ASSERT_TRUE(end->next);
  Query query = all();
  query.cursor = *end->next;
  EXPECT_EQ(ids(query), (Ids{"3"}));
}

TEST_P(DocumentsContract, OutOfTimeGivesACursorAndStopCancels) {
  std::vector<Row> rows;
  for (int i = 0; i < 2'000; ++i) rows.push_back({.id = std::to_string(i), .time = i});
  insert(rows);
  SearchControl control;
  control.deadline = std::chrono::steady_clock::now() - std::chrono::seconds(1);
  Query query = all();
  query.where = parse_where("absent = 1").value();
  auto const end = store_->search(query, control, [](FoundMessage const&) { return true; });
  ASSERT_TRUE(end);
  EXPECT_TRUE(end->out_of_time);
  EXPECT_LT(end->scanned, rows.size());
  ASSERT_TRUE(end->next);
  query.cursor = *end->next;
  EXPECT_FALSE(page(query).end.next);
  auto const counted = store_->count(query, control);
  ASSERT_FALSE(counted);
  EXPECT_EQ(counted.error().code, base::ErrorCode::kTimedOut);

  std::stop_source stop;
  stop.request_stop();
  query.cursor.clear();
  EXPECT_EQ(search_error(query, {.deadline = std::chrono::steady_clock::time_point::max(),
                                 .stop = stop.get_token()}),
            base::ErrorCode::kCancelled);
}

TEST_P(DocumentsContract, AnUncommittedTransactionLeavesNothing) {
  insert({{.id = "1"}});
  {
    auto transaction = store_->begin().value();
    std::vector<Inserted> results;
    Row const row{"new_type", "new_source", "2"};
    std::vector const messages = {view(row)};
    ASSERT_TRUE(transaction->insert(messages, results));
    ASSERT_TRUE(transaction->set_state("r", "k", "v"));
    ASSERT_TRUE(transaction->erase("s", ""));
    EXPECT_EQ(ids(all()), (Ids{"1"}));  // nor is it seen meanwhile
  }
  EXPECT_EQ(ids(all()), (Ids{"1"}));
  EXPECT_TRUE(store_->load_state("r").value().empty());
  EXPECT_EQ(insert({{"new_type", "new_source", "2"}}), (std::vector{Inserted::kStored}));
  EXPECT_EQ(ids(all()), (Ids{"1", "2"}));
}

TEST_P(DocumentsContract, StateIsKeptPerScopeWithTheMessages) {
  auto transaction = store_->begin().value();
  ASSERT_TRUE(transaction->set_state("a", "k1", "v1"));
  ASSERT_TRUE(transaction->set_state("a", "k2", std::string("\0\xFF", 2)));
  ASSERT_TRUE(transaction->set_state("b", "k1", "other"));
  ASSERT_TRUE(transaction->commit());
  transaction = store_->begin().value();
  ASSERT_TRUE(transaction->set_state("a", "k1", "v2"));
  ASSERT_TRUE(transaction->set_state("b", "k1", ""));
  ASSERT_TRUE(transaction->commit());
  transaction.reset();
  EXPECT_EQ(store_->load_state("a").value(),
            (std::vector<StateEntry>{{"k1", "v2"}, {"k2", std::string("\0\xFF", 2)}}));
  EXPECT_TRUE(store_->load_state("b").value().empty());
}

TEST_P(DocumentsContract, EraseTakesOneSourceAndForgetsItsIds) {
  insert({{"t", "s", "1"}, {"u", "s", "2"}, {"t", "r", "3"}});
  auto transaction = store_->begin().value();
  EXPECT_EQ(transaction->erase("s", "u").value(), 1u);
  EXPECT_EQ(transaction->erase("nobody", "").value(), 0u);
  EXPECT_EQ(transaction->erase("s", "nothing").value(), 0u);
  ASSERT_TRUE(transaction->commit());
  transaction.reset();
  EXPECT_EQ(ids(all()), (Ids{"1", "3"}));
  transaction = store_->begin().value();
  EXPECT_EQ(transaction->erase("s", "").value(), 1u);
  ASSERT_TRUE(transaction->commit());
  transaction.reset();
  EXPECT_EQ(ids(all()), (Ids{"3"}));
  EXPECT_EQ(insert({{"t", "s", "1"}}), (std::vector{Inserted::kStored}));
}

TEST_P(DocumentsContract, APlaceInThePagesSurvivesErasedRows) {
  insert({{"t", "s", "1", 1}, {"t", "r", "2", 2}, {"t", "s", "3", 3}, {"t", "r", "4", 4}});
  Query query = all();
  query.limit = 1;
  query.cursor = page(query).end.next.value();
  auto transaction = store_->begin().value();
  EXPECT_EQ(transaction->erase("s", "").value(), 2u);
  ASSERT_TRUE(transaction->commit());
  transaction.reset();
  insert({{"t", "q", "5", 3}});
  query.limit = 10;
  EXPECT_EQ(ids(query), (Ids{"2", "4"}));
}

TEST_P(DocumentsContract, WhatWasCommittedIsThereAfterReopening) {
  if (!GetParam().keeps) GTEST_SKIP() << "keeps nothing beyond its life";
  insert({{"t", "s", "1"}, {"t", "r", "2"}});
  auto transaction = store_->begin().value();
  ASSERT_TRUE(transaction->erase("r", ""));
  ASSERT_TRUE(transaction->set_state("a", "k", "v"));
  ASSERT_TRUE(transaction->commit());
  transaction.reset();
  store_.reset();
  store_ = place_->open();
  EXPECT_EQ(ids(all()), (Ids{"1"}));
  EXPECT_EQ(store_->load_state("a").value(), (std::vector<StateEntry>{{"k", "v"}}));
  EXPECT_EQ(insert({{"t", "s", "1"}, {"t", "r", "2"}}),
            (std::vector{Inserted::kDuplicate, Inserted::kStored}));
}

TEST_P(DocumentsContract, SearchesSeeWholeTransactionsWhileRowsComeIn) {
  std::atomic<bool> over = false;
  std::thread writer([&] {
    for (int i = 0; i < 200; ++i)
      insert({{"t", "s", std::to_string(2 * i), i}, {"u", "s", std::to_string(2 * i + 1), i}});
    over = true;
  });
  while (!over) {
    Ids const got = ids(all());
    ASSERT_EQ(got.size() % 2, 0u);
    for (std::size_t i = 0; i < got.size(); ++i) ASSERT_EQ(got[i], std::to_string(i));
  }
  writer.join();
  EXPECT_EQ(ids(all()).size(), 400u);
}

}  // namespace headrace::documents
