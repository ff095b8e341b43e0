// SPDX-License-Identifier: Apache-2.0
// What tests of brokers share: records to append, an appender that waits, a reader that reads to
// the end.
//   Threads: the tests' own.
#pragma once

#include <gtest/gtest.h>

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "broker/broker.h"
#include "codec/record/record_view.h"
#include "codec/record/record_writer.h"

namespace headrace::broker {

// Rings when woken. Waiting is for the event, with a bound that only a broken broker reaches.
class Bell {
 public:
  Wake wake() {
    return [this] {
      std::lock_guard const lock(mutex_);
      ++rung_;
      changed_.notify_all();
    };
  }
  // True once it has rung more than `seen` times.
  bool wait_past(int seen) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(20), [&] { return rung_ > seen; });
  }
  int rung() const {
    std::lock_guard const lock(mutex_);
    return rung_;
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  int rung_ = 0;
};

struct RecordSpec {
  std::uint64_t sequence = 1;
  std::uint32_t messages = 1;
  std::size_t body_bytes = 100;
  std::int64_t received_ns = 0;
  base::Uuid producer{};
};

inline std::vector<std::byte> make_record(RecordSpec const& spec) {
  codec::record::RecordWriter writer;
  writer.begin({.principal = "local",
                .source = "s",
                .producer = spec.producer,
                .epoch = 1,
                .received = {spec.received_ns}});
  std::string const body =
      "\"" + std::string(spec.body_bytes, static_cast<char>('a' + spec.sequence % 26)) + "\"";
  for (std::uint32_t i = 0; i < spec.messages; ++i) {
    codec::record::MessageParts parts;
    parts.sequence = spec.sequence + i;
    parts.time = {spec.received_ns};
    parts.body = base::as_bytes(body);
    writer.add(parts);
  }
  auto const bytes = writer.finish();
  return {bytes.begin(), bytes.end()};
}

inline model::DataType make_type(std::string_view name, std::uint32_t partitions = 4) {
  model::DataType type;
  type.name = model::DataTypeName::trusted(name);
  type.partition_count = partitions;
  return type;
}

// An appender that waits for what it appended.
class Settling {
 public:
  explicit Settling(Broker& broker) : appender_(broker.make_appender(bell_.wake())) {}

  base::Result<Ticket> append(TopicPartition to, RecordSpec const& spec) {
    return appender_->append(to, make_record(spec));
  }
  // Until every ticket up to `ticket` is settled; collects the positions after them and what
  // failed.
  void settle(Ticket ticket) {
    for (;;) {
      auto const seen = bell_.rung();
      auto progress = appender_->poll();
      std::map<Ticket, bool> failed;
      for (auto& f : progress.failed) {
        for (auto t = f.first; t <= f.last; ++t) failed[t] = true;
        failures.push_back(std::move(f));
      }
      for (auto t = settled_ + 1; t <= progress.settled; ++t) {
        if (!failed.contains(t)) positions[t] = appender_->position_after(t);
      }
      settled_ = progress.settled;
      if (settled_ >= ticket) return;
      ASSERT_TRUE(bell_.wait_past(seen))
          << "no wake for ticket " << ticket << ", settled " << settled_;
    }
  }
  Position put(TopicPartition to, RecordSpec const& spec) {
    auto const ticket = append(to, spec);
    EXPECT_TRUE(ticket.has_value()) << (ticket ? "" : base::to_string(ticket.error()));
    if (!ticket) return {};
    settle(*ticket);
    return positions[*ticket];
  }
  Appender& appender() { return *appender_; }

  std::map<Ticket, Position> positions;
  std::vector<Failure> failures;

 private:
  Bell bell_;
  std::unique_ptr<Appender> appender_;
  Ticket settled_ = 0;
};

struct Read {
  TopicPartition from;
  Position at, next;
  std::uint64_t sequence;
  std::uint32_t messages;
};

// Reads to the end.
inline std::vector<Read> read_all(Reader& reader, std::size_t bytes_max = 1u << 20,
                                  std::vector<Fetched::Expired>* expired = nullptr) {
  std::vector<Read> out;
  for (;;) {
    auto fetched = reader.fetch(bytes_max);
    EXPECT_TRUE(fetched.has_value()) << (fetched ? "" : base::to_string(fetched.error()));
    if (!fetched) return out;
    for (auto const& r : fetched->records) {
      auto const view = codec::record::RecordView::open(r.record);
      EXPECT_TRUE(view.has_value());
      if (view) out.push_back({r.from, r.at, r.next, view->first_sequence(), view->count()});
    }
    if (expired != nullptr)
      expired->insert(expired->end(), fetched->expired.begin(), fetched->expired.end());
    if (fetched->at_end) return out;
    EXPECT_TRUE(!fetched->records.empty() || !fetched->expired.empty())
        << "neither records nor the end";
    if (fetched->records.empty() && fetched->expired.empty()) return out;
  }
}

inline std::vector<std::uint64_t> sequences(std::vector<Read> const& reads) {
  std::vector<std::uint64_t> out;
  for (auto const& r : reads) out.push_back(r.sequence);
  return out;
}

}  // namespace headrace::broker
