// SPDX-License-Identifier: Apache-2.0
#include "codec/record/record_writer.h"
#include "dispatch/impl/state_file.h"
#include "dispatch/impl/tracker.h"
#include "dispatch/testing.h"

namespace headrace::dispatch::impl {
namespace {

constexpr char const* kProducer = "0190b0a2-7c4f-7e3a-9c5d-0123456789ab";

Tracker make_tracker(std::size_t producers_max = 10) {
  return Tracker({{7, "t", 2, std::chrono::hours(1)}}, producers_max);
}

std::vector<StateChange> sorted(std::vector<StateChange> state) {
  std::sort(state.begin(), state.end(), [](auto const& a, auto const& b) { return a.key < b.key; });
  return state;
}

TEST(Tracker, StateComesBackAsItWasCommitted) {
  Pending pending;
  pending.cursors[{7, 1}] = {3, 4};
  pending.producers[{{7, 1}, *base::parse_uuid(kProducer)}] = {2, 9, {100}};
  pending.accounts[7].read = pending.accounts[7].stored = {5, 6};
  pending.accounts[7].expired = 3;
  Tracker first = make_tracker();
  auto const state = sorted(first.changes(pending, std::vector<std::uint64_t>{12}));
  ASSERT_EQ(state.size(), 4u);
  EXPECT_EQ(state[0].key, "cursor/t/1");
  EXPECT_EQ(state[1].key, "ledger/t");
  EXPECT_EQ(state[1].value, "5 6 5 6 0 0 0 0 0 0 3");
  EXPECT_EQ(state[2].key, std::string("producer/t/1/") + kProducer);
  EXPECT_EQ(state[2].value, "2 9 100");
  EXPECT_EQ(state[3].key, "retried/12");

  Tracker second = make_tracker();
  ASSERT_TRUE(second.load(state));
  EXPECT_EQ(second.cursor({7, 1}), (broker::Position{3, 4}));
  EXPECT_FALSE(second.cursor({7, 0}));
  EXPECT_EQ(second.accounts().at(7), pending.accounts[7]);
  EXPECT_EQ(second.producer_count(), 1u);
  EXPECT_EQ(second.settled_retries(), (std::set<std::uint64_t>{12}));
}

TEST(Tracker, WhatIsNotUnderstoodIsCorruptAndNamed) {
  for (StateChange const& bad :
       std::vector<StateChange>{{"nonsense", "1"},
                                {"cursor/t/x", "1-2"},
                                {"cursor/t/0", "1"},
                                {"ledger/t", "1 2 3"},
                                {"ledger/t", "1 2 3 4 5 6 7 8 9 10 11 12"},
                                {"producer/t/0/zz", "1 2 3"},
                                {std::string("producer/t/0/") + kProducer, "1 2"},
                                {"retried/x", "1"}}) {
    SCOPED_TRACE(bad.key);
    Tracker tracker = make_tracker();
    auto const loaded = tracker.load(std::vector{bad});
    ASSERT_FALSE(loaded);
    EXPECT_EQ(loaded.error().code, base::ErrorCode::kCorrupt);
    EXPECT_NE(loaded.error().context.find(bad.key), std::string::npos);
  }
}

TEST(Tracker, DataTypesThatAreNotSubscribedAreLeftAlone) {
  Tracker tracker = make_tracker();
  ASSERT_TRUE(tracker.load(std::vector<StateChange>{
      {"cursor/gone/0", "1-2"}, {"ledger/gone", "0 0 0 0 0 0 0 0 0 0 0"}, {"cursor/t/9", "1-2"}}));
  EXPECT_TRUE(tracker.cursors().empty());
  EXPECT_TRUE(tracker.accounts().empty());
}

TEST(Tracker, ProducersGoWithTheLogAndBeyondTheBoundTheLongestSilentFirst) {
  Tracker tracker = make_tracker(10);
  Pending pending;
  for (std::uint8_t i = 1; i <= 10; ++i) {
    base::Uuid producer;
    producer.bytes[0] = i;
    pending.producers[{{7, 0}, producer}] = {0, 1, {i * 1'000'000'000ll}};
  }
  tracker.apply(pending);
  base::Timestamp const hour{3'600'000'000'000};
  // Older than an hour at 1 h + 3.5 s: the first three.
  auto const old = sorted(tracker.expire_producers(hour + std::chrono::milliseconds(3'500)));
  ASSERT_EQ(old.size(), 3u);
  EXPECT_EQ(old[0].key, "producer/t/0/01000000-0000-0000-0000-000000000000");
  EXPECT_EQ(old[0].value, "");
  EXPECT_EQ(tracker.producer_count(), 7u);
  EXPECT_TRUE(tracker.expire_producers(hour + std::chrono::seconds(5)).empty());  // looks seldom
  Pending more;
  for (std::uint8_t i = 20; i < 24; ++i) {
    base::Uuid producer;
    producer.bytes[0] = i;
    more.producers[{{7, 0}, producer}] = {0, 1, hour};
  }
  tracker.apply(more);
  auto const crowded = sorted(tracker.expire_producers(hour + std::chrono::seconds(6)));
  ASSERT_EQ(crowded.size(), 2u);
  EXPECT_EQ(crowded[0].key, "producer/t/0/04000000-0000-0000-0000-000000000000");
  EXPECT_EQ(tracker.producer_count(), 9u);
}

TEST(StateFile, AnotherFormatIsRefusedByName) {
  testing::TemporaryDirectory directory;
  std::string const path = directory.path("r.db");
  ASSERT_TRUE(StateFile::open(path, sqlite::Synchronous::kFull));
  {
    auto database = sqlite::Database::open(path, {}).value();
    ASSERT_TRUE(database.set_user_version(2));
  }
  auto const newer = StateFile::open(path, sqlite::Synchronous::kFull);
  ASSERT_FALSE(newer);
  EXPECT_EQ(newer.error().code, base::ErrorCode::kInvalidArgument);
  EXPECT_NE(newer.error().context.find("format version 2"), std::string::npos);
  {
    auto database = sqlite::Database::open(directory.path("other.db"), {}).value();
    ASSERT_TRUE(database.execute("CREATE TABLE state(a)"));
  }
  auto const foreign = StateFile::open(directory.path("other.db"), sqlite::Synchronous::kFull);
  ASSERT_FALSE(foreign);
  EXPECT_EQ(foreign.error().code, base::ErrorCode::kCorrupt);
}

TEST(StateFile, UnconfirmedLettersAreSeenByNobodyUntilTheirBatchHasCommitted) {
  testing::TemporaryDirectory directory;
  std::vector<NewDeadLetter> letters(2);
  for (std::size_t i = 0; i < letters.size(); ++i) {
    letters[i].letter.data_type = "t";
    letters[i].letter.source = "s";
    letters[i].letter.position = {0, 10 * (i + 1)};
    letters[i].letter.record = "record";
  }
  {
    auto const file = StateFile::open(directory.path("r.db"), sqlite::Synchronous::kFull).value();
    ASSERT_TRUE(file->put_unconfirmed(letters));
    ASSERT_TRUE(file->put_unconfirmed(letters));  // the same batch again
    EXPECT_EQ(file->totals().count, 0u);
    EXPECT_TRUE(file->list({}, 0, 10)->letters.empty());
    EXPECT_EQ(file->mark_for_retry({}).value(), 0u);
    EXPECT_EQ(file->drop({}).value(), 0u);
  }
  auto const file = StateFile::open(directory.path("r.db"), sqlite::Synchronous::kFull).value();
  ASSERT_TRUE(file->has_unconfirmed());
  ASSERT_TRUE(file->settle_unconfirmed([](std::string const&, std::uint32_t, broker::Position at) {
    return at < broker::Position{0, 20};
  }));
  EXPECT_EQ(file->totals().count, 1u);
  EXPECT_EQ(file->totals().bytes, 6u);
  EXPECT_EQ(file->list({}, 0, 10)->letters.at(0).position, (broker::Position{0, 10}));
  EXPECT_FALSE(file->has_unconfirmed());
}

TEST(StateFile, ALetterThatIsBeingSentAgainCannotBeDropped) {
  testing::TemporaryDirectory directory;
  auto const file = StateFile::open(directory.path("r.db"), sqlite::Synchronous::kFull).value();
  std::vector<NewDeadLetter> letters(2);
  letters[1].index_in_record = 1;
  ASSERT_TRUE(file->write({{}, letters, {}, {}}));
  ASSERT_EQ(file->mark_for_retry({}).value(), 2u);
  auto const sent = file->begin_retry(1, 1'000).value();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(file->drop({.id = sent[0].id}).error().code, base::ErrorCode::kOverloaded);
  EXPECT_EQ(file->drop({}).value(), 1u);
  file->end_retry();
  EXPECT_EQ(file->drop({.id = sent[0].id}).value(), 1u);
  EXPECT_EQ(file->totals().dropped_total, 2u);
}

}  // namespace
}  // namespace headrace::dispatch::impl
