// SPDX-License-Identifier: Apache-2.0
#include "dispatch/dispatcher.h"

#include <fmt/ranges.h>

#include "dispatch/testing.h"

namespace headrace::dispatch {
namespace {

using namespace testing;
using base::ErrorCode;
using codec::record::Kind;

// What a receiver saw, to be read from the test's thread.
class Seen {
 public:
  void add(Batch const& batch) {
    std::lock_guard const lock(mutex_);
    ++batches_;
    std::size_t event = 0;
    for (std::size_t i = 0; i <= batch.messages.size(); ++i) {
      for (; event < batch.events.size() && batch.events[event].before == i; ++event)
        lines_.push_back(fmt::format("{} {}", batch.events[event].source,
                                     batch.events[event].active ? "active" : "inactive"));
      if (i == batch.messages.size()) break;
      Delivery const& d = batch.messages[i];
      lines_.push_back(fmt::format("{}{}:{}.{}{}", d.record.kind() == Kind::kErase ? "erase " : "",
                                   d.record.source(), d.record.epoch(),
                                   d.record.first_sequence() + d.message.sequence_delta(),
                                   d.redelivered ? " again" : ""));
    }
  }
  std::vector<std::string> lines() const {
    std::lock_guard const lock(mutex_);
    return lines_;
  }
  std::size_t batches() const {
    std::lock_guard const lock(mutex_);
    return batches_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> lines_;
  std::size_t batches_ = 0;
};

using Lines = std::vector<std::string>;

class DispatcherTest : public ::testing::Test {
 protected:
  ~DispatcherTest() override { dispatcher_.reset(); }

  Route& route(std::string const& name, std::unique_ptr<Receiver> receiver,
               std::vector<std::string> const& types = {"t"}) {
    Route& r = routes_.emplace_back();
    r.name = name;
    r.receiver = std::move(receiver);
    r.options.retry_min = r.options.retry_max = std::chrono::nanoseconds(0);
    for (auto const& type : types) r.subscriptions.push_back(world_.type(type));
    return r;
  }
  Route& route(std::string const& name, ScriptedReceiver::Consume consume,
               std::vector<std::string> const& types = {"t"}) {
    return route(name, std::make_unique<ScriptedReceiver>(std::move(consume)), types);
  }
  Route& seeing(std::string const& name, Seen& seen,
                std::vector<std::string> const& types = {"t"}) {
    return route(
        name,
        [&seen](Batch const& batch, Commit const&) -> base::Result<Outcome> {
          seen.add(batch);
          return Outcome{};
        },
        types);
  }
  void start() {
    dispatcher_ = std::make_unique<Dispatcher>(
        Dispatcher::Dependencies{*world_.broker, world_.clock, metrics_, directory_.path(), 1},
        std::move(routes_));
    routes_.clear();
    ASSERT_TRUE(dispatcher_->start());
  }
  void stop() {
    ASSERT_TRUE(dispatcher_->stop(soon()));
    dispatcher_.reset();
  }
  bool settled(std::string_view name) {
    return dispatcher_->wait_applied(name, dispatcher_->ends(name).value(), soon()).value();
  }
  ReceiverStatus status(std::string_view name = "r") { return dispatcher_->status(name).value(); }
  LedgerEntry ledger(std::string_view name = "r") {
    return dispatcher_->ledger(name).value().at(0);
  }
  void append(std::vector<std::uint64_t> sequences) {
    world_.append({.sequences = std::move(sequences)});
  }
  bool becomes(ReceiverState state, std::string_view name = "r") {
    return eventually([&] { return status(name).state == state; });
  }

  World world_;
  TemporaryDirectory directory_;
  base::Registry metrics_;
  std::vector<Route> routes_;
  std::unique_ptr<Dispatcher> dispatcher_;
};

// Refuses messages of the sources named.
ScriptedReceiver::Consume refusing(std::set<std::string>& sources, std::mutex& mutex, Seen& seen) {
  return [&](Batch const& batch, Commit const&) -> base::Result<Outcome> {
    seen.add(batch);
    std::lock_guard const lock(mutex);
    Outcome outcome;
    for (std::size_t i = 0; i < batch.messages.size(); ++i) {
      bool const refused = sources.contains(std::string(batch.messages[i].record.source()));
      outcome.fates.push_back(refused ? Fate::kRejected : Fate::kStored);
      if (refused) outcome.rejected.push_back({i, {ErrorCode::kInvalidArgument, "unwanted"}});
    }
    return outcome;
  };
}

// A cursor of another log must not hide what comes: here the new log is shorter than the cursor.
TEST_F(DispatcherTest, AnotherLogIsReadFromItsBeginning) {
  Seen seen;
  seeing("r", seen);
  start();
  append({1, 2, 3});
  for (std::uint64_t s = 4; s < 40; ++s) append({s});
  ASSERT_TRUE(settled("r"));
  stop();
  world_.replace_log();
  world_.append({.producer = 2, .sequences = {1, 2}});
  seeing("r", seen);
  start();
  world_.append({.producer = 2, .sequences = {3}});
  ASSERT_TRUE(settled("r"));
  EXPECT_EQ(seen.lines().size(), 42u);
  EXPECT_EQ(ledger().stored.messages, 42u);
  stop();
  seeing("r", seen);
  start();
  ASSERT_TRUE(settled("r"));
  EXPECT_EQ(seen.lines().size(), 42u) << "the same log: nothing again";
}

TEST_F(DispatcherTest, EachReceiverGetsItsTypesInOrder) {
  Seen one, both;
  seeing("one", one, {"t"});
  seeing("both", both, {"t", "u"});
  start();
  append({1, 2});
  world_.append({.type = "u", .source = "v", .sequences = {1}});
  append({3});
  ASSERT_TRUE(settled("one"));
  ASSERT_TRUE(settled("both"));
  EXPECT_EQ(one.lines(), (Lines{"s:0.1", "s:0.2", "s:0.3"}));
  EXPECT_EQ(both.lines().size(), 4u);
  auto const ledger = dispatcher_->ledger("both").value();
  ASSERT_EQ(ledger.size(), 2u);
  EXPECT_EQ(ledger[0].stored.messages, 3u);
  EXPECT_EQ(ledger[0].accepted.messages, 3u);
  EXPECT_EQ(ledger[1].data_type, "u");
  EXPECT_EQ(ledger[1].stored.messages, 1u);
}

TEST_F(DispatcherTest, RepeatsAreDroppedPerProducerAndEpoch) {
  Seen seen;
  seeing("r", seen);
  start();
  struct Step {
    char const* name;
    std::uint8_t producer;
    std::uint32_t epoch;
    std::vector<std::uint64_t> sequences;
    Lines want;
  };
  Step const steps[] = {
      {"first", 1, 0, {1, 2}, {"s:0.1", "s:0.2"}},
      {"whole repeat", 1, 0, {1, 2}, {}},
      {"gap", 1, 0, {5}, {"s:0.5"}},
      {"inside the gap", 1, 0, {3}, {}},
      {"partly seen", 1, 0, {4, 5, 6, 7}, {"s:0.6", "s:0.7"}},
      {"another producer", 2, 0, {1}, {"s:0.1"}},
      {"new epoch", 1, 1, {1, 2}, {"s:1.1", "s:1.2"}},
      {"past epoch", 1, 0, {100}, {}},
      {"epoch goes on", 1, 1, {2, 3}, {"s:1.3"}},
  };
  Lines want;
  for (Step const& step : steps) {
    SCOPED_TRACE(step.name);
    world_.append({.producer = step.producer, .epoch = step.epoch, .sequences = step.sequences});
    ASSERT_TRUE(settled("r"));
    want.insert(want.end(), step.want.begin(), step.want.end());
    EXPECT_EQ(seen.lines(), want);
  }
  stop();  // what was seen is known to the next life, too
  seeing("r", seen);
  start();
  world_.append({.epoch = 1, .sequences = {3, 4}});
  ASSERT_TRUE(settled("r"));
  want.push_back("s:1.4");
  EXPECT_EQ(seen.lines(), want);
  LedgerEntry const entry = ledger();
  EXPECT_EQ(entry.accepted.messages, 18u);
  EXPECT_EQ(entry.stored.messages, want.size());
  EXPECT_EQ(entry.duplicate.messages, 18 - want.size());
}

TEST_F(DispatcherTest, AHungReceiverIsShownAndHoldsUpNobody) {
  Seen seen;
  Gate entered, release;
  route("hung", [&](Batch const&, Commit const&) -> base::Result<Outcome> {
    entered.open();
    release.wait();
    return Outcome{};
  });
  seeing("well", seen);
  start();
  append({1});
  ASSERT_TRUE(entered.wait());
  EXPECT_NE(status("hung").state, ReceiverState::kHung);
  world_.clock.advance(std::chrono::seconds(31));
  EXPECT_EQ(status("hung").state, ReceiverState::kHung);
  EXPECT_EQ(status("hung").error->context, "the call that runs now has lasted 31 s");
  append({2, 3});
  ASSERT_TRUE(settled("well"));
  EXPECT_EQ(seen.lines().size(), 3u);
  EXPECT_EQ(status("hung").lag_messages, 3u);
  EXPECT_EQ(status("hung").oldest_unread_age, std::chrono::seconds(31));
  EXPECT_EQ(status("hung").falls_off_in, std::chrono::hours(24) - std::chrono::seconds(31));
  auto const stopped = dispatcher_->stop(std::chrono::steady_clock::now());
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().code, ErrorCode::kTimedOut);
  EXPECT_NE(stopped.error().context.find("hung"), std::string::npos);
  release.open();
}

TEST_F(DispatcherTest, AFailingReceiverIsTriedAgainWithGrowingBackOff) {
  std::atomic<int> calls = 0;
  std::atomic<bool> away = true;
  auto& options = route("r", [&](Batch const&, Commit const&) -> base::Result<Outcome> {
                    ++calls;
                    if (away) return base::Error{ErrorCode::kUnavailable, "sink away"};
                    return Outcome{};
                  }).options;
  options.retry_min = std::chrono::hours(1);
  options.retry_max = std::chrono::hours(3);
  start();
  append({1});
  std::chrono::nanoseconds const most[] = {std::chrono::hours(1), std::chrono::hours(2),
                                           std::chrono::hours(3), std::chrono::hours(3)};
  for (std::uint32_t failures = 1; failures <= std::size(most); ++failures) {
    ASSERT_TRUE(eventually([&] {
      return status().state == ReceiverState::kRetrying && status().failures == failures;
    }));
    ReceiverStatus const now = status();
    EXPECT_EQ(now.error->context, "sink away");
    EXPECT_EQ(calls, static_cast<int>(failures));
    auto const wait = *now.next_try - world_.clock.now();
    EXPECT_GE(wait, most[failures - 1] / 2);
    EXPECT_LE(wait, most[failures - 1]);
    if (failures == std::size(most)) away = false;
    world_.clock.advance(wait);
    dispatcher_->poke();
  }
  ASSERT_TRUE(settled("r"));
  EXPECT_EQ(status().state, ReceiverState::kRunning);
  EXPECT_EQ(status().failures, 0u);
  EXPECT_EQ(ledger().stored.messages, 1u);
}

TEST_F(DispatcherTest, WhatReceiversDoWrongIsContainedAndTriedAgain) {
  struct Case {
    char const* name;
    ScriptedReceiver::Consume wrong;
    std::string_view error;
  };
  Case const cases[] = {
      {"throws",
       [](Batch const&, Commit const&) -> base::Result<Outcome> {
         throw std::runtime_error("oops");
       },
       "consume threw: oops"},
      {"throws an int", [](Batch const&, Commit const&) -> base::Result<Outcome> { throw 1; },
       "consume threw something"},
      {"too few fates",
       [](Batch const&, Commit const&) -> base::Result<Outcome> {
         return Outcome{{Fate::kStored}, {}};
       },
       "1 fates for 2 messages"},
      {"no reason",
       [](Batch const&, Commit const&) -> base::Result<Outcome> {
         return Outcome{{Fate::kStored, Fate::kRejected}, {}};
       },
       "message 1 is rejected without a reason"},
      {"reason for another",
       [](Batch const&, Commit const&) -> base::Result<Outcome> {
         return Outcome{{Fate::kStored, Fate::kRejected}, {{0, {}}}};
       },
       "message 1 is rejected without a reason"},
      {"reasons only",
       [](Batch const&, Commit const&) -> base::Result<Outcome> { return Outcome{{}, {{0, {}}}}; },
       "0 fates for 2 messages"},
  };
  append({1, 2});
  for (auto const& c : cases) {
    SCOPED_TRACE(c.name);
    std::atomic<bool> right = false;
    auto& options = route(std::string("r") + std::to_string(&c - cases), [&](Batch const& batch,
                                                                             Commit const& commit) {
                      return right ? base::Result<Outcome>(Outcome{}) : c.wrong(batch, commit);
                    }).options;
    options.retry_min = options.retry_max = std::chrono::hours(1);
    std::string const name = routes_.back().name;
    start();
    ASSERT_TRUE(becomes(ReceiverState::kRetrying, name));
    EXPECT_EQ(status(name).error->code, ErrorCode::kInternal);
    EXPECT_NE(status(name).error->context.find(c.error), std::string::npos)
        << status(name).error->context;
    right = true;
    world_.clock.advance(std::chrono::hours(1));
    dispatcher_->poke();
    ASSERT_TRUE(settled(name));
    stop();
  }
}

TEST_F(DispatcherTest, AReceiverThatCannotStartIsTriedAgainUnlessItsConfigIsWrong) {
  auto later = std::make_unique<ScriptedReceiver>(
      [](Batch const&, Commit const&) { return base::Result<Outcome>(Outcome{}); });
  std::atomic<int> starts = 0;
  later->on_start = [&]() -> base::Result<void> {
    if (++starts < 3) return base::Error{ErrorCode::kUnavailable, "not yet"};
    return {};
  };
  auto never = std::make_unique<ScriptedReceiver>(
      [](Batch const&, Commit const&) { return base::Result<Outcome>(Outcome{}); });
  never->on_start = []() -> base::Result<void> {
    return base::Error{ErrorCode::kInvalidArgument, "no such table"};
  };
  route("later", std::move(later));
  route("never", std::move(never));
  append({1});
  start();
  ASSERT_TRUE(settled("later"));
  EXPECT_EQ(starts, 3);
  ASSERT_TRUE(becomes(ReceiverState::kFailed, "never"));
  EXPECT_EQ(status("never").error->context, "no such table");
  stop();
}

TEST_F(DispatcherTest, RefusedMessagesAreKeptShownSentAgainAndDropped) {
  std::set<std::string> unwanted = {"a", "b"};
  std::mutex mutex;
  Seen seen;
  route("r", refusing(unwanted, mutex, seen));
  start();
  world_.append({.source = "a", .sequences = {1}, .body = R"({"x":1})"});
  world_.append({.source = "b", .producer = 2, .sequences = {1, 2}});
  world_.append({.source = "c", .producer = 3, .sequences = {1}});
  ASSERT_TRUE(settled("r"));
  LedgerEntry entry = ledger();
  EXPECT_EQ(entry.accepted.messages, 4u);
  EXPECT_EQ(entry.dead.messages, 3u);
  EXPECT_EQ(entry.stored.messages, 1u);
  EXPECT_EQ(status().dead_letters.count, 3u);

  auto const first = dispatcher_->list_dead_letters("r", {}, 0, 2).value();
  ASSERT_EQ(first.letters.size(), 2u);
  ASSERT_TRUE(first.next_after);
  auto const rest = dispatcher_->list_dead_letters("r", {}, *first.next_after, 2).value();
  EXPECT_EQ(rest.letters.size(), 1u);
  EXPECT_FALSE(rest.next_after);
  DeadLetter const letter = dispatcher_->show_dead_letter("r", first.letters[0].id).value();
  EXPECT_EQ(letter.data_type, "t");
  EXPECT_EQ(letter.source, "a");
  EXPECT_EQ(letter.reason, (base::Error{ErrorCode::kInvalidArgument, "unwanted"}));
  EXPECT_EQ(letter.attempts, 1u);
  EXPECT_EQ(letter.first_refused, world_.clock.now());
  auto const record = codec::record::RecordView::open(base::as_bytes(letter.record));
  ASSERT_TRUE(record);
  EXPECT_EQ(base::as_text(record->first().body()), R"({"x":1})");

  world_.clock.advance(std::chrono::seconds(1));
  EXPECT_EQ(dispatcher_->retry_dead_letters("r", {.source = "a"}).value(), 1u);  // refused again
  ASSERT_TRUE(eventually([&] { return status().dead_letters.retry_pending == 0; }));
  DeadLetter const again = dispatcher_->show_dead_letter("r", letter.id).value();
  EXPECT_EQ(again.attempts, 2u);
  EXPECT_EQ(again.first_refused, letter.first_refused);
  EXPECT_EQ(again.last_refused, world_.clock.now());
  EXPECT_EQ(seen.lines().back(), "a:0.1 again");

  {
    std::lock_guard const lock(mutex);
    unwanted.clear();
  }
  EXPECT_EQ(dispatcher_->retry_dead_letters("r", {.id = letter.id}).value(), 1u);
  ASSERT_TRUE(eventually([&] { return status().dead_letters.count == 2; }));
  EXPECT_EQ(dispatcher_->drop_dead_letters("r", {.code = ErrorCode::kDenied}).value(), 0u);
  EXPECT_EQ(dispatcher_->drop_dead_letters("r", {.data_type = "t", .source = "b"}).value(), 2u);
  EXPECT_EQ(status().dead_letters.count, 0u);
  EXPECT_EQ(status().dead_letters.dropped_total, 2u);
  EXPECT_EQ(dispatcher_->drop_dead_letters("r", {.id = letter.id}).error().code,
            ErrorCode::kNotFound);
  ASSERT_TRUE(eventually([&] { return ledger().stored.messages == 2; }));
  entry = ledger();
  EXPECT_EQ(entry.dead.messages, 2u);
  EXPECT_EQ(entry.accepted.messages, 4u);
  EXPECT_EQ(dispatcher_->list_dead_letters("nobody", {}, 0, 1).error().code, ErrorCode::kNotFound);
}

TEST_F(DispatcherTest, ARetryThatFailsLeavesTheLetterAndTheStreamGoesOn) {
  std::set<std::string> unwanted = {"a"};
  std::mutex mutex;
  Seen seen;
  auto const refuse = refusing(unwanted, mutex, seen);
  route("r", [&](Batch const& batch, Commit const& commit) -> base::Result<Outcome> {
    if (!batch.messages.empty() && batch.messages[0].redelivered)
      return base::Error{ErrorCode::kUnavailable, "poison"};
    return refuse(batch, commit);
  });
  start();
  world_.append({.source = "a", .sequences = {1}});
  ASSERT_TRUE(settled("r"));
  ASSERT_EQ(dispatcher_->retry_dead_letters("r", {}).value(), 1u);
  world_.append({.source = "c", .producer = 2, .sequences = {1}});
  ASSERT_TRUE(settled("r"));
  ASSERT_TRUE(eventually([&] { return status().dead_letters.retry_pending == 0; }));
  EXPECT_EQ(dispatcher_->list_dead_letters("r", {}, 0, 9)->letters.at(0).reason.context, "poison");
  EXPECT_EQ(ledger().dead.messages, 1u);
}

TEST_F(DispatcherTest, AtTheBoundOfDeadLettersTheReceiverStopsAndSaysSo) {
  std::set<std::string> unwanted = {"a"};
  std::mutex mutex;
  Seen seen;
  auto& options = route("r", refusing(unwanted, mutex, seen)).options;
  options.dead_letters_max = 2;
  options.batch_messages_max = 1;
  start();
  for (std::uint64_t s = 1; s <= 4; ++s) world_.append({.source = "a", .sequences = {s}});
  ASSERT_TRUE(becomes(ReceiverState::kBlocked));
  EXPECT_EQ(status().dead_letters.count, 2u);
  EXPECT_EQ(status().lag_messages, 2u);
  EXPECT_NE(status().error->context.find("2 dead letters"), std::string::npos);
  EXPECT_EQ(dispatcher_->drop_dead_letters("r", {}).value(), 2u);
  ASSERT_TRUE(settled("r"));
  EXPECT_EQ(ledger().dead.messages, 4u);
  EXPECT_EQ(ledger().accepted.messages, 4u);
}

TEST_F(DispatcherTest, QuestionsWaitForWhatWasAcceptedBeforeThem) {
  Gate release;
  route("r", [&](Batch const&, Commit const&) -> base::Result<Outcome> {
    release.wait();
    return Outcome{};
  });
  start();
  append({1});
  auto const ends = dispatcher_->ends("r").value();
  EXPECT_FALSE(dispatcher_->wait_applied("r", ends, std::chrono::steady_clock::now()).value());
  std::atomic<int> answers = 0;
  ASSERT_TRUE(
      dispatcher_->when_applied("r", ends, [&](bool applied) { answers += applied ? 1 : 100; }));
  EXPECT_EQ(answers, 0);
  release.open();
  EXPECT_TRUE(dispatcher_->wait_applied("r", ends, soon()).value());
  EXPECT_TRUE(eventually([&] { return answers == 1; }));
  EXPECT_EQ(dispatcher_->applied("r", ends[0].partition), ends[0].from);
  ASSERT_TRUE(
      dispatcher_->when_applied("r", ends, [&](bool applied) { answers += applied ? 1 : 100; }));
  EXPECT_EQ(answers, 2);
  // What it does not read is left out.
  std::vector<broker::Assignment> const elsewhere = {{{99, 0}, {5, 5}},
                                                     {{ends[0].partition.topic, 77}, {5, 5}}};
  EXPECT_TRUE(dispatcher_->wait_applied("r", elsewhere, std::chrono::steady_clock::now()).value());
  std::vector<broker::Assignment> const beyond = {{ends[0].partition, {ends[0].from.hi + 1, 0}}};
  ASSERT_TRUE(
      dispatcher_->when_applied("r", beyond, [&](bool applied) { answers += applied ? 1 : 100; }));
  stop();
  EXPECT_EQ(answers, 102);
}

TEST_F(DispatcherTest, ReceiversBeginWhereTheirOptionsSay) {
  append({1});
  Seen begin, end, always;
  seeing("begin", begin);
  seeing("end", end).options.from = From::kEnd;
  seeing("always", always).options.from = From::kAlwaysEnd;
  start();
  for (char const* name : {"begin", "end", "always"}) ASSERT_TRUE(settled(name));
  append({2});
  for (char const* name : {"begin", "end", "always"}) ASSERT_TRUE(settled(name));
  stop();
  append({3, 4});
  seeing("begin", begin);
  seeing("end", end).options.from = From::kEnd;
  seeing("always", always).options.from = From::kAlwaysEnd;
  start();
  for (char const* name : {"begin", "end", "always"}) ASSERT_TRUE(settled(name));
  EXPECT_EQ(begin.lines(), (Lines{"s:0.1", "s:0.2", "s:0.3", "s:0.4"}));
  EXPECT_EQ(end.lines(), (Lines{"s:0.2", "s:0.3", "s:0.4"}));
  EXPECT_EQ(always.lines(), (Lines{"s:0.2"}));
  EXPECT_EQ(ledger("always").expired, 2u);
  EXPECT_EQ(ledger("always").accepted.messages, 3u);
}

TEST_F(DispatcherTest, WhatFallsOffTheLogIsCountedAsExpiredUnlessHeld) {
  auto const short_lived = world_.type("u", 1, std::chrono::hours(1));
  Gate release;
  std::atomic<int> entered = 0;
  Seen seen, held;
  auto const slow = [&](Seen& into) {
    return [&](Batch const& batch, Commit const&) -> base::Result<Outcome> {
      ++entered;
      release.wait();
      into.add(batch);
      return Outcome{};
    };
  };
  route("r", slow(seen), {"u"}).options.batch_messages_max = 1;
  start();
  world_.append({.type = "u", .sequences = {1}});
  ASSERT_TRUE(eventually([&] { return entered == 1; }));
  for (std::uint64_t s = 2; s <= 5; ++s) world_.append({.type = "u", .sequences = {s}});
  world_.clock.advance(std::chrono::hours(2));
  world_.append({.type = "u", .sequences = {6}});
  release.open();
  ASSERT_TRUE(settled("r"));
  EXPECT_EQ(seen.lines().front(), "s:0.1");
  EXPECT_EQ(seen.lines().back(), "s:0.6");
  LedgerEntry const entry = ledger();
  EXPECT_EQ(entry.accepted.messages, 6u);
  EXPECT_EQ(entry.stored.messages + entry.expired, 6u);
  EXPECT_EQ(entry.expired, 4u);
  stop();

  seeing("held", held, {"u"}).options.required = true;
  start();
  ASSERT_TRUE(settled("held"));
  stop();
  for (std::uint64_t s = 7; s <= 9; ++s) world_.append({.type = "u", .sequences = {s}});
  world_.clock.advance(std::chrono::hours(2));
  world_.append({.type = "u", .sequences = {10}});
  seeing("held", held, {"u"}).options.required = true;
  start();
  ASSERT_TRUE(settled("held"));
  EXPECT_EQ(ledger("held").expired, 0u);
  EXPECT_EQ(held.lines(), (Lines{"s:0.6", "s:0.7", "s:0.8", "s:0.9", "s:0.10"}));
}

TEST_F(DispatcherTest, EventsAndErasuresComeInTheirPlaceAndTakeDeadLettersAlong) {
  std::set<std::string> unwanted = {"a", "b"};
  std::mutex mutex;
  Seen seen;
  append({1});
  world_.append({.sequences = {}, .kind = Kind::kSourceInactive});
  append({2});
  world_.append({.sequences = {}, .kind = Kind::kSourceActive});
  world_.append({.source = "a", .producer = 2, .sequences = {1}});
  world_.append({.source = "b", .producer = 3, .sequences = {1}});
  route("r", [&](Batch const& batch, Commit const& commit) -> base::Result<Outcome> {
    bool const erases = !batch.messages.empty() && batch.messages[0].record.kind() == Kind::kErase;
    if (!erases) return refusing(unwanted, mutex, seen)(batch, commit);
    seen.add(batch);
    return Outcome{};
  });
  start();
  ASSERT_TRUE(settled("r"));
  EXPECT_EQ(seen.lines(), (Lines{"s:0.1", "s inactive", "s:0.2", "s active", "a:0.1", "b:0.1"}));
  EXPECT_EQ(status().dead_letters.count, 2u);
  world_.append({.source = "a", .producer = 2, .sequences = {2}, .kind = Kind::kErase});
  ASSERT_TRUE(settled("r"));
  EXPECT_EQ(seen.lines().back(), "erase a:0.2");
  EXPECT_EQ(status().dead_letters.count, 1u);
  EXPECT_EQ(dispatcher_->list_dead_letters("r", {}, 0, 9)->letters.at(0).source, "b");
}

TEST_F(DispatcherTest, BatchesKeepTheirBounds) {
  std::atomic<std::size_t> largest = 0;
  auto& options = route("r", [&](Batch const& batch, Commit const&) -> base::Result<Outcome> {
                    largest = std::max(largest.load(), batch.messages.size());
                    return Outcome{};
                  }).options;
  options.batch_messages_max = 10;
  for (std::uint64_t s = 0; s < 40; ++s) append({3 * s + 1, 3 * s + 2, 3 * s + 3});
  start();
  ASSERT_TRUE(settled("r"));
  EXPECT_EQ(ledger().stored.messages, 120u);
  EXPECT_GT(largest, 3u);
  EXPECT_LE(largest, 12u);  // whole records
}

TEST_F(DispatcherTest, TheLedgerOfPointsCountsBoth) {
  std::string body;
  codec::record::encode_points(
      body, {{.stream = {}, .key = "k", .times_ns = {1, 2, 3}, .value_bits = {4, 5, 6}}});
  codec::record::RecordWriter writer;
  writer.begin({.principal = "p", .source = "s", .producer = {}, .received = world_.clock.now()});
  codec::record::MessageParts parts;
  parts.sequence = 1;
  parts.encoding = model::BodyEncoding::kPoints;
  parts.body = base::as_bytes(body);
  writer.add(parts);
  ASSERT_TRUE(world_.appender->append({world_.type("t").topic.id, 0}, writer.finish()));
  (void)world_.appender->poll();
  Seen seen;
  seeing("r", seen);
  start();
  ASSERT_TRUE(eventually([&] { return ledger().stored.messages == 1; }));
  EXPECT_EQ(ledger().stored, (Tally{1, 3}));
  EXPECT_EQ(ledger().accepted, (Tally{1, 3}));
}

TEST_F(DispatcherTest, StateWrittenSeldomIsWrittenWhenIdleAndAtTheEnd) {
  Seen seen;
  seeing("r", seen).options.checkpoint_interval = std::chrono::hours(1);
  start();
  append({1});
  ASSERT_TRUE(settled("r"));
  append({2});
  ASSERT_TRUE(settled("r"));
  stop();
  seeing("r", seen);
  start();
  append({3});
  ASSERT_TRUE(settled("r"));
  EXPECT_EQ(seen.lines(), (Lines{"s:0.1", "s:0.2", "s:0.3"}));
}

TEST_F(DispatcherTest, MetricsTellPerReceiverAndOutliveTheDispatcher) {
  Seen seen;
  seeing("r", seen);
  start();
  append({1, 2});
  ASSERT_TRUE(settled("r"));
  std::string const text = metrics_.render();
  EXPECT_NE(
      text.find(R"(headrace_dispatch_messages_total{receiver="r",data_type="t",fate="stored"} 2)"),
      std::string::npos)
      << text;
  EXPECT_NE(text.find(R"(headrace_dispatch_lag_messages{receiver="r",data_type="t"} 0)"),
            std::string::npos);
  EXPECT_NE(text.find("headrace_dispatch_log_to_receiver_seconds"), std::string::npos);
  stop();
  EXPECT_EQ(metrics_.render().find("headrace_dispatch_lag_messages{"), std::string::npos);
}

}  // namespace
}  // namespace headrace::dispatch
