// SPDX-License-Identifier: Apache-2.0
#include "ingest/source_directory.h"

#include <gtest/gtest.h>

#include "broker/memory/memory_broker.h"

namespace headrace::ingest {
namespace {

using namespace std::chrono_literals;

class SourceDirectoryTest : public ::testing::Test {
 protected:
  SourceDirectoryTest() : broker_(broker::memory::make_memory_broker({}, clock_)) {
    std::vector<model::DataType> types(2);
    types[0].name = model::DataTypeName::trusted("alpha");
    types[1].name = model::DataTypeName::trusted("beta");
    types_ = *TypeTable::make(*broker_, types);
  }
  ~SourceDirectoryTest() override { broker_->stop(); }
  void report(SourceDirectory& directory, std::string_view source, std::uint16_t type = 0) {
    directory.enter(source, "p")->count(type, 2, 10, clock_.now(), Protocol::kHttp);
  }
  std::vector<std::string> ids(SourceDirectory const& directory, SourceQuery const& query) {
    std::vector<std::string> list;
    for (auto const& info : directory.list(query, types_, clock_.now())) list.push_back(info.id);
    return list;
  }
  base::ManualClock clock_;
  std::unique_ptr<broker::Broker> broker_;
  TypeTable types_;
};

using Ids = std::vector<std::string>;

TEST_F(SourceDirectoryTest, ListsInPagesByPrefixTypeAndState) {
  SourceDirectory directory({.sources_max = 1000, .active_for = 60s});
  for (auto const* id : {"b2", "a1", "b1", "c1", "b3"}) report(directory, id, id[0] == 'b' ? 1 : 0);
  SourceQuery query;
  EXPECT_EQ(ids(directory, query), (Ids{"a1", "b1", "b2", "b3", "c1"}));
  query.prefix = "b";
  query.limit = 2;
  EXPECT_EQ(ids(directory, query), (Ids{"b1", "b2"}));
  query.after = "b2";
  EXPECT_EQ(ids(directory, query), (Ids{"b3"}));
  query = {};
  query.data_type = "beta";
  EXPECT_EQ(ids(directory, query), (Ids{"b1", "b2", "b3"}));
  query.data_type = "gamma";
  EXPECT_TRUE(ids(directory, query).empty());
  clock_.advance(61s);
  report(directory, "c1");
  query = {};
  query.active = true;
  EXPECT_EQ(ids(directory, query), (Ids{"c1"}));
  query.limit = 0;
  EXPECT_TRUE(ids(directory, query).empty());
}

TEST_F(SourceDirectoryTest, TellsWhatASourceDid) {
  SourceDirectory directory({});
  auto const source = directory.enter("s", "owner");
  source->count(0, 3, 30, clock_.now(), Protocol::kHttp);
  source->connected(Protocol::kAgentWebSocket, clock_.now());
  clock_.advance(1h);
  auto const info = directory.find("s", types_, clock_.now());
  ASSERT_TRUE(info);
  EXPECT_EQ(info->principal, "owner");
  EXPECT_EQ(info->messages, 3u);
  EXPECT_EQ(info->bytes, 30u);
  EXPECT_EQ(info->data_types, Ids{"alpha"});
  EXPECT_TRUE(info->active);  // connected
  source->disconnected();
  EXPECT_FALSE(directory.find("s", types_, clock_.now())->active);
  EXPECT_FALSE(directory.find("t", types_, clock_.now()));
}

TEST_F(SourceDirectoryTest, WhenFullTheLongestUnseenGoes) {
  SourceDirectory directory({.sources_max = 64});  // one a shard
  for (int i = 0; i < 1000; ++i) {
    report(directory, fmt::format("s{}", i));
    clock_.advance(1s);
  }
  auto const counts = directory.counts(clock_.now());
  EXPECT_LE(counts.known, 64u);
  EXPECT_EQ(counts.known + counts.dropped_total, 1000u);
}

TEST_F(SourceDirectoryTest, AHolderLearnsThatItsSourceWasDropped) {
  SourceDirectory directory({.sources_max = 64});
  auto const first = directory.enter("s0", "p");
  for (int i = 1; i < 1000; ++i) report(directory, fmt::format("s{}", i));
  EXPECT_TRUE(first->dropped());
}

TEST(Nearest, FindsTypingErrorsOnly) {
  std::vector<std::string_view> const names{"system_metrics", "ethereum_metrics", "id"};
  EXPECT_EQ(nearest("system_metric", names), "system_metrics");
  EXPECT_EQ(nearest("sytsem_metrics", names), "system_metrics");
  EXPECT_EQ(nearest("weather", names), "");
  EXPECT_EQ(nearest("x", names), "");
  EXPECT_EQ(nearest(std::string(10'000, 'x'), names), "");
}

TEST_F(SourceDirectoryTest, ATypeTableRefusesRepeatsAndTooMany) {
  std::vector<model::DataType> types(2);
  types[0].name = types[1].name = model::DataTypeName::trusted("alpha");
  EXPECT_EQ(TypeTable::make(*broker_, types).error().code, base::ErrorCode::kInvalidArgument);
  EXPECT_EQ(TypeTable::make(*broker_, std::vector<model::DataType>(257)).error().code,
            base::ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace headrace::ingest
