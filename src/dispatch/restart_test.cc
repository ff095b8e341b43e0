// SPDX-License-Identifier: Apache-2.0
// Lives that end at any point between the log and the store: whatever happens, everything accepted
//                                                            is stored exactly once (or
// is a dead letter), and the ledger balances to the message.
#include <atomic>

#include "base/random.h"
#include "dispatch/testing.h"

namespace headrace::dispatch {
namespace {

using namespace testing;

// Only what the test has appended; it knows nothing of dispatch.
struct Expected {
  std::uint64_t appended = 0;  // messages, repeats too
  std::set<std::string> unique;
};

class Lives {
 public:
  Lives(std::uint64_t seed, bool keeps_state)
      : random_(seed), faults_(seed ^ 0xFA017), keeps_state_(keeps_state) {
    for (char const* name : {"t", "u"}) world_.type(name, 2);
    directory_ = root_.path("life0");
  }

  void run() {
    for (int life = 0; life < 6; ++life) {
      begin_life(life < 5);
      for (int step = 0; step < 6 && !crashed_; ++step) {
        append_some();
        if (random_.below(3) == 0) retry_all();
      }
      if (life == 5) finish();
      end_life();
      if (::testing::Test::HasFatalFailure()) return;
    }
  }

 private:
  void begin_life(bool faulty) {
    crashed_ = false;
    faulty_ = faulty;
    tolerant_ = !faulty;
    std::vector<Route> routes(1);
    routes[0].name = "r";
    routes[0].subscriptions = {world_.type("t"), world_.type("u")};
    routes[0].options.retry_min = routes[0].options.retry_max = std::chrono::nanoseconds(0);
    routes[0].options.batch_messages_max = 1 + random_.below(40);
    routes[0].options.required = random_.below(2) == 0;
    routes[0].receiver = make_receiver();
    metrics_ = std::make_unique<base::Registry>();
    dispatcher_ = std::make_unique<Dispatcher>(
        Dispatcher::Dependencies{*world_.broker, world_.clock, *metrics_, directory_, 1},
        std::move(routes));
    ASSERT_TRUE(dispatcher_->start());
  }

  std::unique_ptr<Receiver> make_receiver() {
    auto const fault = [this] { return next_fault(); };
    auto const rejects = [this](Delivery const& d) {
      return !tolerant_ && describe(d).ends_with('7');
    };
    auto const crashed = [this] { snapshot(); };
    auto store = std::make_unique<StoreReceiver>(store_, fault, rejects, crashed);
    if (keeps_state_) return store;
    // Without a store of its own: the same, but dispatch keeps the state.
    std::shared_ptr<StoreReceiver> const inner = std::move(store);
    return std::make_unique<ScriptedReceiver>([inner](Batch const& batch, Commit const&) {
      return inner->consume(batch, [](Outcome const&) -> base::Result<std::vector<StateChange>> {
        return std::vector<StateChange>();
      });
    });
  }

  Fault next_fault() {
    if (!faulty_ || crashed_) return Fault::kNone;
    switch (faults_.below(16)) {
      case 0: return Fault::kFailFirst;
      case 1: return Fault::kThrow;
      case 2: return Fault::kFailBeforeCommit;
      case 3: return Fault::kAmbiguous;
      case 4: return Fault::kCrashFirst;
      case 5: return Fault::kCrashBeforeCommit;
      case 6: return Fault::kCrashAfterCommit;
      default: return Fault::kNone;
    }
  }

  // What kill -9 leaves: the files as they are at this moment.
  void snapshot() {
    std::string const next = root_.path("life" + std::to_string(++snapshots_));
    std::filesystem::create_directories(next);
    for (auto const& entry : std::filesystem::directory_iterator(directory_))
      if (!entry.path().string().ends_with("-shm"))
        std::filesystem::copy_file(entry.path(), next / entry.path().filename());
    next_directory_ = next;
    crashed_ = true;
  }

  void append_some() {
    for (std::uint64_t n = 1 + random_.below(5); n > 0; --n) {
      World::Append a;
      a.type = random_.below(2) == 0 ? "t" : "u";
      a.producer = static_cast<std::uint8_t>(1 + random_.below(3));
      a.partition = a.producer % 2;
      a.source = "s" + std::to_string(a.producer);
      auto& [epoch, sequence] = producers_[{a.type, a.producer}];
      if (random_.below(10) == 0) {
        ++epoch;
        sequence = 0;
      }
      a.epoch = epoch;
      // A repeat begins before the last one; a record may be partly seen.
      std::uint64_t first = sequence + 1 + random_.below(2);
      if (random_.below(4) == 0) first = sequence > 5 ? sequence - random_.below(5) : 1;
      for (std::uint64_t s = first; s < first + 1 + random_.below(8); ++s) a.sequences.push_back(s);
      remember(a, sequence);
      world_.append(a);
    }
  }

  void remember(World::Append const& a, std::uint64_t& sequence) {
    base::Uuid producer;
    producer.bytes[0] = a.producer;
    for (std::uint64_t const s : a.sequences) {
      ++expected_[a.type].appended;
      if (s <= sequence) continue;
      expected_[a.type].unique.insert(a.type + "/" + a.source + "/" + base::to_string(producer) +
                                      "." + std::to_string(a.epoch) + "." + std::to_string(s));
    }
    sequence = std::max(sequence, a.sequences.back());
  }

  bool settle() {
    return eventually([this] {
      return crashed_ || dispatcher_
                             ->wait_applied("r", dispatcher_->ends("r").value(),
                                            std::chrono::steady_clock::now())
                             .value();
    });
  }

  void retry_all() {
    ASSERT_TRUE(settle());
    if (crashed_) return;
    tolerant_ = random_.below(2) == 0;
    // Nothing is consumed now, so the files stand still unless the retry itself crashes.
    ASSERT_TRUE(dispatcher_->retry_dead_letters("r", {}));
    ASSERT_TRUE(eventually(
        [this] { return crashed_ || dispatcher_->status("r")->dead_letters.retry_pending == 0; }));
    if (!crashed_) tolerant_ = false;
  }

  void finish() {
    ASSERT_TRUE(settle());
    tolerant_ = true;
    ASSERT_TRUE(dispatcher_->retry_dead_letters("r", {}));
    ASSERT_TRUE(
        eventually([this] { return dispatcher_->status("r")->dead_letters.retry_pending == 0; }));
    ASSERT_EQ(dispatcher_->status("r")->dead_letters.count, 0u);
    ASSERT_TRUE(dispatcher_->stop(soon()));
    std::uint64_t stored = 0;
    std::set<std::string> want;
    for (LedgerEntry const& e : dispatcher_->ledger("r").value()) {
      SCOPED_TRACE(e.data_type);
      Expected const& expected = expected_[e.data_type];
      want.insert(expected.unique.begin(), expected.unique.end());
      EXPECT_EQ(e.accepted.messages, expected.appended);
      EXPECT_EQ(e.accepted.messages, e.stored.messages + e.filtered.messages +
                                         e.duplicate.messages + e.dead.messages + e.expired +
                                         e.in_flight);
      EXPECT_EQ(e.in_flight, 0u);
      EXPECT_EQ(e.dead.messages, 0u);
      stored += e.stored.messages;
    }
    EXPECT_EQ(store_.ids.size(), want.size());
    EXPECT_EQ(std::set<std::string>(store_.ids.begin(), store_.ids.end()), want);
    if (keeps_state_) {
      EXPECT_EQ(stored, want.size());
    }
  }

  void end_life() {
    ASSERT_TRUE(dispatcher_->stop(soon()));
    dispatcher_.reset();
    if (crashed_) directory_ = next_directory_;
  }

  base::Random random_;
  base::Random faults_;  // used by the receiver's thread only
  bool const keeps_state_;
  World world_;
  TemporaryDirectory root_;
  std::string directory_, next_directory_;
  int snapshots_ = 0;
  IdStore store_;
  std::map<std::string, Expected> expected_;
  std::map<std::pair<std::string, std::uint8_t>, std::pair<std::uint32_t, std::uint64_t>>
      producers_;
  std::unique_ptr<base::Registry> metrics_;
  std::unique_ptr<Dispatcher> dispatcher_;
  std::atomic<bool> crashed_ = false, tolerant_ = false, faulty_ = true;
};

class Restart : public ::testing::TestWithParam<bool> {};

TEST_P(Restart, EverythingIsStoredExactlyOnceAndTheLedgerBalances) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(seed);
    Lives(seed, GetParam()).run();
    if (HasFailure()) return;
  }
}

INSTANTIATE_TEST_SUITE_P(Receivers, Restart, ::testing::Bool(), [](auto const& kind) {
  return kind.param ? "WithAStore" : "WithoutAStore";
});

}  // namespace
}  // namespace headrace::dispatch
