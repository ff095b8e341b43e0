// SPDX-License-Identifier: Apache-2.0
#include "broker/log/impl/log_engine.h"

#include <fmt/format.h>
#include <pthread.h>

#include "broker/log/impl/log_reader.h"
#include "broker/log/impl/recovery.h"

namespace headrace::broker::log {
namespace {

constexpr std::size_t kIdlePoolBytes = 16u << 20;
constexpr auto kTick =
    std::chrono::milliseconds(100);  // how often duties are looked at when nothing comes

base::Result<void> check(LogOptions const& o) {
  auto const bad = [](std::string text) {
    return base::Error{base::ErrorCode::kInvalidArgument, "log: " + text};
  };
  if (o.directory.empty()) return bad("no directory");
  if (o.segment_bytes < (64u << 10) || o.segment_bytes > kSegmentBytesMax) {
    return bad(fmt::format("segment_bytes {}; expected {} to {}", o.segment_bytes, 64u << 10,
                           kSegmentBytesMax));
  }
  if (o.disk_budget_bytes != 0 && o.disk_budget_bytes < 4 * o.segment_bytes) {
    return bad(fmt::format("disk_budget_bytes {}; expected at least 4 segments, {}",
                           o.disk_budget_bytes, 4 * o.segment_bytes));
  }
  if (o.group_bytes_max < kBlockBytes || o.group_bytes_large == 0 || o.unsettled_bytes_max == 0) {
    return bad("group_bytes_max, group_bytes_large and unsettled_bytes_max must not be 0");
  }
  return {};
}

LogOptions rounded(LogOptions o) {
  o.segment_bytes = padded(o.segment_bytes);
  while (o.directory.size() > 1 && o.directory.back() == '/') o.directory.pop_back();
  return o;
}

}  // namespace

LogBroker::LogBroker(LogOptions options, base::FileSystem& files, base::Clock&)
    : options_(std::move(options)),
      pool_(std::make_shared<BufferPool>(kIdlePoolBytes)),
      catalog_(
          std::make_unique<Catalog>(files, options_.directory, pool_, options_.cache_bytes_max)),
      topics_(files, options_.directory + "/topics"),
      signal_(options_.group_bytes_large) {}

base::Result<std::unique_ptr<LogBroker>> LogBroker::open(LogOptions options,
                                                         base::FileSystem& files,
                                                         base::Clock& clock, bool own_thread) {
  HEADRACE_TRY_VOID(check(options));
  std::unique_ptr<LogBroker> broker(new LogBroker(rounded(std::move(options)), files, clock));
  auto const& o = broker->options_;
  broker->catalog_->hold_all(o.hold_at_open);
  HEADRACE_TRY_VOID(files.make_directories(o.directory));
  HEADRACE_TRY_VOID(open_format(files, o.directory));
  HEADRACE_TRY(broker->incarnation_, open_incarnation(files, o.directory));
  HEADRACE_TRY_VOID(broker->topics_.load());
  HEADRACE_TRY_VOID(broker->topics_.establish());
  HEADRACE_TRY(auto recovered, recover(files, o.directory, *broker->catalog_));
  broker->writer_ =
      std::make_unique<LogWriter>(o, files, clock, *broker->catalog_, broker->topics_,
                                  broker->signal_, *broker->pool_, std::move(recovered));
  if (own_thread) broker->thread_ = std::thread([b = broker.get()] { b->run(); });
  return broker;
}

LogBroker::~LogBroker() {
  if (writer_ != nullptr) stop();
}

void LogBroker::run() {
  pthread_setname_np(pthread_self(), "log-sync");
  using Steady = std::chrono::steady_clock;
  auto last_group = Steady::time_point();
  while (!signal_.stopped()) {
    signal_.wait_for_work(kTick);
    auto const pending = signal_.pending_bytes();
    // A lone record after a pause is not kept waiting: there is nobody to share the sync with.
    bool const busy = Steady::now() - last_group < 4 * options_.group_delay;
    if (pending > 0 && pending < options_.group_bytes_large && busy)
      signal_.wait_for_more(options_.group_delay);
    if (writer_->step() && pending > 0) last_group = Steady::now();
  }
}

void LogBroker::stop() {
  std::lock_guard const lock(stop_mutex_);
  if (stopped_) return;
  stopped_ = true;
  signal_.stop();
  if (thread_.joinable()) thread_.join();
  writer_->close();
}

void LogBroker::abandon() {
  std::lock_guard const lock(stop_mutex_);
  stopped_ = true;
}

base::Result<TopicState> LogBroker::open_topic(model::DataType const& type) {
  if (signal_.stopped()) return base::Error{base::ErrorCode::kCancelled, "the broker has stopped"};
  return topics_.open_topic(type);
}

std::vector<TopicState> LogBroker::topics() const {
  std::vector<TopicState> out;
  for (auto& t : topics_.topics()) out.push_back(std::move(t.state));
  return out;
}

std::unique_ptr<Appender> LogBroker::make_appender(Wake wake) {
  auto state = std::make_shared<AppenderState>();
  state->wake = wake ? std::move(wake) : Wake([] {});
  writer_->add_appender(state);
  return std::make_unique<LogAppender>(std::move(state), signal_, topics_, *pool_,
                                       options_.unsettled_bytes_max, options_.group_bytes_large);
}

std::unique_ptr<Reader> LogBroker::make_reader(std::vector<Assignment> assignments, Wake wake) {
  return std::make_unique<LogReader>(*catalog_, std::move(assignments), std::move(wake));
}

base::Result<Position> LogBroker::find_time(TopicPartition tp, base::Timestamp time) const {
  auto const topics = topics_.topics();
  if (tp.topic == 0 || tp.topic > topics.size() ||
      tp.partition >= topics[tp.topic - 1].state.partition_count) {
    return base::Error{base::ErrorCode::kNotFound,
                       fmt::format("no topic {} partition {}", tp.topic, tp.partition)};
  }
  return catalog_->find_time(tp, time);
}

}  // namespace headrace::broker::log
