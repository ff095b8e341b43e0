// SPDX-License-Identifier: Apache-2.0
// The log on a disk that fails, fills up, tears and lies. Stepped by hand, so that every run is
// the same.
#include <fmt/format.h>

#include "base/faulty_file_system.h"
#include "broker/contract_kit.h"
#include "broker/log/impl/log_engine.h"
#include "broker/log/log_check.h"

namespace headrace::broker::log {
namespace {

class LogFaults : public testing::Test {
 protected:
  LogFaults() {
    options_.directory = "/log";
    options_.segment_bytes = 64u << 10;
    options_.disk_budget_bytes = 0;
    options_.reserve_bytes = 8192;
    options_.idle_mark_after = std::chrono::milliseconds(100);
  }
  ~LogFaults() override { drop(); }

  base::Result<void> open() {
    auto broker = LogBroker::open(options_, fs_, clock_, false);
    if (!broker) return broker.error();
    broker_ = std::move(*broker);
    auto const state = broker_->open_topic(make_type("a", 2));
    if (!state) return state.error();
    tp_ = {state->id, 0};
    appender_ = broker_->make_appender(nullptr);
    return {};
  }
  void drop() {
    appender_.reset();
    if (broker_ != nullptr) broker_->abandon();
    broker_.reset();
  }
  void power_failure() {
    drop();
    fs_.power_failure();
  }
  void process_end() {
    drop();
    fs_.process_end();
  }
  // Appends and steps: the failure, or nothing.
  std::optional<base::Error> put(std::uint64_t sequence, std::size_t body_bytes = 100) {
    auto const ticket =
        appender_->append(tp_, make_record({.sequence = sequence, .body_bytes = body_bytes}));
    if (!ticket) return ticket.error();
    broker_->step();
    auto const progress = appender_->poll();
    EXPECT_EQ(progress.settled, *ticket);
    if (!progress.failed.empty()) return progress.failed.front().error;
    return std::nullopt;
  }
  std::vector<std::uint64_t> all() {
    return sequences(read_all(*broker_->make_reader({{tp_, {}}}, nullptr)));
  }
  std::string segment(std::uint64_t number) { return "/log/" + segment_name(number); }

  base::FaultyFileSystem fs_{1};
  base::ManualClock clock_{base::Timestamp{0}};
  LogOptions options_;
  std::unique_ptr<LogBroker> broker_;
  std::unique_ptr<Appender> appender_;
  TopicPartition tp_;
};

TEST_F(LogFaults, AFailedSyncFencesUntilARestart) {
  ASSERT_TRUE(open());
  EXPECT_EQ(put(1), std::nullopt);
  fs_.fail_sync_in(1);
  auto const failed = put(2);
  ASSERT_TRUE(failed.has_value());
  EXPECT_EQ(failed->code, base::ErrorCode::kUnavailable);
  EXPECT_TRUE(broker_->stats().fenced);
  auto const syncs = broker_->stats().syncs_total;
  EXPECT_EQ(put(3)->code, base::ErrorCode::kUnavailable);
  clock_.advance(std::chrono::minutes(1));
  broker_->step();
  broker_->stop();
  EXPECT_EQ(broker_->stats().syncs_total, syncs) << "never synced again";
  EXPECT_EQ(all(), (std::vector<std::uint64_t>{1}));
  process_end();
  ASSERT_TRUE(open());
  EXPECT_FALSE(broker_->stats().fenced);
  EXPECT_EQ(put(4), std::nullopt);
  auto const before = all();
  power_failure();
  ASSERT_TRUE(open());
  EXPECT_EQ(all(), before) << "what was seen after the restart survives";
}

TEST_F(LogFaults, AFailedWriteFences) {
  ASSERT_TRUE(open());
  fs_.fail_write_in(1);
  EXPECT_EQ(put(1)->code, base::ErrorCode::kUnavailable);
  EXPECT_TRUE(broker_->stats().fenced);
}

TEST_F(LogFaults, AFullDiskRefusesAndHealsByItself) {
  ASSERT_TRUE(open());
  fs_.set_disk_bytes(fs_.used_bytes());
  std::uint64_t sequence = 0;
  std::optional<base::Error> refused;
  while (!refused && sequence < 100) refused = put(++sequence, 10'000);
  ASSERT_TRUE(refused.has_value());
  EXPECT_EQ(refused->code, base::ErrorCode::kOverloaded);
  EXPECT_TRUE(broker_->stats().disk_full);
  EXPECT_FALSE(broker_->stats().fenced);
  EXPECT_GE(*fs_.free_bytes("/log"), 8192u) << "the reserve is free for others";
  EXPECT_EQ(all().size(), sequence - 1) << "reading goes on";
  clock_.advance(std::chrono::seconds(1));
  broker_->step();
  EXPECT_TRUE(broker_->stats().disk_full) << "no room yet";
  fs_.set_disk_bytes(1u << 30);
  clock_.advance(std::chrono::seconds(1));
  broker_->step();
  EXPECT_FALSE(broker_->stats().disk_full);
  EXPECT_EQ(put(1000), std::nullopt);
  process_end();
  ASSERT_TRUE(open());
  EXPECT_EQ(all().size(), sequence) << "the refused one is not there";
  EXPECT_EQ(all().back(), 1000u);
}

TEST_F(LogFaults, AfterAFailedTicketEverythingFailsUntilAPollHasReportedIt) {
  options_.group_bytes_max = 40'000;
  ASSERT_TRUE(open());
  auto const append = [&](std::uint64_t sequence) {
    return appender_->append(tp_, make_record({.sequence = sequence, .body_bytes = 30'000}));
  };
  auto const other = broker_->make_appender(nullptr);
  fs_.set_disk_bytes(fs_.used_bytes());
  std::uint64_t sequence = 0;
  while (sequence < 100 && append(++sequence)) {
  }
  // All of these wait; the first steps find no room, later ones would.
  broker_->step();
  broker_->step();
  ASSERT_TRUE(broker_->stats().disk_full);
  fs_.set_disk_bytes(1u << 30);
  clock_.advance(std::chrono::seconds(1));
  broker_->step();
  ASSERT_FALSE(broker_->stats().disk_full);
  auto const between = append(1000);
  ASSERT_FALSE(between.has_value()) << "the failure was not reported yet";
  EXPECT_EQ(between.error().code, base::ErrorCode::kOverloaded);
  EXPECT_TRUE(other->append(tp_, make_record({.sequence = 5000})).has_value()) << "others go on";
  broker_->step();
  auto const progress = appender_->poll();
  ASSERT_FALSE(progress.failed.empty());
  auto const first = progress.failed.front().first;
  auto next = first;
  for (auto const& f : progress.failed) {
    EXPECT_EQ(f.first, next) << "one after the other";
    next = f.last + 1;
  }
  EXPECT_EQ(next, progress.settled + 1) << "up to the last";
  EXPECT_EQ(put(2000), std::nullopt);
  auto const read = all();
  EXPECT_EQ(read.size(), first - 1 + 2);
  EXPECT_EQ(read.back(), 2000u);
  EXPECT_EQ(appender_->unsettled_bytes(), 0u);
}

TEST_F(LogFaults, ATornTailIsCut) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    ASSERT_TRUE(open());
    auto const before = all();
    ASSERT_EQ(put(10 * seed + 1), std::nullopt);
    fs_.lose_power_at(fs_.operations() + 1);
    EXPECT_TRUE(put(10 * seed + 2, 9000).has_value());
    power_failure();
    auto const report = verify_log("/log", fs_);
    ASSERT_TRUE(report.has_value());
    EXPECT_TRUE(report->good()) << to_string(*report);
    ASSERT_TRUE(open());
    auto const after = all();
    ASSERT_GE(after.size(), before.size() + 1);
    EXPECT_EQ(after[before.size()], 10 * seed + 1);
    drop();
  }
}

TEST_F(LogFaults, DamageBeforeTheMarkIsRefusedNamedAndMended) {
  ASSERT_TRUE(open());
  for (std::uint64_t i = 1; i <= 5; ++i) ASSERT_EQ(put(i), std::nullopt);
  process_end();
  fs_.flip_bit(segment(1), 2 * kBlockBytes + 200);  // the second group
  auto const refused = open();
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, base::ErrorCode::kCorrupt);
  EXPECT_NE(refused.error().context.find(segment(1) + ": byte 8192"), std::string::npos)
      << refused.error().context;
  auto const report = verify_log("/log", fs_);
  ASSERT_TRUE(report.has_value());
  EXPECT_FALSE(report->good());
  ASSERT_EQ(report->segments.at(0).damage.size(), 1u);
  EXPECT_EQ(report->segments[0].damage[0].byte, 8192u);
  EXPECT_EQ(report->segments[0].records, 4u);
  auto const repaired = repair_log("/log", fs_);
  ASSERT_TRUE(repaired.has_value()) << base::to_string(repaired.error());
  ASSERT_EQ(repaired->segments.size(), 1u);
  EXPECT_EQ(repaired->segments[0].records_kept, 4u);
  EXPECT_TRUE(fs_.open(repaired->segments[0].moved_to, {}).has_value());
  EXPECT_TRUE(verify_log("/log", fs_)->good());
  ASSERT_TRUE(open());
  EXPECT_EQ(all(), (std::vector<std::uint64_t>{1, 3, 4, 5}));
}

TEST_F(LogFaults, AnIdleMarkVouchesForTheLastGroup) {
  ASSERT_TRUE(open());
  ASSERT_EQ(put(1), std::nullopt);
  clock_.advance(std::chrono::seconds(1));
  EXPECT_TRUE(broker_->step()) << "the mark";
  clock_.advance(std::chrono::seconds(1));
  EXPECT_FALSE(broker_->step()) << "once";
  process_end();
  fs_.flip_bit(segment(1), kBlockBytes + 100);
  EXPECT_FALSE(open().has_value());
}

TEST_F(LogFaults, DamageInASealedSegmentIsAnErrorWhenItIsRead) {
  ASSERT_TRUE(open());
  std::uint64_t sequence = 0;
  while (broker_->end(tp_).hi < 3) ASSERT_EQ(put(++sequence, 5000), std::nullopt);
  broker_->stop();
  process_end();
  fs_.flip_bit(segment(2), kBlockBytes + 1000);
  ASSERT_TRUE(open()) << "sealed segments are read when they are asked for";
  auto reader = broker_->make_reader({{tp_, {2, 0}}}, nullptr);
  for (int i = 0; i < 2; ++i) {
    auto const fetched = reader->fetch(1u << 20);
    ASSERT_FALSE(fetched.has_value());
    EXPECT_EQ(fetched.error().code, base::ErrorCode::kCorrupt);
    EXPECT_NE(fetched.error().context.find(segment(2) + ": byte 4096"), std::string::npos)
        << fetched.error().context;
  }
  reader.reset();
  drop();
  auto const repaired = repair_log("/log", fs_);
  ASSERT_TRUE(repaired.has_value());
  EXPECT_EQ(repaired->segments.at(0).records_lost, 1u) << "the index knows how many there were";
  ASSERT_TRUE(open());
  EXPECT_EQ(all().size(), sequence - 1);
}

TEST_F(LogFaults, ALastSegmentThatWasCutBelowItsIndexIsCorruption) {
  ASSERT_TRUE(open());
  for (std::uint64_t i = 1; i <= 6; ++i) ASSERT_EQ(put(i, 2000), std::nullopt);
  broker_->stop();
  drop();
  auto const whole = *base::read_file(fs_, segment(1));
  auto const index = *base::read_file(fs_, "/log/" + index_name(1));
  for (std::uint64_t const left : {4 * kBlockBytes, 4 * kBlockBytes + 1000}) {
    SCOPED_TRACE(left);
    ASSERT_TRUE(base::replace_file(fs_, segment(1), base::as_bytes(whole)));
    ASSERT_TRUE(base::replace_file(fs_, "/log/" + index_name(1), base::as_bytes(index)));
    for (auto const& name : *fs_.list("/log"))
      if (number_in(name, ".seg") > 1) {
        ASSERT_TRUE(fs_.remove("/log/" + name));
      }
    ASSERT_TRUE((*fs_.open(segment(1), {.write = true}))->truncate(left));
    auto const refused = open();
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().code, base::ErrorCode::kCorrupt);
    EXPECT_NE(refused.error().context.find(fmt::format(
                  "{}: byte {}: the file ends here; its index says that it ends at byte {}",
                  segment(1), left, 7 * kBlockBytes)),
              std::string::npos)
        << refused.error().context;
    auto const report = verify_log("/log", fs_);
    ASSERT_TRUE(report.has_value());
    EXPECT_FALSE(report->good()) << to_string(*report);
    auto const repaired = repair_log("/log", fs_);
    ASSERT_TRUE(repaired.has_value()) << base::to_string(repaired.error());
    EXPECT_EQ(repaired->segments.at(0).records_kept, 3u);
    EXPECT_EQ(repaired->segments.at(0).records_lost, 3u) << "the index knows";
    EXPECT_TRUE(verify_log("/log", fs_)->good());
    ASSERT_TRUE(open());
    EXPECT_EQ(all(), (std::vector<std::uint64_t>{1, 2, 3}));
    drop();
  }
}

TEST_F(LogFaults, AMissingOrDamagedTopicTableIsCorruptionAndRestored) {
  for (bool const missing : {true, false}) {
    SCOPED_TRACE(missing);
    ASSERT_TRUE(open());
    ASSERT_TRUE(broker_->open_topic(make_type("b", 1)));
    ASSERT_EQ(put(missing ? 1 : 2), std::nullopt);
    auto const before = broker_->topics();
    process_end();
    if (missing) {
      ASSERT_TRUE(fs_.remove("/log/topics"));
    } else {
      fs_.flip_bit("/log/topics", 30);
    }
    auto const refused = open();
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().code, base::ErrorCode::kCorrupt);
    EXPECT_EQ(refused.error().context.find("/log/topics: "), 0u) << refused.error().context;
    EXPECT_NE(refused.error().context.find("log repair"), std::string::npos);
    EXPECT_FALSE(verify_log("/log", fs_)->good());
    auto const repaired = repair_log("/log", fs_);
    ASSERT_TRUE(repaired.has_value()) << base::to_string(repaired.error());
    EXPECT_EQ(repaired->notes.size(), 1u);
    EXPECT_TRUE(verify_log("/log", fs_)->good());
    ASSERT_TRUE(open());
    ASSERT_EQ(broker_->topics().size(), before.size());
    EXPECT_EQ(broker_->topics()[1].name, "b");
    EXPECT_EQ(all().size(), missing ? 1u : 2u);
    drop();
  }
}

TEST_F(LogFaults, WithoutTheTopicTableAndItsCopyNothingIsGuessed) {
  ASSERT_TRUE(open());
  ASSERT_EQ(put(1), std::nullopt);
  process_end();
  ASSERT_TRUE(fs_.remove("/log/topics"));
  ASSERT_TRUE(fs_.remove("/log/topics.copy"));
  EXPECT_FALSE(open().has_value());
  auto const repaired = repair_log("/log", fs_);
  ASSERT_FALSE(repaired.has_value());
  EXPECT_EQ(repaired.error().code, base::ErrorCode::kCorrupt);
}

// A header block is damaged at `byte`s; what its groups prove is kept.
TEST_F(LogFaults, ADamagedHeaderDoesNotCostItsGroups) {
  struct Case {
    char const* name;
    std::vector<std::uint64_t> bytes;
    std::uint64_t kept_of_6;
  };
  Case const cases[] = {
      {"padding", {100}, 6},
      {"magic", {0}, 6},
      {"salt, with a good copy", {24}, 6},
      {"number, with a good copy", {16}, 6},
      {"copy", {2050}, 6},
      {"previous segment and the copy", {33, 2080}, 6},
      {"end of the previous segment and the copy", {41, 2080}, 6},
      {"salt and copy", {24, 2080}, 3},
  };
  for (auto const& c : cases) {
    SCOPED_TRACE(c.name);
    options_.directory = fmt::format("/{}", &c - cases);
    auto const name = [&](std::uint64_t n) { return options_.directory + "/" + segment_name(n); };
    for (std::uint64_t life = 0; life < 2; ++life) {
      ASSERT_TRUE(open());
      for (std::uint64_t i = 1; i <= 3; ++i) ASSERT_EQ(put(3 * life + i), std::nullopt);
      broker_->stop();
      drop();
    }
    for (auto const byte : c.bytes) fs_.flip_bit(name(2), byte);
    EXPECT_FALSE(open().has_value());
    EXPECT_FALSE(verify_log(options_.directory, fs_)->good());
    auto const repaired = repair_log(options_.directory, fs_);
    ASSERT_TRUE(repaired.has_value()) << base::to_string(repaired.error());
    auto const report = verify_log(options_.directory, fs_);
    EXPECT_TRUE(report->good()) << to_string(*report);
    ASSERT_TRUE(open());
    EXPECT_EQ(all().size(), c.kept_of_6);
    ASSERT_EQ(put(100), std::nullopt);
    EXPECT_GT(broker_->end(tp_).hi, 2u) << "no position is used twice";
    drop();
  }
}

TEST_F(LogFaults, AMissingSegmentIsCorruption) {
  ASSERT_TRUE(open());
  std::uint64_t sequence = 0;
  while (broker_->end(tp_).hi < 4) ASSERT_EQ(put(++sequence, 5000), std::nullopt);
  process_end();
  ASSERT_TRUE(fs_.remove(segment(2)));
  auto const refused = open();
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, base::ErrorCode::kCorrupt);
  EXPECT_NE(refused.error().context.find(segment_name(2)), std::string::npos);
  auto const repaired = repair_log("/log", fs_);
  ASSERT_TRUE(repaired.has_value()) << base::to_string(repaired.error());
  EXPECT_EQ(repaired->notes.size(), 1u);
  EXPECT_TRUE(verify_log("/log", fs_)->good());
  ASSERT_TRUE(open()) << "without what is gone";
  EXPECT_LT(all().size(), sequence);
  EXPECT_EQ(all().back(), sequence);
}

// What is missing, shortened or under another's name is refused, reported and mended.
TEST_F(LogFaults, LostShortenedAndSwappedSegmentsAreRefusedAndMended) {
  enum class Harm { kFirst, kMiddle, kLast, kShort, kSwap, kInterrupted };
  for (auto const harm :
       {Harm::kFirst, Harm::kMiddle, Harm::kLast, Harm::kShort, Harm::kSwap, Harm::kInterrupted}) {
    SCOPED_TRACE(static_cast<int>(harm));
    options_.directory = fmt::format("/harm{}", static_cast<int>(harm));
    auto const name = [&](std::uint64_t n) { return options_.directory + "/" + segment_name(n); };
    ASSERT_TRUE(open());
    std::uint64_t sequence = 0;
    while (broker_->end(tp_).hi < 4) ASSERT_EQ(put(++sequence, 5000), std::nullopt);
    broker_->stop();
    drop();
    if (harm == Harm::kFirst) {
      ASSERT_TRUE(fs_.remove(name(1)));
    }
    if (harm == Harm::kMiddle) {
      ASSERT_TRUE(fs_.remove(name(2)));
    }
    if (harm == Harm::kLast) {
      ASSERT_TRUE(fs_.remove(name(4)));
    }
    if (harm == Harm::kShort) {
      ASSERT_TRUE((*fs_.open(name(2), {.write = true}))->truncate(22'000));
    }
    if (harm == Harm::kSwap) {
      ASSERT_TRUE(fs_.rename(name(2), "/t"));
      ASSERT_TRUE(fs_.rename(name(3), name(2)));
      ASSERT_TRUE(fs_.rename("/t", name(3)));
    }
    if (harm == Harm::kInterrupted) {
      ASSERT_TRUE(base::replace_file(fs_, options_.directory + "/repairing", {}));
    }
    auto const refused = open();
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().code, base::ErrorCode::kCorrupt) << refused.error().context;
    EXPECT_FALSE(verify_log(options_.directory, fs_)->good());
    auto const repaired = repair_log(options_.directory, fs_);
    ASSERT_TRUE(repaired.has_value()) << base::to_string(repaired.error());
    EXPECT_EQ(to_string(*repaired).find("unknown number"), std::string::npos)
        << to_string(*repaired);
    auto const report = verify_log(options_.directory, fs_);
    EXPECT_TRUE(report->good()) << to_string(*report);
    auto const opened = open();
    ASSERT_TRUE(opened) << opened.error().context;
    bool const whole = harm == Harm::kSwap || harm == Harm::kInterrupted;
    EXPECT_EQ(all().size() == sequence, whole);
    EXPECT_GT(all().size(), 0u);
    drop();
  }
}

// Whatever step the power fails at, a log that opens afterwards has all that a whole repair keeps.
TEST_F(LogFaults, ARepairCutByAPowerFailureIsRunAgain) {
  for (std::uint64_t step = 1; step < 60; ++step) {
    SCOPED_TRACE(step);
    options_.directory = fmt::format("/cut{}", step);
    auto const last = options_.directory + "/" + segment_name(1);
    ASSERT_TRUE(open());
    for (std::uint64_t i = 1; i <= 5; ++i) ASSERT_EQ(put(i), std::nullopt);
    broker_->stop();
    drop();
    fs_.flip_bit(last, 2 * kBlockBytes + 200);
    fs_.lose_power_at(fs_.operations() + step);
    bool const done = repair_log(options_.directory, fs_).has_value();
    fs_.power_failure();
    ASSERT_TRUE(done || repair_log(options_.directory, fs_).has_value());
    ASSERT_TRUE(open());
    EXPECT_EQ(all(), (std::vector<std::uint64_t>{1, 3, 4, 5}));
    drop();
  }
}

TEST_F(LogFaults, AMissingOrDamagedIndexIsRebuilt) {
  ASSERT_TRUE(open());
  std::uint64_t sequence = 0;
  while (broker_->end(tp_).hi < 4) ASSERT_EQ(put(++sequence, 5000), std::nullopt);
  auto const before = all();
  broker_->stop();
  process_end();
  ASSERT_TRUE(fs_.remove("/log/" + index_name(1)));
  fs_.flip_bit("/log/" + index_name(2), 60);
  ASSERT_TRUE(open());
  EXPECT_EQ(all(), before);
  EXPECT_EQ(broker_->count_after(tp_, {}), sequence);
  EXPECT_TRUE(fs_.open("/log/" + index_name(1), {}).has_value());
}

TEST_F(LogFaults, AtTheBudgetAReopenedLogWaitsForWhoHoldsIt) {
  options_.disk_budget_bytes = 4 * options_.segment_bytes + 8192;
  options_.hold_at_open = "start-up";
  std::uint64_t acknowledged = 0;
  for (int life = 0; life < 3; ++life) {
    ASSERT_TRUE(open());
    for (int i = 0; i < 200; ++i) {
      broker_->step();
      if (!put(acknowledged + 1, 3000)) ++acknowledged;
    }
    EXPECT_EQ(all().size(), acknowledged);
    life % 2 == 0 ? process_end() : power_failure();
  }
  ASSERT_TRUE(open());
  broker_->step();
  EXPECT_EQ(all().size(), acknowledged) << "held from the first moment";
  EXPECT_TRUE(put(acknowledged + 1, 3000).has_value()) << "full, and said so";
  broker_->release("start-up");
  clock_.advance(std::chrono::seconds(5));
  broker_->step();
  EXPECT_EQ(put(acknowledged + 1, 3000), std::nullopt);
  EXPECT_LT(all().size(), acknowledged);
}

TEST_F(LogFaults, RecycledBytesNeverPass) {
  options_.disk_budget_bytes = 4 * options_.segment_bytes + 8192;
  ASSERT_TRUE(open());
  std::uint64_t sequence = 0;
  for (int life = 0; life < 8; ++life) {
    std::optional<std::uint64_t> previous;
    for (auto const s : all()) {
      if (previous) {
        ASSERT_EQ(s, *previous + 1);
      }
      previous = s;
    }
    if (sequence > 0) {
      ASSERT_EQ(previous, sequence);
    }
    for (int i = 0; i < 40; ++i) ASSERT_EQ(put(++sequence, 3000), std::nullopt);
    life % 2 == 0 ? process_end() : power_failure();
    ASSERT_TRUE(open());
  }
}

TEST_F(LogFaults, ManyRestartsDoNotEatTheDisk) {
  for (int i = 0; i < 50; ++i) {
    ASSERT_TRUE(open());
    broker_->stop();
    drop();
  }
  auto const empty = fs_.used_bytes();
  EXPECT_LT(empty, 2 * options_.segment_bytes);
  for (std::uint64_t i = 0; i < 20; ++i) {
    ASSERT_TRUE(open());
    ASSERT_EQ(put(i + 1), std::nullopt);
    i % 2 == 0 ? process_end() : drop();
  }
  EXPECT_LT(fs_.used_bytes(), empty + 20 * 4 * kBlockBytes + 3 * options_.segment_bytes);
  ASSERT_TRUE(open());
  EXPECT_EQ(all().size(), 20u);
}

TEST_F(LogFaults, ANewerFormatIsRefused) {
  ASSERT_TRUE(open());
  drop();
  ASSERT_TRUE(base::replace_file(fs_, "/log/format", base::as_bytes("headrace-log 2\n")));
  auto const refused = open();
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, base::ErrorCode::kInvalidArgument);
  EXPECT_NE(refused.error().context.find("format 2 is newer than this program's 1"),
            std::string::npos);
}

TEST_F(LogFaults, AnAppenderHasABoundAndIsTakenAgainBelowIt) {
  options_.unsettled_bytes_max = 4096;
  ASSERT_TRUE(open());
  std::optional<base::ErrorCode> refused;
  Ticket last = 0;
  while (!refused && last < 100) {
    auto const ticket = appender_->append(tp_, make_record({.body_bytes = 500}));
    if (ticket) last = *ticket;
    if (!ticket) refused = ticket.error().code;
  }
  EXPECT_EQ(refused, base::ErrorCode::kOverloaded);
  EXPECT_LE(appender_->unsettled_bytes(), 4096u);
  broker_->step();
  EXPECT_EQ(appender_->poll().settled, last);
  EXPECT_EQ(put(101, 50'000), std::nullopt) << "one larger than the bound goes alone";
}

}  // namespace
}  // namespace headrace::broker::log
