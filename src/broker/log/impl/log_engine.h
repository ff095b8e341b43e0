// SPDX-License-Identifier: Apache-2.0
// LogBroker: the broker of log_broker.h in its parts, for tests that want to step it by hand.
//   Threads: with own_thread as broker.h says; without, step() and stop() are called by one
//            thread, the test's.
#pragma once

#include <memory>
#include <thread>

#include "broker/log/impl/log_writer.h"

namespace headrace::broker::log {

class LogBroker final : public Broker {
 public:
  static base::Result<std::unique_ptr<LogBroker>> open(LogOptions options, base::FileSystem& files,
                                                       base::Clock& clock, bool own_thread);
  ~LogBroker() override;

  bool step() { return writer_->step(); }
  // Goes without settling or syncing anything, as a crash would. Only without a thread.
  void abandon();

  base::Result<TopicState> open_topic(model::DataType const& type) override;
  std::vector<TopicState> topics() const override;
  std::unique_ptr<Appender> make_appender(Wake wake) override;
  std::unique_ptr<Reader> make_reader(std::vector<Assignment> assignments, Wake wake) override;
  base::Uuid incarnation() const override { return incarnation_; }
  Position begin(TopicPartition tp) const override { return catalog_->begin(tp); }
  Position end(TopicPartition tp) const override { return catalog_->end(tp); }
  base::Result<Position> find_time(TopicPartition tp, base::Timestamp time) const override;
  std::uint64_t count_after(TopicPartition tp, Position from) const override {
    return catalog_->count_after(tp, from);
  }
  std::optional<base::Timestamp> time_at(TopicPartition tp, Position from) const override {
    return catalog_->time_at(tp, from);
  }
  std::optional<ProducerState> find_producer(base::Uuid const& p) const override {
    return catalog_->find_producer(p);
  }
  void hold(std::string const& holder, std::span<Assignment const> p) override {
    catalog_->hold(holder, p);
  }
  void release(std::string const& holder) override { catalog_->release(holder); }
  BrokerStats stats() const override { return writer_->stats(); }
  void stop() override;

 private:
  LogBroker(LogOptions options, base::FileSystem& files, base::Clock& clock);
  void run();

  LogOptions const options_;
  std::shared_ptr<BufferPool> const pool_;
  std::unique_ptr<Catalog> catalog_;
  TopicTable topics_;
  base::Uuid incarnation_;
  WorkSignal signal_;
  std::unique_ptr<LogWriter> writer_;
  std::mutex stop_mutex_;
  bool stopped_ = false;
  std::thread thread_;
};

}  // namespace headrace::broker::log
