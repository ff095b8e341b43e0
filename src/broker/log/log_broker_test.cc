// SPDX-License-Identifier: Apache-2.0
#include "broker/log/log_broker.h"

#include <filesystem>

#include "base/file_system.h"
#include "broker/broker_contract.h"

namespace headrace::broker {
namespace {

class LogSubject final : public ContractSubject {
 public:
  LogSubject(std::uint64_t budget, bool direct) {
    char name[] = "/tmp/headrace-log-XXXXXX";
    options_.directory = ::mkdtemp(name);
    options_.segment_bytes = budget > (4u << 20) ? (1u << 20) : (128u << 10);
    options_.disk_budget_bytes = budget;
    options_.reserve_bytes = 64u << 10;
    options_.direct_io = direct;
    open();
  }
  ~LogSubject() override {
    broker_.reset();
    std::filesystem::remove_all(options_.directory);
  }
  Broker& broker() override { return *broker_; }
  bool reopen() override {
    broker_.reset();
    open();
    return broker_ != nullptr;
  }

 private:
  void open() {
    auto broker = log::make_log_broker(options_, base::real_file_system(), clock);
    EXPECT_TRUE(broker.has_value()) << (broker ? "" : base::to_string(broker.error()));
    if (broker) broker_ = std::move(*broker);
  }
  log::LogOptions options_;
  std::unique_ptr<Broker> broker_;
};

INSTANTIATE_TEST_SUITE_P(Log, BrokerContract,
                         testing::Values(ContractCase{"buffered",
                                                      [](std::uint64_t budget) {
                                                        return std::make_unique<LogSubject>(budget,
                                                                                            false);
                                                      }},
                                         ContractCase{"direct",
                                                      [](std::uint64_t budget) {
                                                        return std::make_unique<LogSubject>(budget,
                                                                                            true);
                                                      }}),
                         contract_case_name);

}  // namespace
}  // namespace headrace::broker
