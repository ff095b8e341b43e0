// SPDX-License-Identifier: Apache-2.0
#include "dispatch/impl/tracker.h"

#include <fmt/format.h>

#include <charconv>
#include <limits>

#include "base/assert.h"

namespace headrace::dispatch::impl {

using base::Error;
using base::ErrorCode;
using base::Result;
using broker::TopicPartition;

namespace {

constexpr auto kExpiryInterval = std::chrono::hours(1);
constexpr std::size_t kExpiredPerCallMax = 10'000;

// Splits off the text before `separator`; all of it when there is none.
std::string_view take_part(std::string_view& rest, char separator) {
  auto const at = rest.find(separator);
  std::string_view const part = rest.substr(0, at);
  rest.remove_prefix(at == std::string_view::npos ? rest.size() : at + 1);
  return part;
}

template <class T>
bool parse_number(std::string_view text, T& value) {
  auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

std::string render(Account const& a) {
  return fmt::format("{} {} {} {} {} {} {} {} {} {} {}", a.read.messages, a.read.points,
                     a.stored.messages, a.stored.points, a.filtered.messages, a.filtered.points,
                     a.duplicate.messages, a.duplicate.points, a.dead.messages, a.dead.points,
                     a.expired);
}

bool parse(std::string_view text, Account& a) {
  std::uint64_t* const fields[] = {&a.read.messages,
                                   &a.read.points,
                                   &a.stored.messages,
                                   &a.stored.points,
                                   &a.filtered.messages,
                                   &a.filtered.points,
                                   &a.duplicate.messages,
                                   &a.duplicate.points,
                                   &a.dead.messages,
                                   &a.dead.points,
                                   &a.expired};
  for (std::uint64_t* const field : fields)
    if (!parse_number(take_part(text, ' '), *field)) return false;
  return text.empty();
}

bool parse(std::string_view text, ProducerSeen& seen) {
  return parse_number(take_part(text, ' '), seen.epoch) &&
         parse_number(take_part(text, ' '), seen.last_sequence) &&
         parse_number(text, seen.received.ns);
}

}  // namespace

bool Account::balanced() const {
  return read.messages == stored.messages + filtered.messages + duplicate.messages + dead.messages;
}

std::uint64_t points_of(codec::record::MessageView message) {
  if (message.encoding() != model::BodyEncoding::kPoints || message.body().size() < 8) return 0;
  return base::load<std::uint32_t>(message.body().data() + 4);
}

Tracker::Tracker(std::vector<Topic> topics, std::size_t producers_max)
    : topics_(std::move(topics)), producers_max_(producers_max) {}

Tracker::Topic const* Tracker::find_topic(broker::TopicId id) const {
  auto const at =
      std::find_if(topics_.begin(), topics_.end(), [&](Topic const& t) { return t.id == id; });
  return at == topics_.end() ? nullptr : &*at;
}

Tracker::Topic const* Tracker::find_topic(std::string_view data_type) const {
  auto const at = std::find_if(topics_.begin(), topics_.end(),
                               [&](Topic const& t) { return t.data_type == data_type; });
  return at == topics_.end() ? nullptr : &*at;
}

Result<void> Tracker::load(std::span<StateChange const> state) {
  log_.reset();
  cursors_.clear();
  producers_.clear();
  accounts_.clear();
  settled_retries_.clear();
  for (StateChange const& entry : state) HEADRACE_TRY_VOID(load_entry(entry));
  return {};
}

Result<void> Tracker::load_entry(StateChange const& entry) {
  auto const corrupt = [&] {
    return Error{ErrorCode::kCorrupt, fmt::format("dispatch state: '{}' = '{}' is not understood",
                                                  entry.key, entry.value)};
  };
  std::string_view rest = entry.key;
  std::string_view const kind = take_part(rest, '/');
  if (kind == "retried") {
    std::uint64_t id = 0;
    if (!parse_number(rest, id)) return corrupt();
    settled_retries_.insert(id);
    return {};
  }
  if (kind == "log") {
    log_ = base::parse_uuid(entry.value);
    return log_ ? Result<void>() : corrupt();
  }
  Topic const* const topic = find_topic(take_part(rest, '/'));
  if (kind == "ledger") {
    Account account;
    if (!parse(entry.value, account)) return corrupt();
    if (topic != nullptr) accounts_[topic->id] = account;
    return {};
  }
  TopicPartition at{topic != nullptr ? topic->id : 0, 0};
  if (!parse_number(take_part(rest, '/'), at.partition)) return corrupt();
  if (kind == "cursor") {
    auto const position = broker::parse_position(entry.value);
    if (!position) return corrupt();
    if (topic != nullptr && at.partition < topic->partition_count) cursors_[at] = *position;
    return {};
  }
  auto const producer = base::parse_uuid(rest);
  ProducerSeen seen;
  if (kind != "producer" || !producer || !parse(entry.value, seen)) return corrupt();
  if (topic != nullptr) producers_[{at, *producer}] = seen;
  return {};
}

std::optional<broker::Position> Tracker::cursor(TopicPartition at) const {
  auto const found = cursors_.find(at);
  if (found == cursors_.end()) return std::nullopt;
  return found->second;
}

std::optional<std::uint64_t> Tracker::seen(TopicPartition at, codec::record::RecordView record,
                                           Pending const& pending) const {
  ProducerKey const key{at, record.producer()};
  ProducerSeen const* known = nullptr;
  if (auto const fresh = pending.producers.find(key); fresh != pending.producers.end()) {
    known = &fresh->second;
  } else if (auto const old = producers_.find(key); old != producers_.end()) {
    known = &old->second;
  }
  if (known == nullptr || record.epoch() > known->epoch) return std::nullopt;
  if (record.epoch() < known->epoch) return std::numeric_limits<std::uint64_t>::max();
  return known->last_sequence;
}

void Tracker::note_seen(TopicPartition at, codec::record::RecordView record, Pending& pending) {
  pending.producers[{at, record.producer()}] = {record.epoch(), record.last_sequence(),
                                                record.received()};
}

std::string Tracker::producer_key(ProducerKey const& key) const {
  Topic const* const topic = find_topic(key.at.topic);
  HEADRACE_ASSERT(topic != nullptr, "a producer of a topic that is not subscribed");
  return fmt::format("producer/{}/{}/{}", topic->data_type, key.at.partition,
                     base::to_string(key.producer));
}

std::vector<StateChange> Tracker::changes(Pending const& pending,
                                          std::span<std::uint64_t const> settled) const {
  std::vector<StateChange> changes;
  changes.reserve(pending.cursors.size() + pending.producers.size() + pending.accounts.size() +
                  settled_retries_.size() + settled.size());
  if (pending.log) changes.push_back({"log", base::to_string(*pending.log)});
  for (auto const& [at, position] : pending.cursors)
    changes.push_back({fmt::format("cursor/{}/{}", find_topic(at.topic)->data_type, at.partition),
                       broker::to_string(position)});
  for (auto const& [key, seen] : pending.producers)
    changes.push_back({producer_key(key),
                       fmt::format("{} {} {}", seen.epoch, seen.last_sequence, seen.received.ns)});
  for (auto const& [topic, added] : pending.accounts) {
    Account sum = added;
    if (auto const before = accounts_.find(topic); before != accounts_.end()) {
      sum.read += before->second.read;
      sum.stored += before->second.stored;
      sum.filtered += before->second.filtered;
      sum.duplicate += before->second.duplicate;
      sum.dead += before->second.dead;
      sum.expired += before->second.expired;
    }
    changes.push_back({fmt::format("ledger/{}", find_topic(topic)->data_type), render(sum)});
  }
  for (std::uint64_t const id : settled_retries_)
    changes.push_back({fmt::format("retried/{}", id), ""});
  for (std::uint64_t const id : settled) changes.push_back({fmt::format("retried/{}", id), "1"});
  return changes;
}

void Tracker::apply(Pending const& pending) {
  if (pending.log) log_ = pending.log;
  for (auto const& [at, position] : pending.cursors) cursors_[at] = position;
  for (auto const& [key, seen] : pending.producers) producers_[key] = seen;
  for (auto const& [topic, added] : pending.accounts) {
    Account& account = accounts_[topic];
    account.read += added.read;
    account.stored += added.stored;
    account.filtered += added.filtered;
    account.duplicate += added.duplicate;
    account.dead += added.dead;
    account.expired += added.expired;
    HEADRACE_ASSERT(account.balanced(), "read = stored + filtered + duplicate + dead");
  }
}

bool Tracker::expired(ProducerKey const& key, ProducerSeen const& seen, base::Timestamp now) const {
  Topic const* const topic = find_topic(key.at.topic);
  return topic != nullptr && topic->retention.count() > 0 && now - seen.received > topic->retention;
}

std::vector<StateChange> Tracker::expire_producers(base::Timestamp now) {
  bool const crowded = producers_.size() > producers_max_;
  if (!crowded && now - last_expiry_ < kExpiryInterval) return {};
  last_expiry_ = now;
  std::vector<std::pair<base::Timestamp, ProducerKey>> gone;
  for (auto const& [key, seen] : producers_)
    if (crowded || expired(key, seen, now)) gone.emplace_back(seen.received, key);
  // When crowded a tenth of the bound goes at once, so that the next batches need not look again.
  std::size_t const wanted =
      crowded ? producers_.size() - producers_max_ + producers_max_ / 10 : gone.size();
  std::size_t const count = std::min({gone.size(), crowded ? wanted : kExpiredPerCallMax});
  std::nth_element(gone.begin(), gone.begin() + static_cast<std::ptrdiff_t>(count), gone.end(),
                   [](auto const& a, auto const& b) { return a.first < b.first; });
  std::vector<StateChange> removals;
  for (std::size_t i = 0; i < count; ++i) {
    removals.push_back({producer_key(gone[i].second), ""});
    producers_.erase(gone[i].second);
  }
  return removals;
}

}  // namespace headrace::dispatch::impl
