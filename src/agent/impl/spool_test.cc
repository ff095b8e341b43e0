// SPDX-License-Identifier: Apache-2.0
#include "agent/impl/spool.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "base/random.h"

namespace headrace::agent {
namespace {

using ::testing::ElementsAre;

class SpoolTest : public ::testing::Test {
 protected:
  SpoolTest() {
    std::string name = ::testing::TempDir() + "spool-XXXXXX";
    EXPECT_NE(mkdtemp(name.data()), nullptr);
    options_.directory = name;
    options_.bytes_max = 1u << 20;
    options_.sync = SpoolSync::kNever;
  }
  ~SpoolTest() override {
    spool_.reset();
    std::filesystem::remove_all(options_.directory);
  }

  Spool& open() {
    spool_.reset();
    auto opened = Spool::open(base::real_file_system(), clock_, options_);
    EXPECT_TRUE(opened) << base::to_string(opened.error());
    spool_ = std::move(*opened);
    return *spool_;
  }
  void crash() { spool_.reset(); }  // no close()
  std::uint64_t append(std::string_view body) {
    auto const sequence = spool_->append("system_metrics", "node-1", {7}, body);
    EXPECT_TRUE(sequence) << base::to_string(sequence.error());
    return sequence ? *sequence : 0;
  }
  std::vector<std::string> bodies(std::uint64_t after = 0, std::size_t messages_max = 1'000'000) {
    std::vector<std::string> out;
    auto const messages = spool_->read(after, messages_max, 1u << 30);
    EXPECT_TRUE(messages);
    for (auto const& m : *messages) out.push_back(m.body);
    return out;
  }
  std::vector<std::string> segments() {
    std::vector<std::string> paths;
    for (auto const& e : std::filesystem::directory_iterator(options_.directory)) {
      if (e.path().extension() == ".spool") paths.push_back(e.path().string());
    }
    std::sort(paths.begin(), paths.end());
    return paths;
  }

  base::ManualClock clock_;
  SpoolOptions options_;
  std::unique_ptr<Spool> spool_;
};

TEST_F(SpoolTest, GivesBackWhatWasAppendedInOrder) {
  open();
  EXPECT_EQ(append("1"), 1u);
  EXPECT_EQ(append("2"), 2u);
  auto const messages = spool_->read(0, 10, 1000);
  ASSERT_TRUE(messages);
  ASSERT_EQ(messages->size(), 2u);
  EXPECT_EQ((*messages)[1].sequence, 2u);
  EXPECT_EQ((*messages)[1].data_type, "system_metrics");
  EXPECT_EQ((*messages)[1].source, "node-1");
  EXPECT_EQ((*messages)[1].time.ns, 7);
  EXPECT_THAT(bodies(1), ElementsAre("2"));
  EXPECT_THAT(bodies(2), ElementsAre());
}

TEST_F(SpoolTest, ReadIsBoundedButGivesAtLeastOne) {
  open();
  for (auto const* b : {"aaaa", "bbbb", "cccc"}) append(b);
  EXPECT_EQ(spool_->read(0, 2, 1000)->size(), 2u);
  EXPECT_EQ(spool_->read(0, 10, 1)->size(), 1u);
  EXPECT_EQ(spool_->read(0, 10, 50)->size(), 2u);  // 24 bytes each, names included
}

TEST_F(SpoolTest, AcknowledgedMessagesAreForgotten) {
  open();
  for (auto const* b : {"1", "2", "3"}) append(b);
  EXPECT_EQ(spool_->acknowledge(2), 2u);
  EXPECT_EQ(spool_->acknowledge(2), 0u);
  EXPECT_EQ(spool_->acknowledge(1), 0u);
  EXPECT_THAT(bodies(), ElementsAre("3"));
  EXPECT_EQ(spool_->stats().messages, 1u);
  EXPECT_EQ(spool_->acknowledge(99), 1u);  // more than there is
  EXPECT_EQ(spool_->stats().messages, 0u);
}

TEST_F(SpoolTest, SurvivesACleanEndWithoutGapInTheNumbers) {
  open();
  auto const session = spool_->session();
  append("1");
  append("2");
  spool_->acknowledge(1);
  ASSERT_TRUE(spool_->close());
  open();
  EXPECT_EQ(spool_->session(), session);
  EXPECT_THAT(bodies(), ElementsAre("2"));
  EXPECT_EQ(append("3"), 3u);
}

TEST_F(SpoolTest, AfterACrashNoNumberIsUsedAgain) {
  open();
  append("1");
  crash();
  std::filesystem::resize_file(segments().back(),
                               kSegmentHeaderBytes);  // as a power failure may leave it
  open();
  EXPECT_THAT(bodies(), ElementsAre());
  EXPECT_GT(append("2"), 1u);
}

TEST_F(SpoolTest, TornTailIsCutAtEveryByte) {
  open();
  append("whole");
  crash();
  auto const path = segments().back();
  auto const whole = std::filesystem::file_size(path);
  open();
  auto const second = append("torn");
  crash();
  auto const torn_path = segments().back();
  auto const size = std::filesystem::file_size(torn_path);
  for (auto end = size - 1; end >= kSegmentHeaderBytes; --end) {
    std::filesystem::resize_file(torn_path, end);
    open();
    EXPECT_THAT(bodies(), ElementsAre("whole")) << end;
    EXPECT_EQ(spool_->stats().damaged_bytes, end - kSegmentHeaderBytes);
    crash();
    for (auto const& p : segments()) {
      if (p != path && p != torn_path) std::filesystem::remove(p);
    }
  }
  EXPECT_EQ(std::filesystem::file_size(path), whole);
  EXPECT_GT(second, 1u);
}

TEST_F(SpoolTest, AFlippedBitEndsItsSegmentOnly) {
  open();
  append("first");
  crash();
  auto const path = segments().back();
  open();
  append("second");
  crash();
  {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(kSegmentHeaderBytes + 20);
    file.put('\x55');
  }
  open();
  EXPECT_THAT(bodies(), ElementsAre("second"));
  EXPECT_GT(spool_->stats().damaged_bytes, 0u);
}

TEST_F(SpoolTest, DamageUnderARunningSpoolLosesOnlyWhatIsBehindIt) {
  open();
  append("first");
  append("second");
  {
    std::fstream file(segments().back(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(-1, std::ios::end);
    file.put('\x01');
  }
  EXPECT_THAT(bodies(), ElementsAre("first"));
  EXPECT_EQ(spool_->stats().dropped, 1u);
  append("third");
  EXPECT_THAT(bodies(), ElementsAre("first", "third"));
  EXPECT_EQ(spool_->stats().messages, 2u);
}

TEST_F(SpoolTest, ADamagedHeadMakesANewSession) {
  open();
  auto const session = spool_->session();
  append("1");
  crash();
  std::ofstream(options_.directory + "/head") << "nonsense";
  open();
  EXPECT_NE(spool_->session(), session);
  EXPECT_THAT(bodies(), ElementsAre("1"));
  EXPECT_EQ(append("2"), 2u);
}

TEST_F(SpoolTest, WhenFullTheOldestAreDroppedAndCounted) {
  open();
  std::string const body(1000, 'x');
  std::uint64_t const appended = 3000;
  for (std::uint64_t i = 0; i < appended; ++i) append(body);
  auto const stats = spool_->stats();
  EXPECT_LE(stats.bytes, options_.bytes_max);
  EXPECT_GT(stats.bytes, options_.bytes_max * 3 / 4);
  EXPECT_EQ(stats.messages + stats.dropped, appended);
  auto const messages = spool_->read(0, 1, 1);
  ASSERT_EQ(messages->size(), 1u);
  EXPECT_EQ((*messages)[0].sequence, stats.dropped + 1);
}

TEST_F(SpoolTest, AcknowledgedSegmentsAreDeleted) {
  open();
  std::string const body(1000, 'x');
  for (int i = 0; i < 500; ++i) append(body);
  EXPECT_GT(segments().size(), 5u);
  spool_->acknowledge(500);
  EXPECT_EQ(segments().size(), 1u);
}

TEST_F(SpoolTest, AMessageThatNeverFitsIsRefused) {
  open();
  auto const big = spool_->append("t", "s", {0}, std::string(600'000, 'x'));
  ASSERT_FALSE(big);
  EXPECT_EQ(big.error().code, base::ErrorCode::kTooLarge);
  append("1");
  EXPECT_THAT(bodies(), ElementsAre("1"));
}

TEST_F(SpoolTest, EntriesLargerThanOneReadComeBackWhole) {
  options_.bytes_max = 8u << 20;
  open();
  std::string const big(1'500'000, 'y');
  append("small");
  append(big);
  append("after");
  EXPECT_THAT(bodies(), ElementsAre("small", big, "after"));
  EXPECT_THAT(bodies(2), ElementsAre("after"));
}

TEST_F(SpoolTest, TwoAgentsCannotShareADirectory) {
  open();
  auto const second = Spool::open(base::real_file_system(), clock_, options_);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, base::ErrorCode::kAlreadyExists);
}

TEST_F(SpoolTest, NumbersGoAboveWhatTheBackendHasSeen) {
  open();
  append("1");
  ASSERT_TRUE(spool_->number_above(5000));
  EXPECT_EQ(append("2"), 5001u);
  ASSERT_TRUE(spool_->number_above(3));
  EXPECT_EQ(append("3"), 5002u);
  EXPECT_EQ(spool_->stats().messages, 3u);
  EXPECT_THAT(bodies(1), ElementsAre("2", "3"));
}

TEST_F(SpoolTest, ARenewedSessionKeepsMessagesAndNumbers) {
  open();
  append("1");
  auto const session = spool_->session();
  ASSERT_TRUE(spool_->renew_session());
  EXPECT_NE(spool_->session(), session);
  auto const renewed = spool_->session();
  crash();
  open();
  EXPECT_EQ(spool_->session(), renewed);
  EXPECT_THAT(bodies(), ElementsAre("1"));
}

// Against a model: random appends, acknowledgements, crashes and clean ends.
TEST_F(SpoolTest, AgreesWithAModelUnderRandomUse) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    SCOPED_TRACE(seed);
    std::filesystem::remove_all(options_.directory);
    open();
    base::Random random(seed);
    std::deque<std::pair<std::uint64_t, std::string>> model;
    for (int step = 0; step < 400; ++step) {
      auto const what = random.below(100);
      if (what < 70) {
        std::string body(random.below(3000), static_cast<char>('a' + random.below(26)));
        auto const sequence = append(body);
        ASSERT_TRUE(model.empty() || sequence > model.back().first);
        model.emplace_back(sequence, body);
      } else if (what < 90 && !model.empty()) {
        auto const up_to = model[random.below(model.size())].first;
        std::uint64_t count = 0;
        for (; !model.empty() && model.front().first <= up_to; ++count) model.pop_front();
        ASSERT_EQ(spool_->acknowledge(up_to), count);
      } else if (what < 95) {
        ASSERT_TRUE(spool_->close());
        open();
      } else {
        auto const settled = model.empty() ? ~std::uint64_t{0} : model.front().first - 1;
        crash();
        open();
        spool_->acknowledge(settled);  // as the backend would say in its welcome
      }
      auto const got = spool_->read(0, 1'000'000, 1u << 30);
      ASSERT_EQ(got->size(), model.size());
      for (std::size_t i = 0; i < model.size(); ++i) ASSERT_EQ((*got)[i].body, model[i].second);
      ASSERT_EQ(spool_->stats().messages, model.size());
    }
    crash();
  }
}

}  // namespace
}  // namespace headrace::agent
