// SPDX-License-Identifier: Apache-2.0
// The dispatcher over the log on a real disk, through lives that end without a word: the files as
// they are at one moment are what the next life begins with.
#include <gtest/gtest.h>

#include "base/file_system.h"
#include "broker/log/log_broker.h"
#include "dispatch/testing.h"

namespace headrace::app {
namespace {

using namespace dispatch::testing;

class DispatchOverLog : public ::testing::Test {
 protected:
  ~DispatchOverLog() override { end(); }

  void begin(std::string const& life) {
    directory_ = life;
    broker::log::LogOptions options;
    options.directory = root_.path(life + "/log");
    options.segment_bytes = 1u << 20;
    options.reserve_bytes = 0;
    auto opened =
        broker::log::make_log_broker(std::move(options), base::real_file_system(), clock_);
    ASSERT_TRUE(opened) << base::to_string(opened.error());
    broker_ = std::move(*opened);
    appender_ = broker_->make_appender([] {});
    model::DataType type;
    type.name = model::DataTypeName::trusted("t");
    type.partition_count = 2;
    type.retention = std::chrono::hours(24);
    topic_ = broker_->open_topic(type).value();
    std::vector<dispatch::Route> routes(1);
    routes[0].name = "r";
    routes[0].subscriptions = {{topic_, type}};
    routes[0].options.required = true;
    routes[0].options.retry_min = routes[0].options.retry_max = std::chrono::nanoseconds(0);
    routes[0].receiver = std::make_unique<StoreReceiver>(
        store_, [this] { return fault_.exchange(Fault::kNone); },
        [](dispatch::Delivery const&) { return false; }, [] {});
    metrics_ = std::make_unique<base::Registry>();
    dispatcher_ = std::make_unique<dispatch::Dispatcher>(
        dispatch::Dispatcher::Dependencies{*broker_, clock_, *metrics_,
                                           root_.path(life + "/dispatch"), 1},
        std::move(routes));
    ASSERT_TRUE(dispatcher_->start());
  }

  void end() {
    if (dispatcher_) {
      EXPECT_TRUE(dispatcher_->stop(soon()));
    }
    dispatcher_.reset();
    appender_.reset();
    if (broker_) broker_->stop();
    broker_.reset();
  }

  // Messages of both partitions, acknowledged when this returns.
  void append(std::uint64_t first, std::uint64_t last) {
    broker::Ticket ticket = 0;
    for (std::uint64_t s = first; s <= last; ++s) {
      for (std::uint32_t p = 0; p < 2; ++p) {
        codec::record::RecordHeader header;
        header.kind = codec::record::Kind::kMessages;
        header.principal = "p";
        header.source = p == 0 ? "a" : "b";
        header.producer.bytes[0] = static_cast<std::uint8_t>(p + 1);
        header.received = clock_.now();
        codec::record::RecordWriter writer;
        writer.begin(header);
        codec::record::MessageParts parts;
        parts.sequence = s;
        parts.time = clock_.now();
        parts.body = base::as_bytes(std::string_view("{}"));
        writer.add(parts);
        auto const given = appender_->append({topic_.id, p}, writer.finish());
        ASSERT_TRUE(given) << base::to_string(given.error());
        ticket = *given;
      }
    }
    ASSERT_TRUE(eventually([&] {
      auto const progress = appender_->poll();
      EXPECT_TRUE(progress.failed.empty());
      return progress.settled >= ticket;
    }));
  }

  // What a kill leaves of one part of a life.
  void copy(std::string const& part, std::string const& to) {
    std::filesystem::create_directories(root_.path(to));
    std::filesystem::copy(root_.path(directory_ + "/" + part), root_.path(to + "/" + part),
                          std::filesystem::copy_options::recursive);
    std::filesystem::remove(root_.path(to + "/" + part + "/r.db-shm"));
  }

  // So that it finds the log as it was left.
  bool started() {
    return eventually(
        [this] { return dispatcher_->status("r")->state != dispatch::ReceiverState::kStarting; });
  }
  bool settled() {
    return dispatcher_->wait_applied("r", dispatcher_->ends("r").value(), soon()).value();
  }

  void expect_stored(std::size_t messages) {
    ASSERT_TRUE(settled());
    EXPECT_EQ(store_.count(), messages);
    auto const all = dispatcher_->ledger("r").value();
    ASSERT_EQ(all.size(), 1u);
    auto const& e = all[0];
    EXPECT_EQ(e.accepted.messages, e.stored.messages + e.filtered.messages + e.duplicate.messages +
                                       e.dead.messages + e.expired + e.in_flight);
    EXPECT_EQ(e.stored.messages, messages);
    EXPECT_EQ(e.in_flight, 0u);
    EXPECT_EQ(e.expired, 0u);
  }

  base::Clock& clock_ = base::system_clock();
  TemporaryDirectory root_;
  std::string directory_;
  IdStore store_;
  std::atomic<Fault> fault_ = Fault::kNone;
  std::unique_ptr<base::Registry> metrics_;
  std::unique_ptr<broker::Broker> broker_;
  std::unique_ptr<broker::Appender> appender_;
  broker::TopicState topic_;
  std::unique_ptr<dispatch::Dispatcher> dispatcher_;
};

TEST_F(DispatchOverLog, AStopAndAStartGoOnWhereTheyWere) {
  ASSERT_NO_FATAL_FAILURE(begin("one"));
  append(1, 50);
  end();
  ASSERT_NO_FATAL_FAILURE(begin("one"));
  append(51, 80);
  expect_stored(160);
}

TEST_F(DispatchOverLog, AfterAKillEverythingIsStoredOnceAndTheLedgerBalances) {
  Fault const faults[] = {Fault::kNone, Fault::kCrashFirst, Fault::kCrashBeforeCommit,
                          Fault::kCrashAfterCommit, Fault::kAmbiguous};
  std::uint64_t sent = 0;
  int life = 0;
  ASSERT_NO_FATAL_FAILURE(begin("life0"));
  for (Fault const fault : faults) {
    append(sent + 1, sent + 20);
    expect_stored(2 * (sent + 20));
    fault_ = fault;
    append(sent + 21, sent + 40);
    sent += 40;
    if (fault == Fault::kNone || fault == Fault::kAmbiguous) {
      EXPECT_TRUE(settled());
    }
    auto const next = "life" + std::to_string(++life);
    copy("log", next);
    end();
    copy("dispatch", next);
    ASSERT_NO_FATAL_FAILURE(begin(next));
    expect_stored(2 * sent);
  }
}

// The log forgot what was not synced, or is an older copy: what comes then must still be seen.
TEST_F(DispatchOverLog, ACursorBeyondTheLogsEndHidesNothing) {
  ASSERT_NO_FATAL_FAILURE(begin("one"));
  append(1, 10);
  expect_stored(20);
  copy("log", "two");
  append(11, 30);
  expect_stored(60);
  end();
  copy("dispatch", "two");
  ASSERT_NO_FATAL_FAILURE(begin("two"));
  ASSERT_TRUE(started());
  append(31, 33);
  expect_stored(66);
  end();
  ASSERT_NO_FATAL_FAILURE(begin("two"));
  expect_stored(66);
}

TEST_F(DispatchOverLog, AnEmptyLogBeneathAnOldCursorHidesNothing) {
  ASSERT_NO_FATAL_FAILURE(begin("one"));
  append(1, 10);
  expect_stored(20);
  end();
  copy("dispatch", "two");
  ASSERT_NO_FATAL_FAILURE(begin("two"));
  ASSERT_TRUE(started());
  append(11, 13);
  expect_stored(26);
}

}  // namespace
}  // namespace headrace::app
