// SPDX-License-Identifier: Apache-2.0
// Append and fetch per durability, beside a plain sequential write and fdatasync of the same bytes
// in the same run.
//   A message: 200 bytes of body; a record: `messages` of one source. Figures: messages/s, bytes/s
//              of records.
//   Directory: HEADRACE_BENCH_DIR, or the current one (a disk; not a file system in memory).
#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <unistd.h>

#include <condition_variable>
#include <cstdlib>
#include <filesystem>
#include <mutex>

#include "base/assert.h"
#include "base/file_system.h"
#include "base/log.h"
#include "broker/log/log_broker.h"
#include "codec/record/record_writer.h"

namespace headrace::broker::log {
namespace {

std::string bench_directory() {
  auto const* given = std::getenv("HEADRACE_BENCH_DIR");
  std::string name = std::string(given != nullptr ? given : ".") + "/log-bench-XXXXXX";
  HEADRACE_ASSERT(::mkdtemp(name.data()) != nullptr, "no directory for the benchmark");
  return name;
}

std::vector<std::byte> make_record(std::uint32_t messages) {
  codec::record::RecordWriter writer;
  writer.begin({.principal = "local",
                .source = "sensor-0001",
                .producer = {},
                .epoch = 1,
                .received = base::system_clock().now()});
  std::string const body = "\"" + std::string(198, 'x') + "\"";
  for (std::uint32_t i = 0; i < messages; ++i) {
    codec::record::MessageParts parts;
    parts.sequence = i + 1;
    parts.body = base::as_bytes(body);
    writer.add(parts);
  }
  auto const bytes = writer.finish();
  return {bytes.begin(), bytes.end()};
}

class Fixture {
 public:
  Fixture(model::Durability durability, bool direct, bool recycled) {
    base::configure_log(base::LogLevel::kWarn, base::LogFormat::kText);
    options_.directory = bench_directory();
    options_.direct_io = direct;
    options_.group_bytes_max = 1u << 20;
    options_.disk_budget_bytes = recycled ? 4 * options_.segment_bytes : 0;
    auto broker = make_log_broker(options_, base::real_file_system(), base::system_clock());
    HEADRACE_ASSERT(broker.has_value(), "the log does not open");
    broker_ = std::move(*broker);
    model::DataType type;
    type.name = model::DataTypeName::trusted("bench");
    type.durability = durability;
    to_ = {broker_->open_topic(type)->id, 0};
    appender_ = broker_->make_appender([this] {
      std::lock_guard const lock(mutex_);
      rung_ = true;
      woken_.notify_one();
    });
  }
  ~Fixture() {
    appender_.reset();
    broker_.reset();
    std::filesystem::remove_all(options_.directory);
  }
  // Appends `bytes` and keeps at most `window` unsettled.
  void append(std::vector<std::byte> const& record, std::size_t bytes, std::size_t window) {
    for (std::size_t sent = 0; sent < bytes; sent += record.size()) {
      while (appender_->unsettled_bytes() + record.size() > window &&
             appender_->unsettled_bytes() > 0)
        wait();
      HEADRACE_ASSERT(appender_->append(to_, record).has_value(), "refused");
    }
  }
  void settle() {
    while (appender_->unsettled_bytes() > 0) wait();
    (void)appender_->poll();
  }
  Broker& broker() { return *broker_; }
  TopicPartition to() const { return to_; }

 private:
  void wait() {
    std::unique_lock lock(mutex_);
    woken_.wait(lock, [&] { return rung_; });
    rung_ = false;
    lock.unlock();
    (void)appender_->poll();
  }

  LogOptions options_;
  std::unique_ptr<Broker> broker_;
  std::unique_ptr<Appender> appender_;
  TopicPartition to_;
  std::mutex mutex_;
  std::condition_variable woken_;
  bool rung_ = false;
};

constexpr std::size_t kRoundBytes = 64u << 20;

void count(benchmark::State& state, std::size_t bytes, std::size_t record_bytes,
           std::uint32_t messages) {
  auto const rounds = static_cast<std::int64_t>(state.iterations());
  state.SetBytesProcessed(rounds * static_cast<std::int64_t>(bytes));
  state.SetItemsProcessed(rounds * static_cast<std::int64_t>(bytes / record_bytes * messages));
}

// durability, direct, messages in a record, KiB that may be unsettled: what makes the groups large
// or small
void append(benchmark::State& state) {
  Fixture f(static_cast<model::Durability>(state.range(0)), state.range(1) != 0, true);
  auto const messages = static_cast<std::uint32_t>(state.range(2));
  auto const record = make_record(messages);
  f.append(record, 5 * kRoundBytes,
           4u << 20);  // so that segments are recycled, as in a log that has run for a while
  f.settle();
  auto const groups = f.broker().stats().groups_total;
  auto const bytes = state.range(3) < 256 ? kRoundBytes / 8 : kRoundBytes;
  for (auto _ : state) {
    f.append(record, bytes, static_cast<std::size_t>(state.range(3)) << 10);
    f.settle();
  }
  count(state, bytes, record.size(), messages);
  auto const made = f.broker().stats().groups_total - groups;
  state.counters["group_bytes"] = static_cast<double>(bytes) *
                                  static_cast<double>(state.iterations()) /
                                  static_cast<double>(made);
}
BENCHMARK(append)
    ->ArgNames({"durability", "direct", "messages", "window_KiB"})
    ->Args({2, 1, 100, 4096})
    ->Args({2, 0, 100, 4096})
    ->Args({2, 1, 1, 4096})
    ->Args({2, 1, 100, 64})
    ->Args({1, 1, 100, 4096})
    ->Args({1, 0, 100, 4096})
    ->Args({0, 1, 100, 4096})
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond)
    ->MinTime(0.5);

// The limit: the same bytes in one file written before, 1 MiB at a time, each followed by
// fdatasync.
void plain_write_and_sync(benchmark::State& state) {
  auto const directory = bench_directory();
  auto const path = directory + "/plain";
  int const fd =
      ::open(path.c_str(), O_CREAT | O_RDWR | (state.range(0) != 0 ? O_DIRECT : 0), 0600);
  constexpr std::size_t kPiece = 1u << 20;
  auto* piece = static_cast<char*>(std::aligned_alloc(4096, kPiece));
  std::memset(piece, 'x', kPiece);
  auto const pass = [&] {
    for (std::size_t at = 0; at < kRoundBytes; at += kPiece) {
      HEADRACE_ASSERT(
          ::pwrite(fd, piece, kPiece, static_cast<off_t>(at)) == static_cast<ssize_t>(kPiece),
          "write");
      HEADRACE_ASSERT(::fdatasync(fd) == 0, "sync");
    }
  };
  pass();
  for (auto _ : state) pass();
  count(state, kRoundBytes, 240, 1);
  std::free(piece);
  ::close(fd);
  std::filesystem::remove_all(directory);
}
BENCHMARK(plain_write_and_sync)
    ->ArgName("direct")
    ->Arg(1)
    ->Arg(0)
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond)
    ->MinTime(0.5);

// From the disk's cache (cached: 0) or the groups in memory (1).
void fetch(benchmark::State& state) {
  Fixture f(model::Durability::kOs, true, false);
  auto const record = make_record(100);
  auto const bytes = state.range(0) != 0 ? kRoundBytes / 4 : kRoundBytes * 2;
  f.append(record, bytes, 4u << 20);
  f.settle();
  for (auto _ : state) {
    auto const reader = f.broker().make_reader({{f.to(), {}}}, nullptr);
    for (bool at_end = false; !at_end;) {
      auto const fetched = reader->fetch(1u << 20);
      HEADRACE_ASSERT(fetched.has_value(), "fetch");
      at_end = fetched->at_end;
    }
  }
  count(state, bytes, record.size(), 100);
}
BENCHMARK(fetch)
    ->ArgName("cached")
    ->Arg(0)
    ->Arg(1)
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond)
    ->MinTime(0.5);

}  // namespace
}  // namespace headrace::broker::log
