// SPDX-License-Identifier: Apache-2.0
#include "broker/memory/memory_broker.h"

#include "broker/broker_contract.h"

namespace headrace::broker {
namespace {

class MemorySubject final : public ContractSubject {
 public:
  explicit MemorySubject(std::uint64_t budget)
      : broker_(memory::make_memory_broker({.bytes_max = budget}, clock)) {}
  Broker& broker() override { return *broker_; }
  bool reopen() override { return false; }

 private:
  std::unique_ptr<Broker> broker_;
};

INSTANTIATE_TEST_SUITE_P(
    Memory, BrokerContract,
    testing::Values(ContractCase{
        "memory", [](std::uint64_t budget) { return std::make_unique<MemorySubject>(budget); }}),
    contract_case_name);

TEST(MemoryBroker, ForgetsTheOldestProducersFirst) {
  base::ManualClock clock;
  auto const broker = memory::make_memory_broker({.producers_max = 2}, clock);
  TopicPartition const tp{broker->open_topic(make_type("a"))->id, 0};
  Settling appender(*broker);
  std::vector<base::Uuid> producers;
  for (int i = 0; i < 3; ++i) {
    producers.push_back(base::uuid4());
    appender.put(tp, {.producer = producers.back()});
  }
  EXPECT_FALSE(broker->find_producer(producers[0]).has_value());
  EXPECT_TRUE(broker->find_producer(producers[1]).has_value());
  EXPECT_TRUE(broker->find_producer(producers[2]).has_value());
}

}  // namespace
}  // namespace headrace::broker
