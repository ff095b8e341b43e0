// SPDX-License-Identifier: Apache-2.0
#include "api/impl/status_board.h"

#include <pthread.h>

#include "api/impl/render.h"
#include "codec/json/json_write.h"

namespace headrace::api {
namespace {

constexpr std::size_t kSamplesMax = 11;

}  // namespace

StatusBoard::StatusBoard(Context& context)
    : context_(context),
      started_(context.deps.clock.now()),
      started_steady_(std::chrono::steady_clock::now()) {
  take_sample();
}

void StatusBoard::start() {
  thread_ = std::thread([this] { run(); });
  pthread_setname_np(thread_.native_handle(), "status");
}

void StatusBoard::stop() {
  {
    std::lock_guard const lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void StatusBoard::run() {
  std::unique_lock lock(mutex_);
  auto next = std::chrono::steady_clock::now();
  while (!stopping_) {
    next += std::chrono::seconds(1);
    if (changed_.wait_until(lock, next, [this] { return stopping_; })) return;
    take_sample();
  }
}

void StatusBoard::take_sample() {
  Sample sample{.at = std::chrono::steady_clock::now(), .accepted = {}};
  auto& ingest = context_.deps.ingest;
  for (auto const& entry : ingest.types().entries())
    sample.accepted.push_back(ingest.accounting().accepted_messages(*entry));
  samples_.push_back(std::move(sample));
  if (samples_.size() > kSamplesMax) samples_.pop_front();
  cached_.clear();
}

// Messages per second since the sample that is `window` old, or the oldest.
double StatusBoard::rate(std::size_t type, std::chrono::seconds window) const {
  auto const& newest = samples_.back();
  auto const* before = &samples_.front();
  for (auto const& sample : samples_)
    if (newest.at - sample.at >= window - std::chrono::milliseconds(200)) before = &sample;
  auto const seconds = std::chrono::duration<double>(newest.at - before->at).count();
  if (seconds <= 0) return 0;
  return static_cast<double>(newest.accepted[type] - before->accepted[type]) / seconds;
}

void StatusBoard::append_types(std::string& out) const {
  codec::json::JsonWriter w(out);
  w.begin_array();
  for (auto const& entry : context_.deps.ingest.types().entries()) {
    w.begin_object()
        .member("name", entry->type.name.text())
        .member("body", model::name(entry->type.body))
        .member("durability", model::name(entry->type.durability))
        .member("messages_total", context_.deps.ingest.accounting().accepted_messages(*entry))
        .member("rate_1s", rate(entry->index, std::chrono::seconds(1)))
        .member("rate_10s", rate(entry->index, std::chrono::seconds(10)))
        .end_object();
  }
  w.end_array();
}

std::string StatusBoard::json() {
  std::lock_guard const lock(mutex_);
  if (!cached_.empty()) return cached_;
  auto const& deps = context_.deps;
  auto const now = deps.clock.now();
  auto const counts = deps.ingest.sources().counts(now);
  std::string types, receivers, broker;
  append_types(types);
  append_receivers_brief(receivers, context_);
  append_broker(broker, context_);
  auto const uptime = std::chrono::steady_clock::now() - started_steady_;
  codec::json::JsonWriter(cached_)
      .begin_object()
      .member("time", now)
      .member("version", context_.options.version)
      .member("started", started_)
      .member("uptime_s", std::chrono::duration_cast<std::chrono::seconds>(uptime).count())
      .member("durability", model::name(deps.ingest.types().weakest_durability()))
      .key("data_types")
      .raw(types)
      .key("receivers")
      .raw(receivers)
      .key("sources")
      .begin_object()
      .member("total", counts.known)
      .member("active", counts.active)
      .member("connected", counts.connected)
      .end_object()
      .key("broker")
      .raw(broker)
      .key("live")
      .begin_object()
      .member("readers", deps.live ? deps.live->readers() : std::size_t{0})
      .member("dropped_messages_total", deps.live ? deps.live->dropped_total() : std::uint64_t{0})
      .end_object()
      .end_object();
  return cached_;
}

}  // namespace headrace::api
