// SPDX-License-Identifier: Apache-2.0
// IngestFixture: a server with the handlers under test, on a broker in memory, for the tests of
// ingest and below.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "broker/memory/memory_broker.h"
#include "codec/record/body.h"
#include "ingest/ingest.h"
#include "net/http_client.h"

namespace headrace::ingest {

// What the broker holds of one message.
struct Stored {
  std::string type, principal, source, id, body;
  base::Timestamp time, received;
  base::Uuid producer;
  std::uint32_t epoch = 0;
  std::uint64_t sequence = 0;
  bool operator==(Stored const&) const = default;
};

// Stands before a broker and lets a test hold settlements back, fail appends, or fail what was
// taken.
class GatedBroker final : public broker::Broker {
 public:
  explicit GatedBroker(broker::Broker& inner) : inner_(inner) {}
  void hold() { held_ = true; }
  void release() {
    held_ = false;
    wake_all();
  }
  // The next appends answer this.
  void refuse_appends(std::optional<base::Error> error) {
    std::scoped_lock const lock(mutex_);
    refusal_ = std::move(error);
  }
  // What is waiting or comes until the next poll fails.
  void fail_held(base::Error error) {
    {
      std::scoped_lock const lock(mutex_);
      failure_ = std::move(error);
    }
    held_ = false;
    wake_all();
  }

  base::Result<broker::TopicState> open_topic(model::DataType const& type) override {
    return inner_.open_topic(type);
  }
  std::vector<broker::TopicState> topics() const override { return inner_.topics(); }
  std::unique_ptr<broker::Appender> make_appender(broker::Wake wake) override {
    std::scoped_lock const lock(mutex_);
    wakes_.push_back(wake);
    return std::make_unique<GatedAppender>(*this, inner_.make_appender(wake));
  }
  std::unique_ptr<broker::Reader> make_reader(std::vector<broker::Assignment> a,
                                              broker::Wake wake) override {
    return inner_.make_reader(std::move(a), std::move(wake));
  }
  base::Uuid incarnation() const override { return inner_.incarnation(); }
  broker::Position begin(broker::TopicPartition p) const override { return inner_.begin(p); }
  broker::Position end(broker::TopicPartition p) const override { return inner_.end(p); }
  base::Result<broker::Position> find_time(broker::TopicPartition p,
                                           base::Timestamp t) const override {
    return inner_.find_time(p, t);
  }
  std::uint64_t count_after(broker::TopicPartition p, broker::Position from) const override {
    return inner_.count_after(p, from);
  }
  std::optional<base::Timestamp> time_at(broker::TopicPartition p,
                                         broker::Position from) const override {
    return inner_.time_at(p, from);
  }
  std::optional<broker::ProducerState> find_producer(base::Uuid const& producer) const override {
    return inner_.find_producer(producer);
  }
  void hold(std::string const& holder, std::span<broker::Assignment const> positions) override {
    inner_.hold(holder, positions);
  }
  void release(std::string const& holder) override { inner_.release(holder); }
  broker::BrokerStats stats() const override { return inner_.stats(); }
  void stop() override { inner_.stop(); }

 private:
  // Appends go on only when a poll may settle them, so that what fails was never stored.
  class GatedAppender final : public broker::Appender {
   public:
    GatedAppender(GatedBroker& owner, std::unique_ptr<broker::Appender> inner)
        : owner_(owner), inner_(std::move(inner)) {}
    base::Result<broker::Ticket> append(broker::TopicPartition to, base::Bytes record) override {
      {
        std::scoped_lock const lock(owner_.mutex_);
        if (owner_.refusal_) return *owner_.refusal_;
      }
      waiting_.emplace_back(to, std::vector<std::byte>(record.begin(), record.end()));
      bytes_ += record.size();
      ++last_;
      if (!owner_.held_) owner_.wake_all();
      return last_;
    }
    broker::Progress poll() override {
      broker::Progress progress;
      progress.settled = settled_;
      positions_.clear();
      if (owner_.held_) return progress;
      std::optional<base::Error> failure;
      {
        std::scoped_lock const lock(owner_.mutex_);
        if (!waiting_.empty()) failure = std::exchange(owner_.failure_, std::nullopt);
      }
      if (failure) {
        progress.failed.push_back({settled_ + 1, last_, *failure});
        waiting_.clear();
      }
      for (auto& [to, record] : waiting_) {
        auto const ticket = inner_->append(to, record);
        EXPECT_TRUE(ticket);
        while (ticket && inner_->poll().settled < *ticket) std::this_thread::yield();
        positions_.push_back(inner_->position_after(*ticket));
      }
      first_position_ = settled_ + 1;
      waiting_.clear();
      bytes_ = 0;
      progress.settled = settled_ = last_;
      return progress;
    }
    broker::Position position_after(broker::Ticket ticket) const override {
      return positions_.at(ticket - first_position_);
    }
    std::size_t unsettled_bytes() const override { return bytes_; }

   private:
    GatedBroker& owner_;
    std::unique_ptr<broker::Appender> inner_;
    std::vector<std::pair<broker::TopicPartition, std::vector<std::byte>>> waiting_;
    std::vector<broker::Position> positions_;
    broker::Ticket last_ = 0, settled_ = 0, first_position_ = 0;
    std::size_t bytes_ = 0;
  };
  void wake_all() {
    std::vector<broker::Wake> wakes;
    {
      std::scoped_lock const lock(mutex_);
      wakes = wakes_;
    }
    for (auto const& wake : wakes) wake();
  }

  broker::Broker& inner_;
  std::atomic<bool> held_{false};
  std::mutex mutex_;
  std::optional<base::Error> refusal_, failure_;
  std::vector<broker::Wake> wakes_;
};

class IngestFixture : public ::testing::Test {
 protected:
  explicit IngestFixture(unsigned threads = 2) : threads_(threads) {
    std::string text = (std::filesystem::temp_directory_path() / "ingest_XXXXXX").string();
    folder_ = ::mkdtemp(text.data());
    threads_.start();
    inner_broker_ = broker::memory::make_memory_broker({}, base::system_clock());
    gated_ = std::make_unique<GatedBroker>(*inner_broker_);
    identity_ = *identity::Identity::open(
        {.data_dir = folder_, .claim_delay = std::chrono::milliseconds(0)}, base::system_clock());
    authenticator_ = std::make_unique<identity::Authenticator>(*identity_, base::system_clock(),
                                                               identity::AuthenticatorOptions{});
  }
  void TearDown() override { stop(); }
  ~IngestFixture() override {
    threads_.stop();
    std::filesystem::remove_all(folder_);
  }

  virtual void add_routes(net::HttpServer& server) = 0;
  virtual void before_destroy() {}

  void start(Config config = {}) {
    std::vector<model::DataType> types;
    for (auto const* name : {"system_metrics", "ethereum_metrics", "meter_points"}) {
      model::DataType type;
      type.name = model::DataTypeName::trusted(name);
      type.partition_count = 2;
      types.push_back(type);
    }
    types[2].body = model::BodyKind::kPoints;
    auto made = Ingest::make(
        config, {*gated_, *authenticator_, metrics_, base::system_clock(), threads_}, types);
    ASSERT_TRUE(made) << base::to_string(made.error());
    ingest_ = std::move(*made);
    net::HttpServerOptions options;
    options.listeners.push_back({});
    server_ = std::make_unique<net::HttpServer>(threads_, options);
    add_routes(*server_);
    auto const started = server_->start();
    ASSERT_TRUE(started) << base::to_string(started.error());
  }
  void stop() {
    if (server_) server_->stop(std::chrono::milliseconds(2000));
    inner_broker_->stop();
    if (ingest_) ingest_->close();
    server_.reset();
    before_destroy();
    ingest_.reset();
  }
  std::uint16_t port() const { return server_->ports().at(0); }
  net::HttpClient client() {
    return *net::HttpClient::open("http://127.0.0.1:" + std::to_string(port()));
  }

  // Everything stored, by topic, partition and position.
  std::vector<Stored> stored() {
    std::vector<Stored> all;
    for (auto const& topic : inner_broker_->topics()) {
      for (std::uint32_t p = 0; p < topic.partition_count; ++p) {
        auto reader = inner_broker_->make_reader({{{topic.id, p}, {}}}, [] {});
        for (;;) {
          auto const fetched = reader->fetch(1 << 20);
          if (!fetched) break;
          for (auto const& record : fetched->records) read(topic.name, record.record, all);
          if (fetched->at_end) break;
        }
      }
    }
    return all;
  }
  // What readers keep of it: repeats dropped by producer, epoch and sequence, per partition.
  std::vector<Stored> stored_once() {
    std::map<std::tuple<std::string, base::Uuid>, std::pair<std::uint32_t, std::uint64_t>> seen;
    std::vector<Stored> kept;
    for (auto& message : stored()) {
      auto& last = seen[{message.type, message.producer}];
      std::pair const at{message.epoch, message.sequence};
      if (at <= last) continue;
      last = at;
      kept.push_back(std::move(message));
    }
    return kept;
  }

  std::filesystem::path folder_;
  base::Registry metrics_;
  net::IoThreads threads_;
  std::unique_ptr<broker::Broker> inner_broker_;
  std::unique_ptr<GatedBroker> gated_;  // what ingest sees of it
  std::unique_ptr<identity::Identity> identity_;
  std::unique_ptr<identity::Authenticator> authenticator_;
  std::unique_ptr<Ingest> ingest_;
  std::unique_ptr<net::HttpServer> server_;

 private:
  static void read(std::string const& type, base::Bytes bytes, std::vector<Stored>& all) {
    auto const record = codec::record::RecordView::open(bytes);
    ASSERT_TRUE(record) << base::to_string(record.error());
    auto message = record->first();
    for (std::uint32_t i = 0; i < record->count(); ++i, message = message.next()) {
      Stored s;
      s.type = type;
      s.principal = record->principal();
      s.source = record->source();
      s.id = codec::record::message_id(*record, message);
      codec::record::Body(message).append_json(s.body);
      s.time = message.time();
      s.received = record->received();
      s.producer = record->producer();
      s.epoch = record->epoch();
      s.sequence = record->first_sequence() + message.sequence_delta();
      all.push_back(std::move(s));
    }
  }
};

}  // namespace headrace::ingest
