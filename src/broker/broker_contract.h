// SPDX-License-Identifier: Apache-2.0
// The contract of broker.h as tests. Every implementation runs them: include this in one test file
// and instantiate
// BrokerContract with a maker of subjects. Nothing here knows how an implementation stores.
//   Threads: the tests' own.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <thread>

#include "base/clock.h"
#include "broker/contract_kit.h"

namespace headrace::broker {

// One broker under test and what it stands on.
class ContractSubject {
 public:
  virtual ~ContractSubject() = default;
  virtual Broker& broker() = 0;
  // Closes and opens again on the same data; false when nothing survives by design.
  virtual bool reopen() = 0;
  base::ManualClock clock{base::Timestamp{0}};
};

struct ContractCase {
  std::string name;
  // `budget_bytes`: about how much the broker may keep; a real one may round up to what it can do.
  std::function<std::unique_ptr<ContractSubject>(std::uint64_t budget_bytes)> make;
};

inline void PrintTo(ContractCase const& c, std::ostream* out) {
  *out << c.name;
}  // NOLINT(readability-identifier-naming)
inline std::string contract_case_name(testing::TestParamInfo<ContractCase> const& info) {
  return info.param.name;
}

class BrokerContract : public testing::TestWithParam<ContractCase> {
 protected:
  BrokerContract() : subject_(GetParam().make(64u << 20)) {}
  Broker& broker() { return subject_->broker(); }
  std::unique_ptr<ContractSubject> subject_;

  TopicId topic(std::string_view name, std::uint32_t partitions = 4) {
    auto const state = broker().open_topic(make_type(name, partitions));
    EXPECT_TRUE(state.has_value()) << (state ? "" : base::to_string(state.error()));
    return state ? state->id : 0;
  }
  std::vector<Read> read(TopicPartition tp, Position from = {}) {
    auto const reader = broker().make_reader({{tp, from}}, nullptr);
    return read_all(*reader);
  }
};

TEST_P(BrokerContract, ATopicKeepsItsIdAndItsPartitionCount) {
  auto const a = broker().open_topic(make_type("a", 4));
  auto const b = broker().open_topic(make_type("b", 2));
  ASSERT_TRUE(a && b);
  EXPECT_NE(a->id, b->id);
  EXPECT_EQ(a->partition_count, 4u);
  auto changed = make_type("a", 4);
  changed.durability = model::Durability::kMemory;
  changed.retention = std::chrono::hours(1);
  auto const again = broker().open_topic(changed);
  ASSERT_TRUE(again.has_value());
  EXPECT_EQ(again->id, a->id);
  auto const refused = broker().open_topic(make_type("a", 8));
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, base::ErrorCode::kInvalidArgument);
  EXPECT_EQ(broker().topics().size(), 2u);
}

TEST_P(BrokerContract, WhatIsSettledIsReadInOrder) {
  auto const id = topic("a");
  Settling appender(broker());
  Ticket last = 0;
  for (std::uint64_t i = 1; i <= 300; ++i) {
    auto const ticket = appender.append({id, static_cast<std::uint32_t>(i % 4)}, {.sequence = i});
    ASSERT_TRUE(ticket.has_value());
    EXPECT_EQ(*ticket, ++last);
  }
  appender.settle(last);
  EXPECT_TRUE(appender.failures.empty());
  EXPECT_EQ(appender.appender().unsettled_bytes(), 0u);
  for (std::uint32_t p = 0; p < 4; ++p) {
    auto const reads = read({id, p});
    ASSERT_EQ(reads.size(), 75u);
    Position previous;
    for (std::size_t i = 0; i < reads.size(); ++i) {
      EXPECT_EQ(reads[i].sequence, (p == 0 ? 4 : p) + 4 * i);
      EXPECT_LE(previous, reads[i].at);
      EXPECT_LT(reads[i].at, reads[i].next);
      previous = reads[i].next;
    }
    EXPECT_LE(previous, broker().end({id, p}));
    EXPECT_EQ(broker().begin({id, p}), reads.front().at);
  }
}

TEST_P(BrokerContract, AReaderOfAllPartitionsGetsEachRecordOnceWhateverTheFetchSize) {
  auto const a = topic("a"), b = topic("b", 2);
  Settling appender(broker());
  Ticket last = 0;
  for (std::uint64_t i = 1; i <= 200; ++i)
    last = *appender.append(
        i % 3 == 0 ? TopicPartition{b, 1} : TopicPartition{a, static_cast<std::uint32_t>(i % 4)},
        {.sequence = i});
  appender.settle(last);
  for (std::size_t const bytes_max : {std::size_t{1}, std::size_t{700}, std::size_t{1} << 20}) {
    std::vector<Assignment> all;
    for (std::uint32_t p = 0; p < 4; ++p) all.push_back({{a, p}, {}});
    for (std::uint32_t p = 0; p < 2; ++p) all.push_back({{b, p}, {}});
    auto const reader = broker().make_reader(all, nullptr);
    std::map<TopicPartition, std::uint64_t> newest;
    auto const reads = read_all(*reader, bytes_max);
    EXPECT_EQ(reads.size(), 200u) << bytes_max;
    for (auto const& r : reads) {
      EXPECT_LT(newest[r.from], r.sequence);
      newest[r.from] = r.sequence;
    }
  }
}

TEST_P(BrokerContract, ReadingGoesOnFromAnyPositionAHolderKept) {
  auto const id = topic("a");
  TopicPartition const tp{id, 2};
  Settling appender(broker());
  std::vector<Position> after;
  for (std::uint64_t i = 1; i <= 20; ++i) after.push_back(appender.put(tp, {.sequence = i}));
  auto const reads = read(tp);
  ASSERT_EQ(reads.size(), 20u);
  for (std::size_t i = 0; i < 20; ++i) {
    EXPECT_EQ(read(tp, reads[i].at).size(), 20 - i);
    EXPECT_EQ(read(tp, reads[i].next).size(), 19 - i);
    EXPECT_EQ(read(tp, after[i]).size(), 19 - i) << "position_after";
    EXPECT_LE(after[i], broker().end(tp));
  }
}

TEST_P(BrokerContract, FetchKeepsToItsBoundButGivesAtLeastOne) {
  auto const id = topic("a");
  TopicPartition const tp{id, 0};
  Settling appender(broker());
  Ticket last = 0;
  for (std::uint64_t i = 1; i <= 10; ++i)
    last = *appender.append(tp, {.sequence = i, .body_bytes = 1000});
  appender.settle(last);
  auto const reader = broker().make_reader({{tp, {}}}, nullptr);
  auto const one = reader->fetch(10);
  ASSERT_TRUE(one.has_value());
  EXPECT_EQ(one->records.size(), 1u);
  EXPECT_FALSE(one->at_end);
  auto const size = one->records[0].record.size();
  auto const three = reader->fetch(3 * size + 10);
  ASSERT_TRUE(three.has_value());
  EXPECT_EQ(three->records.size(), 3u);
}

TEST_P(BrokerContract, AReaderAtTheEndIsWokenByItsPartitionsOnly) {
  auto const id = topic("a");
  Bell bell;
  auto const reader = broker().make_reader({{{id, 1}, {}}}, bell.wake());
  auto const empty = reader->fetch(1000);
  ASSERT_TRUE(empty.has_value());
  EXPECT_TRUE(empty->at_end);
  EXPECT_TRUE(empty->records.empty());
  Settling appender(broker());
  appender.put({id, 0}, {.sequence = 1});
  EXPECT_EQ(bell.rung(), 0);
  appender.put({id, 1}, {.sequence = 2});
  ASSERT_TRUE(bell.wait_past(0));
  appender.put({id, 1}, {.sequence = 3});
  EXPECT_EQ(bell.rung(), 1) << "once after a fetch that said at_end";
  EXPECT_EQ(sequences(read_all(*reader)), (std::vector<std::uint64_t>{2, 3}));
}

TEST_P(BrokerContract, AnUnknownTopicOrPartitionIsNotFound) {
  auto const id = topic("a", 2);
  Settling appender(broker());
  for (TopicPartition const tp :
       {TopicPartition{id, 2}, TopicPartition{id + 7, 0}, TopicPartition{0, 0}}) {
    auto const refused = appender.append(tp, {});
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().code, base::ErrorCode::kNotFound);
    EXPECT_EQ(broker().find_time(tp, {0}).has_value(), false);
  }
  EXPECT_EQ(*appender.append({id, 0}, {}), 1u) << "a refused append takes no ticket";
}

TEST_P(BrokerContract, AnEmptyPartitionBeginsAndEndsAtTheSamePlace) {
  TopicPartition const tp{topic("a"), 3};
  EXPECT_EQ(broker().begin(tp), broker().end(tp));
  EXPECT_EQ(broker().count_after(tp, {}), 0u);
  EXPECT_EQ(broker().time_at(tp, {}), std::nullopt);
  auto const found = broker().find_time(tp, {0});
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(*found, broker().end(tp));
}

TEST_P(BrokerContract, TimesAndCountsAreFoundFromEveryPosition) {
  TopicPartition const tp{topic("a"), 0}, other{tp.topic, 1};
  Settling appender(broker());
  for (std::uint64_t i = 0; i < 12; ++i) {
    RecordSpec const spec{.sequence = 1 + 10 * i,
                          .messages = static_cast<std::uint32_t>(1 + i % 3),
                          .received_ns = 1000 + static_cast<std::int64_t>(i) * 10};
    appender.put(tp, spec);
    appender.put(other, spec);
  }
  auto const reads = read(tp);
  ASSERT_EQ(reads.size(), 12u);
  std::uint64_t left = 24;
  for (std::size_t i = 0; i < reads.size(); ++i) {
    EXPECT_EQ(broker().count_after(tp, reads[i].at), left);
    left -= reads[i].messages;
    EXPECT_EQ(broker().count_after(tp, reads[i].next), left);
    auto const received = 1000 + static_cast<std::int64_t>(i) * 10;
    EXPECT_EQ(broker().time_at(tp, reads[i].at), base::Timestamp{received});
    for (auto const time : {received, received - 9}) {
      auto const found = broker().find_time(tp, {time});
      ASSERT_TRUE(found.has_value());
      EXPECT_EQ(sequences(read(tp, *found)).front(), reads[i].sequence) << time;
    }
  }
  EXPECT_EQ(broker().count_after(tp, {}), 24u);
  EXPECT_EQ(broker().time_at(tp, broker().end(tp)), std::nullopt);
  EXPECT_EQ(*broker().find_time(tp, {5000}), broker().end(tp));
}

TEST_P(BrokerContract, AProducersLastSequenceIsKnown) {
  TopicPartition const tp{topic("a"), 0};
  auto const producer = base::uuid4();
  Settling appender(broker());
  EXPECT_EQ(broker().find_producer(producer), std::nullopt);
  appender.put(tp, {.sequence = 5, .messages = 3, .producer = producer});
  auto const state = broker().find_producer(producer);
  ASSERT_TRUE(state.has_value());
  EXPECT_EQ(state->epoch, 1u);
  EXPECT_EQ(state->last_sequence, 7u);
}

TEST_P(BrokerContract, EachAppendersOrderIsKept) {
  TopicPartition const tp{topic("a"), 0};
  constexpr int kThreads = 3;
  constexpr std::uint64_t kEach = 400;
  std::vector<base::Uuid> producers;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) producers.push_back(base::uuid4());
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      Settling appender(broker());
      Ticket last = 0;
      for (std::uint64_t i = 1; i <= kEach; ++i) {
        last = *appender.append(
            tp, {.sequence = i, .producer = producers[static_cast<std::size_t>(t)]});
        if (i % 50 == 0) appender.settle(last);
      }
      appender.settle(last);
    });
  }
  for (auto& t : threads) t.join();
  auto const reader = broker().make_reader({{tp, {}}}, nullptr);
  std::map<base::Uuid, std::uint64_t> newest;
  for (bool at_end = false; !at_end;) {
    auto const fetched = reader->fetch(10'000);
    ASSERT_TRUE(fetched.has_value());
    for (auto const& r : fetched->records) {
      auto const view = codec::record::RecordView::trusted(r.record);
      EXPECT_EQ(view.first_sequence(), ++newest[view.producer()]);
    }
    at_end = fetched->at_end;
  }
  for (auto const& p : producers) EXPECT_EQ(newest[p], kEach);
}

TEST_P(BrokerContract, ALargeRecordGoesThrough) {
  TopicPartition const tp{topic("a"), 0};
  Settling appender(broker());
  appender.put(tp, {.sequence = 1});
  appender.put(tp, {.sequence = 2, .body_bytes = 7'500'000});
  appender.put(tp, {.sequence = 3});
  EXPECT_EQ(sequences(read(tp)), (std::vector<std::uint64_t>{1, 2, 3}));
}

TEST_P(BrokerContract, StopSettlesEverythingAndTakesNothingMore) {
  TopicPartition const tp{topic("a"), 0};
  Settling appender(broker());
  Ticket last = 0;
  for (std::uint64_t i = 1; i <= 100; ++i) last = *appender.append(tp, {.sequence = i});
  broker().stop();
  broker().stop();
  EXPECT_EQ(appender.appender().poll().settled, last);
  auto const refused = appender.append(tp, {});
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, base::ErrorCode::kCancelled);
  EXPECT_EQ(read(tp).size(), 100u) << "reading goes on until the end";
}

TEST_P(BrokerContract, WhatIsHeldIsKeptAndAppendsAreOverloadedInstead) {
  subject_ = GetParam().make(1u << 20);
  TopicPartition const tp{topic("a"), 0};
  Settling appender(broker());
  appender.put(tp, {.sequence = 1, .body_bytes = 20'000});
  std::vector<Assignment> const durable{{tp, broker().begin(tp)}};
  broker().hold("archive", durable);
  std::uint64_t accepted = 1;
  std::optional<base::ErrorCode> refusal;
  for (std::uint64_t i = 2; i < 2000 && !refusal; ++i) {
    auto const ticket = appender.append(tp, {.sequence = i, .body_bytes = 20'000});
    if (!ticket) {
      refusal = ticket.error().code;
      break;
    }
    appender.settle(*ticket);
    if (!appender.failures.empty()) refusal = appender.failures.front().error.code;
    if (!refusal) ++accepted;
  }
  EXPECT_EQ(refusal, base::ErrorCode::kOverloaded);
  auto const reads = read(tp);
  EXPECT_EQ(reads.size(), accepted) << "nothing that is held was removed";
  EXPECT_EQ(reads.front().sequence, 1u);
}

TEST_P(BrokerContract, AFailedTicketLeavesNoGap) {
  subject_ = GetParam().make(1u << 20);
  TopicPartition const tp{topic("a"), 0};
  std::vector<Assignment> const durable{{tp, broker().begin(tp)}};
  broker().hold("archive", durable);
  auto const appender = broker().make_appender(nullptr);
  Ticket last = 0;
  for (std::uint64_t i = 1; i <= 120; ++i) {
    auto const ticket = appender->append(tp, make_record({.sequence = i, .body_bytes = 20'000}));
    if (!ticket) break;
    EXPECT_EQ(*ticket, i) << "nothing is taken after a refusal";
    last = *ticket;
  }
  broker().stop();
  auto const progress = appender->poll();
  EXPECT_EQ(progress.settled, last);
  auto const lost = progress.failed.empty() ? last + 1 : progress.failed.front().first;
  auto next = lost;
  for (auto const& f : progress.failed) {
    EXPECT_EQ(f.first, next);
    next = f.last + 1;
  }
  EXPECT_EQ(next, last + 1) << "nothing after a failed one is settled";
  auto const reads = read(tp);
  ASSERT_EQ(reads.size(), lost - 1);
  for (std::size_t i = 0; i < reads.size(); ++i) EXPECT_EQ(reads[i].sequence, i + 1);
}

TEST_P(BrokerContract, WhatFellOffIsCountedForTheReaderThatMissedIt) {
  subject_ = GetParam().make(1u << 20);
  TopicPartition const tp{topic("a"), 0};
  Settling appender(broker());
  auto const behind = broker().make_reader({{tp, {}}}, nullptr);
  std::uint64_t messages = 0;
  for (std::uint64_t i = 1; i <= 400; ++i) {
    appender.put(tp, {.sequence = 10 * i, .messages = 2, .body_bytes = 10'000});
    messages += 2;
  }
  EXPECT_GT(broker().begin(tp), (Position{}));
  std::vector<Fetched::Expired> expired;
  auto const reads = read_all(*behind, 100'000, &expired);
  std::uint64_t lost = 0, seen = 0;
  for (auto const& e : expired) {
    EXPECT_EQ(e.partition, tp);
    EXPECT_LT(e.from, e.to);
    lost += e.message_count;
  }
  for (auto const& r : reads) seen += r.messages;
  EXPECT_GT(lost, 0u);
  EXPECT_EQ(lost + seen, messages);
  EXPECT_LE(broker().stats().stored_bytes, 2u << 20);
}

TEST_P(BrokerContract, OldRecordsGoWhenTheirRetentionIsOver) {
  auto type = make_type("a");
  type.retention = std::chrono::minutes(1);
  TopicPartition const tp{broker().open_topic(type)->id, 0};
  Settling appender(broker());
  auto const now = [&] { return subject_->clock.now().ns; };
  auto const first = appender.put(tp, {.sequence = 1, .received_ns = now()});
  for (std::uint64_t i = 2; i < 50 && broker().begin(tp) < first; ++i) {
    subject_->clock.advance(std::chrono::minutes(2));
    appender.put(tp, {.sequence = i, .received_ns = now()});
  }
  EXPECT_GE(broker().begin(tp), first);
}

TEST_P(BrokerContract, PositionsAndTopicsSurviveAReopening) {
  TopicPartition const tp{topic("a"), 1};
  auto const producer = base::uuid4();
  std::optional<Settling> appender(broker());
  Position last;
  for (std::uint64_t i = 1; i <= 30; ++i)
    last = appender->put(tp, {.sequence = i, .producer = producer});
  appender.reset();
  auto const before = read(tp);
  if (!subject_->reopen()) GTEST_SKIP() << "nothing survives by design";
  EXPECT_EQ(topic("a"), tp.topic);
  EXPECT_EQ(read(tp, last).size(), 0u);
  EXPECT_EQ(read(tp, before[10].at).size(), 20u);
  ASSERT_TRUE(broker().find_producer(producer).has_value());
  EXPECT_EQ(broker().find_producer(producer)->last_sequence, 30u);
  EXPECT_EQ(broker().count_after(tp, before[10].at), 20u);
  Settling again(broker());
  EXPECT_GT(again.put(tp, {.sequence = 31}), last);
  auto const after = read(tp);
  ASSERT_EQ(after.size(), 31u);
  for (std::size_t i = 0; i < 30; ++i) EXPECT_EQ(after[i].at, before[i].at);
}

}  // namespace headrace::broker
