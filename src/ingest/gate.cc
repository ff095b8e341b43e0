// SPDX-License-Identifier: Apache-2.0
#include "ingest/gate.h"

#include <algorithm>

#include "base/assert.h"
#include "base/log.h"
#include "model/names.h"

namespace headrace::ingest {

// Outlives the gate in wakes and posted tasks that come late.
struct Gate::WakeState {
  std::atomic<bool> posted{false};
  Gate* gate = nullptr;  // touched on the io thread only; null when closed
};

Gate::Gate(net::IoThread& thread, broker::Broker& broker, identity::Identity& identity,
           SourceDirectory& sources, Accounting& accounting, base::Clock& clock,
           model::Limits const& limits, GateOptions options)
    : thread_(thread),
      broker_(broker),
      identity_(identity),
      sources_(sources),
      accounting_(accounting),
      clock_(clock),
      limits_(limits),
      options_(options),
      wake_state_(std::make_shared<WakeState>()),
      producer_(base::uuid4()) {}

Gate::~Gate() { HEADRACE_ASSERT(closed(), "close() on the io thread comes first"); }

broker::Wake Gate::make_wake() {
  return [state = wake_state_, &thread = thread_] {
    if (state->posted.exchange(true, std::memory_order_acq_rel)) return;
    thread.post([state] {
      state->posted.store(false, std::memory_order_release);
      if (state->gate) state->gate->poll();
    });
  };
}

void Gate::open() {
  wake_state_->gate = this;
  appender_ = broker_.make_appender(make_wake());
}

void Gate::close() {
  if (closed()) return;
  poll();
  base::Error const cancelled{base::ErrorCode::kCancelled, "the server is stopping"};
  position_waits_.clear();
  while (!waits_.empty()) {
    auto const wait = std::move(waits_.front());
    waits_.pop_front();
    if (wait.who->on_settled({wait.cookie, &cancelled})) wait.who->on_settle_end();
  }
  wake_state_->gate = nullptr;
  appender_.reset();
  tell_room();
  for (auto& entry : sources_cache_) entry = {};
}

Gate::CachedSource& Gate::cached(std::string_view source) {
  return sources_cache_[std::hash<std::string_view>{}(source) % sources_cache_.size()];
}

base::Result<SourcePtr> Gate::resolve(identity::PrincipalPtr const& principal,
                                      std::string_view source) {
  auto& entry = cached(source);
  auto const generation = identity_.generation();
  if (entry.source && entry.source->id() == source && entry.principal == principal &&
      entry.generation == generation && !entry.source->dropped())
    return entry.source;
  HEADRACE_TRY_VOID(model::check_source(source, limits_));
  HEADRACE_TRY_VOID(identity_.claim(*principal, source));
  entry = {principal, sources_.enter(source, principal->id.text()), generation};
  return entry.source;
}

Gate::Appended Gate::append(Protocol protocol) {
  Appended result;
  result.partitions = &partitions_;
  partitions_.clear();
  if (records_.empty()) return result;
  if (closed()) {
    records_.abandon();
    result.error = base::Error{base::ErrorCode::kUnavailable, "the server is stopping"};
    return result;
  }
  auto const now = clock_.now();
  records_.flush([&](RecordSet::Slot& slot, base::Bytes record) {
    broker::TopicPartition const to{
        slot.type->topic.id,
        model::partition_of(slot.source->id(), slot.type->topic.partition_count)};
    auto const ticket = appender_->append(to, record);
    if (!ticket) {
      result.error = ticket.error();
      return false;
    }
    if (!result.tickets.any()) result.tickets.first = *ticket;
    result.tickets.last = *ticket;
    auto const same = [&](auto const& p) { return p.first == to; };
    if (auto const it = std::find_if(partitions_.begin(), partitions_.end(), same);
        it != partitions_.end())
      it->second = *ticket;
    else
      partitions_.emplace_back(to, *ticket);
    accounting_.accepted(*slot.type, protocol, slot.writer.count(), slot.body_bytes);
    slot.source->count(slot.type->index, slot.writer.count(), slot.body_bytes, now, protocol);
    return true;
  });
  return result;
}

void Gate::wait(Wait wait) {
  HEADRACE_ASSERT(wait.tickets.any(), "nothing to wait for");
  if (wait.positions) {
    std::sort(partitions_.begin(), partitions_.end(),
              [](auto const& a, auto const& b) { return a.second < b.second; });
    for (auto const& [partition, ticket] : partitions_)
      position_waits_.push_back({ticket, partition, wait.who});
  }
  waits_.push_back(std::move(wait));
}

namespace {

broker::Failure const* failure_in(std::vector<broker::Failure> const& failed, Tickets tickets) {
  for (auto const& failure : failed)
    if (failure.first <= tickets.last && tickets.first <= failure.last) return &failure;
  return nullptr;
}

}  // namespace

void Gate::poll() {
  if (closed()) return;
  auto const progress = appender_->poll();
  for (auto const& failure : progress.failed) {
    accounting_.failed_records(failure.last - failure.first + 1);
    base::log_error("the log did not keep records", {{"records", failure.last - failure.first + 1},
                                                     {"error", base::to_string(failure.error)}});
  }
  tell_positions(progress);
  tell_waits(progress);
  if (!roomless_.empty() && appender_->unsettled_bytes() <= options_.unsettled_bytes_max / 2)
    tell_room();
}

void Gate::tell_positions(broker::Progress const& progress) {
  while (!position_waits_.empty() && position_waits_.front().ticket <= progress.settled) {
    auto const wait = std::move(position_waits_.front());
    position_waits_.pop_front();
    if (!failure_in(progress.failed, {wait.ticket, wait.ticket}))
      wait.who->on_position(wait.partition, appender_->position_after(wait.ticket));
  }
}

// A wait whose tickets settle over several polls must not forget a failure of an earlier one.
void Gate::tell_waits(broker::Progress const& progress) {
  auto const now = clock_.steady();
  for (auto& wait : waits_) {
    if (progress.failed.empty() || wait.tickets.first > progress.settled) break;
    if (wait.tickets.last <= progress.settled) continue;
    if (auto const* failure = failure_in(progress.failed, wait.tickets))
      wait.failed = failure->error;
  }
  while (!waits_.empty() && waits_.front().tickets.last <= progress.settled) {
    auto wait = std::move(waits_.front());
    waits_.pop_front();
    base::Error const* error = wait.failed ? &*wait.failed : nullptr;
    if (!error)
      if (auto const* failure = failure_in(progress.failed, wait.tickets)) error = &failure->error;
    if (!error) accounting_.latency(wait.protocol, now - wait.since, wait.messages);
    if (wait.who->on_settled({wait.cookie, error})) ending_.push_back(std::move(wait.who));
  }
  for (auto const& who : ending_) who->on_settle_end();
  ending_.clear();
}

void Gate::tell_room() {
  auto const roomless = std::exchange(roomless_, {});
  for (auto const& who : roomless) who->on_room();
}

std::uint64_t Gate::reserve_sequences(std::uint64_t count) {
  return std::exchange(next_sequence_, next_sequence_ + count);
}

// RFC 9562: 48 bits of milliseconds, then bits that only have to ascend within one millisecond and
// be unguessed by others.
base::Uuid Gate::next_uuid7(base::Timestamp now) {
  auto const ms = now.ns / 1'000'000;
  if (ms > last_uuid7_ms_) {
    last_uuid7_ms_ = ms;
    last_uuid7_ = base::uuid7(now);
    return last_uuid7_;
  }
  for (std::size_t i = 15; i > 8; --i)  // the 56 bits after the variant's byte
    if (++last_uuid7_.bytes[i] != 0) return last_uuid7_;
  last_uuid7_ = base::uuid7(now);
  return last_uuid7_;
}

}  // namespace headrace::ingest
