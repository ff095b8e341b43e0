// SPDX-License-Identifier: Apache-2.0
#include "broker/memory/memory_broker.h"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <map>
#include <mutex>
#include <set>
#include <unordered_map>
#include <utility>

#include "base/assert.h"
#include "codec/record/record_view.h"

namespace headrace::broker::memory {
namespace {

using codec::record::RecordView;

struct Entry {
  std::uint64_t number = 0;  // over all partitions, from 1
  std::shared_ptr<std::vector<std::byte> const> bytes;
  std::uint32_t messages = 0;
  base::Timestamp received;
};

struct Partition {
  std::deque<Entry> entries;
  std::uint64_t removed_messages = 0;
  std::uint64_t end = 0;  // number after the newest ever

  // First entry at or after `number`.
  std::deque<Entry>::const_iterator at(std::uint64_t number) const {
    return std::lower_bound(entries.begin(), entries.end(), number,
                            [](Entry const& e, std::uint64_t n) { return e.number < n; });
  }
};

struct Topic {
  TopicState state;
  std::chrono::nanoseconds retention{};
};

constexpr std::uint64_t kEra = 1;  // Position::hi: there is only one
Position position_of(std::uint64_t number) { return {kEra, number}; }
std::uint64_t number_of(Position p) { return p.hi < kEra ? 0 : p.hi > kEra ? ~0ull : p.lo; }

class MemoryReader;

class MemoryBroker final : public Broker {
 public:
  MemoryBroker(MemoryOptions options, base::Clock& clock) : options_(options), clock_(clock) {}

  base::Result<TopicState> open_topic(model::DataType const& type) override;
  std::vector<TopicState> topics() const override;
  std::unique_ptr<Appender> make_appender(Wake wake) override;
  std::unique_ptr<Reader> make_reader(std::vector<Assignment> assignments, Wake wake) override;
  base::Uuid incarnation() const override { return incarnation_; }
  Position begin(TopicPartition tp) const override;
  Position end(TopicPartition tp) const override;
  base::Result<Position> find_time(TopicPartition tp, base::Timestamp time) const override;
  std::uint64_t count_after(TopicPartition tp, Position from) const override;
  std::optional<base::Timestamp> time_at(TopicPartition tp, Position from) const override;
  std::optional<ProducerState> find_producer(base::Uuid const& producer) const override;
  void hold(std::string const& holder, std::span<Assignment const> positions) override;
  void release(std::string const& holder) override;
  BrokerStats stats() const override;
  void stop() override;

 private:
  friend class MemoryAppender;
  friend class MemoryReader;

  base::Result<Position> append(TopicPartition to, base::Bytes record);
  base::Result<void> make_room(std::size_t bytes);
  void expire();
  bool remove_oldest();
  bool held(TopicPartition tp, std::uint64_t number) const;
  Position begin_locked(TopicPartition tp) const;
  void remember(RecordView record);
  Partition const* find(TopicPartition tp) const;

  MemoryOptions const options_;
  base::Clock& clock_;
  base::Uuid const incarnation_ = base::uuid4();
  mutable std::mutex mutex_;
  bool stopped_ = false;
  std::vector<Topic> topics_;  // id - 1
  std::unordered_map<TopicPartition, Partition> partitions_;
  std::deque<TopicPartition> order_;  // of entries, oldest first
  std::map<std::string, std::map<TopicPartition, std::uint64_t>> holds_;
  std::unordered_map<base::Uuid, ProducerState> producers_;
  std::deque<base::Uuid> producers_order_;
  std::set<MemoryReader*> readers_;
  std::uint64_t next_number_ = 1;
  BrokerStats stats_;
};

class MemoryAppender final : public Appender {
 public:
  MemoryAppender(MemoryBroker& broker, Wake wake) : broker_(broker), wake_(std::move(wake)) {}

  base::Result<Ticket> append(TopicPartition to, base::Bytes record) override {
    HEADRACE_TRY(auto const position, broker_.append(to, record));
    fresh_.push_back({position.hi, position.lo + 1});
    ++last_;
    if (wake_) wake_();
    return last_;
  }
  Progress poll() override {
    polled_ = std::exchange(fresh_, {});
    return {last_, {}};
  }
  Position position_after(Ticket ticket) const override {
    auto const first = last_ - fresh_.size() - polled_.size() + 1;
    HEADRACE_ASSERT(ticket >= first && ticket < first + polled_.size(),
                    "not a ticket of the last poll");
    return polled_[ticket - first];
  }
  std::size_t unsettled_bytes() const override { return 0; }

 private:
  MemoryBroker& broker_;
  Wake wake_;
  Ticket last_ = 0;
  std::vector<Position> fresh_, polled_;
};

class MemoryReader final : public Reader {
 public:
  MemoryReader(MemoryBroker& broker, std::vector<Assignment> assignments, Wake wake)
      : broker_(broker), wake_(std::move(wake)) {
    for (auto const& a : assignments) cursors_.push_back({a.partition, a.from, 0});
    std::lock_guard const lock(broker_.mutex_);
    for (auto& c : cursors_) c.passed = passed(c);
    broker_.readers_.insert(this);
  }
  ~MemoryReader() override {
    std::lock_guard const lock(broker_.mutex_);
    broker_.readers_.erase(this);
  }

  base::Result<Fetched> fetch(std::size_t bytes_max) override {
    std::lock_guard const lock(broker_.mutex_);
    kept_.clear();
    Fetched out;
    if (cursors_.empty()) {
      out.at_end = true;
      return out;
    }
    for (auto& c : cursors_) skip_expired(c, out);
    std::size_t bytes = 0, idle = 0;
    // One record from each assignment in turn, so that a busy partition does not starve a quiet
    // one.
    for (; idle < cursors_.size(); turn_ = (turn_ + 1) % cursors_.size()) {
      auto const* entry = next_of(cursors_[turn_]);
      if (entry == nullptr) {
        ++idle;
        continue;
      }
      if (!out.records.empty() && bytes + entry->bytes->size() > bytes_max) return out;
      idle = 0;
      bytes += entry->bytes->size();
      take(cursors_[turn_], *entry, out);
    }
    out.at_end = true;
    armed_ = true;
    return out;
  }

  // With the broker's lock held.
  void appended(TopicPartition tp) {
    if (!armed_ || !wake_) return;
    if (std::none_of(cursors_.begin(), cursors_.end(),
                     [&](Cursor const& c) { return c.partition == tp; }))
      return;
    armed_ = false;
    wake_();
  }

 private:
  struct Cursor {
    TopicPartition partition;
    Position at;
    std::uint64_t passed =
        0;  // messages of this partition before `at`, since the partition's first
  };

  std::uint64_t passed(Cursor const& c) const {
    auto const* p = broker_.find(c.partition);
    if (p == nullptr) return 0;
    if (c.at == Position{}) return 0;
    auto count = p->removed_messages;
    for (auto it = p->entries.begin(); it != p->at(number_of(c.at)); ++it) count += it->messages;
    return count;
  }
  void skip_expired(Cursor& c, Fetched& out) {
    auto const* p = broker_.find(c.partition);
    if (p == nullptr || p->removed_messages <= c.passed) return;
    auto const to = broker_.begin_locked(c.partition);
    if (to <= c.at) return;
    out.expired.push_back({c.partition, c.at, to, p->removed_messages - c.passed});
    c.at = to;
    c.passed = p->removed_messages;
  }
  Entry const* next_of(Cursor const& c) const {
    auto const* p = broker_.find(c.partition);
    if (p == nullptr) return nullptr;
    auto const it = p->at(number_of(c.at));
    return it == p->entries.end() ? nullptr : &*it;
  }
  void take(Cursor& c, Entry const& entry, Fetched& out) {
    kept_.push_back(entry.bytes);
    c.at = position_of(entry.number + 1);
    c.passed += entry.messages;
    out.records.push_back({c.partition, position_of(entry.number), c.at, *entry.bytes});
  }

  MemoryBroker& broker_;
  Wake wake_;
  std::vector<Cursor> cursors_;
  std::vector<std::shared_ptr<std::vector<std::byte> const>> kept_;
  std::size_t turn_ = 0;
  bool armed_ = false;
};

base::Result<TopicState> MemoryBroker::open_topic(model::DataType const& type) {
  if (type.partition_count == 0) {
    return base::Error{base::ErrorCode::kInvalidArgument,
                       "topic " + type.name.text() + ": no partitions; expected 1 or more"};
  }
  std::lock_guard const lock(mutex_);
  if (stopped_) return base::Error{base::ErrorCode::kCancelled, "the broker has stopped"};
  for (auto& t : topics_) {
    if (t.state.name != type.name.text()) continue;
    if (t.state.partition_count != type.partition_count) {
      return base::Error{
          base::ErrorCode::kInvalidArgument,
          fmt::format("topic {} has {} partitions, fixed when it was created; {} were asked for",
                      t.state.name, t.state.partition_count, type.partition_count)};
    }
    t.retention = type.retention;
    return t.state;
  }
  auto const id = static_cast<TopicId>(topics_.size() + 1);
  topics_.push_back({{id, type.name.text(), type.partition_count}, type.retention});
  for (std::uint32_t p = 0; p < type.partition_count; ++p) partitions_[{id, p}];
  return topics_.back().state;
}

std::vector<TopicState> MemoryBroker::topics() const {
  std::lock_guard const lock(mutex_);
  std::vector<TopicState> out;
  for (auto const& t : topics_) out.push_back(t.state);
  return out;
}

std::unique_ptr<Appender> MemoryBroker::make_appender(Wake wake) {
  return std::make_unique<MemoryAppender>(*this, std::move(wake));
}
std::unique_ptr<Reader> MemoryBroker::make_reader(std::vector<Assignment> assignments, Wake wake) {
  return std::make_unique<MemoryReader>(*this, std::move(assignments), std::move(wake));
}

Partition const* MemoryBroker::find(TopicPartition tp) const {
  auto const it = partitions_.find(tp);
  return it == partitions_.end() ? nullptr : &it->second;
}

base::Result<Position> MemoryBroker::append(TopicPartition to, base::Bytes record) {
  std::lock_guard const lock(mutex_);
  if (stopped_) return base::Error{base::ErrorCode::kCancelled, "the broker has stopped"};
  auto const it = partitions_.find(to);
  if (it == partitions_.end()) {
    return base::Error{base::ErrorCode::kNotFound,
                       fmt::format("no topic {} partition {}", to.topic, to.partition)};
  }
  expire();
  HEADRACE_TRY_VOID(make_room(record.size()));
  auto const view = RecordView::trusted(record);
  auto const number = next_number_++;
  it->second.entries.push_back(
      {number, std::make_shared<std::vector<std::byte> const>(record.begin(), record.end()),
       view.count(), view.received()});
  it->second.end = number + 1;
  order_.push_back(to);
  remember(view);
  stats_.stored_bytes += record.size();
  stats_.bytes_total += record.size();
  ++stats_.records_total;
  ++stats_.groups_total;
  for (auto* r : readers_) r->appended(to);
  return position_of(number);
}

void MemoryBroker::remember(RecordView record) {
  auto const [it, fresh] = producers_.insert_or_assign(
      record.producer(), ProducerState{record.epoch(), record.last_sequence()});
  if (!fresh) return;
  producers_order_.push_back(it->first);
  if (producers_order_.size() <= options_.producers_max) return;
  producers_.erase(producers_order_.front());
  producers_order_.pop_front();
}

base::Result<void> MemoryBroker::make_room(std::size_t bytes) {
  while (stats_.stored_bytes + bytes > options_.bytes_max) {
    if (remove_oldest()) continue;
    return base::Error{
        base::ErrorCode::kOverloaded,
        fmt::format("the broker's memory is full ({} of {} bytes) and held by a receiver",
                    stats_.stored_bytes, options_.bytes_max)};
  }
  return {};
}

void MemoryBroker::expire() {
  auto const now = clock_.now();
  while (!order_.empty()) {
    auto const tp = order_.front();
    if (partitions_[tp].entries.front().received + topics_[tp.topic - 1].retention > now ||
        !remove_oldest())
      return;
  }
}

bool MemoryBroker::held(TopicPartition tp, std::uint64_t number) const {
  return std::any_of(holds_.begin(), holds_.end(), [&](auto const& h) {
    auto const it = h.second.find(tp);
    return it != h.second.end() && it->second <= number;
  });
}

bool MemoryBroker::remove_oldest() {
  if (order_.empty()) return false;
  auto const tp = order_.front();
  auto& p = partitions_[tp];
  auto const& entry = p.entries.front();
  if (held(tp, entry.number)) return false;
  p.removed_messages += entry.messages;
  stats_.stored_bytes -= entry.bytes->size();
  p.entries.pop_front();
  order_.pop_front();
  return true;
}

Position MemoryBroker::begin_locked(TopicPartition tp) const {
  auto const* p = find(tp);
  if (p == nullptr || p->end == 0) return {};
  return position_of(p->entries.empty() ? p->end : p->entries.front().number);
}

Position MemoryBroker::begin(TopicPartition tp) const {
  std::lock_guard const lock(mutex_);
  return begin_locked(tp);
}

Position MemoryBroker::end(TopicPartition tp) const {
  std::lock_guard const lock(mutex_);
  auto const* p = find(tp);
  return p == nullptr || p->end == 0 ? Position{} : position_of(p->end);
}

base::Result<Position> MemoryBroker::find_time(TopicPartition tp, base::Timestamp time) const {
  std::lock_guard const lock(mutex_);
  auto const* p = find(tp);
  if (p == nullptr) {
    return base::Error{base::ErrorCode::kNotFound,
                       fmt::format("no topic {} partition {}", tp.topic, tp.partition)};
  }
  for (auto const& e : p->entries) {
    if (e.received >= time) return position_of(e.number);
  }
  return p->end == 0 ? Position{} : position_of(p->end);
}

std::uint64_t MemoryBroker::count_after(TopicPartition tp, Position from) const {
  std::lock_guard const lock(mutex_);
  auto const* p = find(tp);
  if (p == nullptr) return 0;
  std::uint64_t count = 0;
  for (auto it = p->at(number_of(from)); it != p->entries.end(); ++it) count += it->messages;
  return count;
}

std::optional<base::Timestamp> MemoryBroker::time_at(TopicPartition tp, Position from) const {
  std::lock_guard const lock(mutex_);
  auto const* p = find(tp);
  if (p == nullptr) return std::nullopt;
  auto const it = p->at(number_of(from));
  if (it == p->entries.end()) return std::nullopt;
  return it->received;
}

std::optional<ProducerState> MemoryBroker::find_producer(base::Uuid const& producer) const {
  std::lock_guard const lock(mutex_);
  auto const it = producers_.find(producer);
  if (it == producers_.end()) return std::nullopt;
  return it->second;
}

void MemoryBroker::hold(std::string const& holder, std::span<Assignment const> positions) {
  std::lock_guard const lock(mutex_);
  auto& h = holds_[holder];
  h.clear();
  for (auto const& a : positions) h[a.partition] = number_of(a.from);
}

void MemoryBroker::release(std::string const& holder) {
  std::lock_guard const lock(mutex_);
  holds_.erase(holder);
}

BrokerStats MemoryBroker::stats() const {
  std::lock_guard const lock(mutex_);
  auto out = stats_;
  out.disk_budget_bytes = options_.bytes_max;
  out.state = stopped_ ? "stopped" : "ok";
  return out;
}

void MemoryBroker::stop() {
  std::lock_guard const lock(mutex_);
  stopped_ = true;
}

}  // namespace

std::unique_ptr<Broker> make_memory_broker(MemoryOptions options, base::Clock& clock) {
  return std::make_unique<MemoryBroker>(options, clock);
}

}  // namespace headrace::broker::memory
