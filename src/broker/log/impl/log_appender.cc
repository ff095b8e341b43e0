// SPDX-License-Identifier: Apache-2.0
#include "broker/log/impl/log_appender.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/assert.h"
#include "codec/record/record_view.h"

namespace headrace::broker::log {

void WorkSignal::added(std::size_t bytes) {
  auto const before = pending_bytes_.fetch_add(bytes);
  auto const waiting = waiting_.load();
  if (waiting == Waiting::kNo) return;
  if (waiting == Waiting::kForMuch && (before >= large_bytes_ || before + bytes < large_bytes_))
    return;
  std::lock_guard const lock(mutex_);
  changed_.notify_one();
}

template <class Ready>
void WorkSignal::wait(Waiting what, std::chrono::nanoseconds most, Ready ready) {
  std::unique_lock lock(mutex_);
  waiting_ = what;
  changed_.wait_for(lock, most, [&] { return interrupted_ || ready(); });
  waiting_ = Waiting::kNo;
  interrupted_ = false;
}

void WorkSignal::wait_for_work(std::chrono::nanoseconds most) {
  wait(Waiting::kForAny, most, [&] { return pending_bytes_ > 0; });
}
void WorkSignal::wait_for_more(std::chrono::nanoseconds most) {
  wait(Waiting::kForMuch, most, [&] { return pending_bytes_ >= large_bytes_; });
}

std::optional<base::Error> WorkSignal::refusal() const {
  if (!refusing_.load(std::memory_order_acquire)) return std::nullopt;
  std::lock_guard const lock(mutex_);
  if (stopped_) return base::Error{base::ErrorCode::kCancelled, "the broker has stopped"};
  return refusal_;
}

void WorkSignal::refuse(std::optional<base::Error> why) {
  std::lock_guard const lock(mutex_);
  refusal_ = std::move(why);
  refusing_.store(stopped_ || refusal_.has_value(), std::memory_order_release);
}

void WorkSignal::stop() {
  std::lock_guard const lock(mutex_);
  stopped_ = true;
  refusing_.store(true, std::memory_order_release);
  interrupted_ = true;
  changed_.notify_one();
}

bool WorkSignal::stopped() const {
  std::lock_guard const lock(mutex_);
  return stopped_;
}

LogAppender::~LogAppender() {
  std::lock_guard const lock(state_->mutex);
  state_->wake = nullptr;
}

base::Result<Topic const*> LogAppender::find_topic(TopicPartition to) {
  if (auto const version = topics_.version(); version != known_version_) {
    known_topics_ = topics_.topics();
    known_version_ = version;
  }
  if (to.topic == 0 || to.topic > known_topics_.size() ||
      to.partition >= known_topics_[to.topic - 1].state.partition_count) {
    return base::Error{base::ErrorCode::kNotFound,
                       fmt::format("no topic {} partition {}", to.topic, to.partition)};
  }
  return &known_topics_[to.topic - 1];
}

Chunk& LogAppender::chunk_for(std::size_t bytes) {
  auto& pending = state_->pending;
  if (!pending.empty() && pending.back().used + bytes <= pending.back().buffer->capacity())
    return pending.back();
  auto const least = kGroupHeaderBytes + bytes;
  // Small while little comes, so that a quiet appender holds little memory.
  auto const wish = pending.empty() ? std::size_t{16} << 10 : pending.back().buffer->capacity() * 4;
  Chunk chunk;
  chunk.buffer = pool_.take(std::max(least, std::min(wish, chunk_bytes_max_)));
  chunk.first = last_ + 1;
  pending.push_back(std::move(chunk));
  return pending.back();
}

base::Result<Ticket> LogAppender::append(TopicPartition to, base::Bytes record) {
  HEADRACE_ASSERT(record.size() >= codec::record::kRecordHeaderBytes && record.size() % 8 == 0 &&
                      base::load<std::uint32_t>(record.data() + 4) == record.size(),
                  "not one whole record");
  HEADRACE_TRY(auto const topic, find_topic(to));
  auto const view = codec::record::RecordView::trusted(record);
  auto const bytes = kEntryHeaderBytes + record.size();
  {
    std::lock_guard const lock(state_->mutex);
    // Under the lock, so that the last round before the end sees everything that was taken.
    if (auto refusal = signal_.refusal()) return std::move(*refusal);
    if (!state_->failed.empty()) return state_->failed.back().error;  // no gaps: poll first
    // A record larger than the bound is taken when nothing else waits.
    if (state_->unsettled_bytes > 0 && state_->unsettled_bytes + bytes > unsettled_bytes_max_) {
      return base::Error{base::ErrorCode::kOverloaded,
                         fmt::format("{} bytes wait for the disk; at most {} may",
                                     state_->unsettled_bytes, unsettled_bytes_max_)};
    }
    auto& chunk = chunk_for(bytes);
    auto const received = view.received().ns;
    if (chunk.ends.empty()) chunk.received_min_ns = chunk.received_max_ns = received;
    chunk.received_min_ns = std::min(chunk.received_min_ns, received);
    chunk.received_max_ns = std::max(chunk.received_max_ns, received);
    auto* at = chunk.buffer->data() + chunk.used;
    encode_entry_header(to, static_cast<std::uint32_t>(record.size()), at);
    std::memcpy(at + kEntryHeaderBytes, record.data(), record.size());
    chunk.used += bytes;
    chunk.messages += view.count();
    chunk.wants_sync = chunk.wants_sync || topic->durability == model::Durability::kDisk;
    chunk.ends.push_back(static_cast<std::uint32_t>(chunk.entry_bytes()));
    state_->unsettled_bytes += bytes;
    ++last_;
  }
  signal_.added(bytes);
  return last_;
}

Progress LogAppender::poll() {
  std::lock_guard const lock(state_->mutex);
  polled_ = std::exchange(state_->settled, {});
  return {state_->settled_to, std::exchange(state_->failed, {})};
}

Position LogAppender::position_after(Ticket ticket) const {
  auto const it = std::lower_bound(polled_.begin(), polled_.end(), ticket,
                                   [](Chunk const& c, Ticket t) { return c.last() < t; });
  HEADRACE_ASSERT(it != polled_.end() && it->first <= ticket,
                  "not a ticket that the last poll settled");
  return {it->base.hi, it->base.lo + it->ends[ticket - it->first]};
}

std::size_t LogAppender::unsettled_bytes() const {
  std::lock_guard const lock(state_->mutex);
  return state_->unsettled_bytes;
}

}  // namespace headrace::broker::log
