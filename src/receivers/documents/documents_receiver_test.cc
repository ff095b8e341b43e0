// SPDX-License-Identifier: Apache-2.0
#include "receivers/documents/documents_receiver.h"

#include <gmock/gmock.h>

#include "base/random.h"
#include "dispatch/testing.h"
#include "documents/fake_documents.h"
#include "documents/sqlite/sqlite_documents.h"

namespace headrace::receivers::documents {
namespace {

using codec::record::Kind;
using dispatch::testing::soon;
using dispatch::testing::TemporaryDirectory;
using dispatch::testing::World;
using headrace::documents::Documents;
using headrace::documents::FakeDocuments;
using headrace::documents::FoundMessage;
using headrace::documents::Query;

class DocumentsReceiverTest : public ::testing::Test {
 protected:
  void start(Documents& store, DocumentsReceiverOptions const& options = {}) {
    std::vector<dispatch::Route> routes(1);
    routes[0].name = "archive";
    routes[0].receiver = make_documents_receiver("archive", store, options);
    routes[0].subscriptions = {world_.type("t"), world_.type("u")};
    routes[0].options.required = true;
    routes[0].options.retry_min = routes[0].options.retry_max = std::chrono::nanoseconds(0);
    dispatcher_ = std::make_unique<dispatch::Dispatcher>(
        dispatch::Dispatcher::Dependencies{*world_.broker, world_.clock, metrics_,
                                           directory_.path("dispatch"), 1},
        std::move(routes));
    ASSERT_TRUE(dispatcher_->start());
  }
  void stop() {
    ASSERT_TRUE(dispatcher_->stop(soon()));
    dispatcher_.reset();
  }
  bool settled() {
    return dispatcher_->wait_applied("archive", dispatcher_->ends("archive").value(), soon())
        .value();
  }
  static std::vector<std::string> stored(Documents const& store) {
    std::vector<std::string> lines;
    Query query;
    query.limit = 1'000'000;
    auto const end = store.search(query, {}, [&](FoundMessage const& m) {
      lines.push_back(std::string(m.type) + "/" + std::string(m.source) + "/" +
                      std::string(m.id.substr(m.id.rfind('.') + 1)) + "=" +
                      std::string(base::as_text(m.body)));
      return true;
    });
    EXPECT_TRUE(end);
    return lines;
  }

  World world_;
  TemporaryDirectory directory_;
  base::Registry metrics_;
  std::unique_ptr<dispatch::Dispatcher> dispatcher_;
};

TEST_F(DocumentsReceiverTest, MessagesAreFoundWithEverythingTheyCameWith) {
  auto const store =
      headrace::documents::open_sqlite_documents(directory_.path("documents.db"), {}).value();
  start(*store);
  world_.append({.source = "a", .sequences = {1, 2}, .body = R"({"x":1})"});
  world_.append({.type = "u", .source = "b", .producer = 2, .sequences = {7}, .body = "[]"});
  ASSERT_TRUE(settled());
  EXPECT_THAT(stored(*store),
              ::testing::UnorderedElementsAre(R"(t/a/1={"x":1})", R"(t/a/2={"x":1})", "u/b/7=[]"));
  ASSERT_TRUE(store->search({}, {}, [&](FoundMessage const& m) {
    EXPECT_EQ(m.principal, "p");
    EXPECT_EQ(m.received, world_.clock.now());
    EXPECT_EQ(m.encoding, model::BodyEncoding::kJson);
    return true;
  }));
  stop();
}

TEST_F(DocumentsReceiverTest, AnEraseTakesWhatItsSourceHadBeforeItAndNothingAfter) {
  FakeDocuments store;
  world_.append({.source = "a", .sequences = {1}});
  world_.append({.source = "b", .producer = 2, .sequences = {1}});
  world_.append({.type = "u", .source = "a", .sequences = {1}});
  world_.append({.source = "a", .sequences = {2}, .kind = Kind::kErase});
  world_.append({.source = "a", .sequences = {3}});
  world_.append({.source = "a", .sequences = {4}, .kind = Kind::kSetTags});
  world_.append({.source = "b",
                 .producer = 2,
                 .sequences = {2},
                 .body = R"({"from":"2026-01-01T00:00:00Z"})",
                 .kind = Kind::kErase});
  start(store);
  ASSERT_TRUE(settled());
  EXPECT_THAT(stored(store), ::testing::UnorderedElementsAre("t/b/1={}", "u/a/1={}", "t/a/3={}"));
  dispatch::LedgerEntry const entry = dispatcher_->ledger("archive")->at(0);
  EXPECT_EQ(entry.accepted.messages, 6u);
  EXPECT_EQ(entry.stored.messages, 4u);
  EXPECT_EQ(entry.filtered.messages, 1u);
  EXPECT_EQ(entry.dead.messages, 1u);  // a condition that is not understood erases nothing
  stop();
}

TEST_F(DocumentsReceiverTest, ABodyAboveTheBoundIsRefusedAndItsNeighboursAreStored) {
  FakeDocuments store;
  world_.append({.source = "a", .sequences = {1}});
  world_.append({.source = "a", .sequences = {2}, .body = R"("12345678")"});
  world_.append({.source = "a", .sequences = {3}, .body = R"("123456789")"});
  world_.append({.source = "a", .sequences = {1}});
  world_.append({.source = "a", .sequences = {4}});
  start(store, {.body_bytes_max = 10});
  ASSERT_TRUE(settled());
  EXPECT_THAT(stored(store),
              ::testing::UnorderedElementsAre("t/a/1={}", R"(t/a/2="12345678")", "t/a/4={}"));
  dispatch::LedgerEntry const entry = dispatcher_->ledger("archive")->at(0);
  EXPECT_EQ(entry.stored.messages, 3u);
  EXPECT_EQ(entry.duplicate.messages, 1u);
  EXPECT_EQ(entry.dead.messages, 1u);
  auto const letters = dispatcher_->list_dead_letters("archive", {}, 0, 9).value().letters;
  ASSERT_EQ(letters.size(), 1u);
  EXPECT_EQ(letters[0].reason.code, base::ErrorCode::kTooLarge);
  EXPECT_EQ(letters[0].reason.context,
            "the body has 11 bytes; this archive takes at most 10 "
            "(receivers.archive.body_bytes_max)");
  stop();
}

TEST_F(DocumentsReceiverTest, WhateverTheStoreDoesEverythingIsStoredOnce) {
  FakeDocuments store;
  base::Random random(3);
  std::uint64_t sequence = 0;
  for (int life = 0; life < 20; ++life) {
    using Fault = FakeDocuments::Fault;
    store.fail_next_commit(random.below(2) == 0 ? Fault::kBefore : Fault::kAfter);
    store.fail_next_begins(static_cast<int>(random.below(3)));
    start(store);
    for (int i = 0; i < 3; ++i) {
      world_.append({.source = "a", .sequences = {sequence + 1, sequence + 2}});
      world_.append({.source = "a", .sequences = {sequence + 2, sequence + 3}});
      sequence += 3;
    }
    if (random.below(2) == 0) {
      ASSERT_TRUE(settled());
    }
    stop();
  }
  start(store);
  ASSERT_TRUE(settled());
  EXPECT_EQ(stored(store).size(), sequence);
  dispatch::LedgerEntry const entry = dispatcher_->ledger("archive")->at(0);
  EXPECT_EQ(entry.stored.messages, sequence);
  EXPECT_EQ(entry.duplicate.messages, sequence / 3);
  EXPECT_EQ(entry.accepted.messages, sequence + sequence / 3);
  stop();
}

TEST_F(DocumentsReceiverTest, WhatTheStoreHasAlreadyIsADuplicate) {
  FakeDocuments store;
  start(store);
  world_.append({.source = "a", .sequences = {1}});
  ASSERT_TRUE(settled());
  stop();
  // The state is lost, the messages are not: the log is read again from its beginning.
  {
    auto const transaction = store.begin().value();
    auto const entries = store.load_state("archive").value();
    for (auto const& entry : entries) ASSERT_TRUE(transaction->set_state("archive", entry.key, ""));
    ASSERT_TRUE(transaction->commit());
  }
  start(store);
  ASSERT_TRUE(settled());
  EXPECT_EQ(dispatcher_->ledger("archive")->at(0).duplicate.messages, 1u);
  EXPECT_EQ(stored(store).size(), 1u);
  stop();
}

}  // namespace
}  // namespace headrace::receivers::documents
