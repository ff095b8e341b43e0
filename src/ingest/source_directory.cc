// SPDX-License-Identifier: Apache-2.0
#include "ingest/source_directory.h"

#include <algorithm>
#include <limits>

namespace headrace::ingest {

std::string_view name(Protocol protocol) {
  switch (protocol) {
    case Protocol::kNone: return "none";
    case Protocol::kHttp: return "http";
    case Protocol::kAgentWebSocket: return "agent_websocket";
  }
  return "none";
}

void SourceState::count(std::uint16_t type_index, std::uint64_t messages, std::uint64_t bytes,
                        base::Timestamp now, Protocol protocol) {
  constexpr auto kRelaxed = std::memory_order_relaxed;
  messages_.fetch_add(messages, kRelaxed);
  bytes_.fetch_add(bytes, kRelaxed);
  last_seen_ns_.store(now.ns, kRelaxed);
  protocol_.store(protocol, kRelaxed);
  auto& word = types_[type_index / 64];
  std::uint64_t const bit = std::uint64_t{1} << (type_index % 64);
  if (!(word.load(kRelaxed) & bit)) {
    word.fetch_or(bit, kRelaxed);
    std::int64_t unset = 0;
    first_seen_ns_.compare_exchange_strong(unset, now.ns, kRelaxed);
  }
}

void SourceState::connected(Protocol protocol, base::Timestamp now) {
  connections_.fetch_add(1, std::memory_order_relaxed);
  protocol_.store(protocol, std::memory_order_relaxed);
  last_seen_ns_.store(now.ns, std::memory_order_relaxed);
  std::int64_t unset = 0;
  first_seen_ns_.compare_exchange_strong(unset, now.ns, std::memory_order_relaxed);
}

SourcePtr SourceDirectory::enter(std::string_view source, std::string_view principal) {
  auto const hash = std::hash<std::string_view>{}(source);
  auto& shard = shards_[hash % kShards];
  std::scoped_lock const lock(shard.mutex);
  if (auto const it = shard.sources.find(source); it != shard.sources.end()) {
    it->second->principal_ = principal;
    return it->second;
  }
  make_room(shard);
  auto state = std::make_shared<SourceState>(source, hash);
  state->principal_ = principal;
  shard.sources.emplace(state->id(), state);
  return state;
}

void SourceDirectory::make_room(Shard& shard) {
  if (shard.sources.size() < std::max<std::size_t>(1, options_.sources_max / kShards)) return;
  auto oldest = shard.sources.end();
  auto oldest_ns = std::numeric_limits<std::int64_t>::max();
  for (auto it = shard.sources.begin(); it != shard.sources.end(); ++it) {
    auto const seen = it->second->last_seen_ns_.load(std::memory_order_relaxed);
    bool const held = it->second->connections_.load(std::memory_order_relaxed) != 0;
    if (seen < oldest_ns && !held) {
      oldest = it;
      oldest_ns = seen;
    }
  }
  if (oldest == shard.sources.end()) oldest = shard.sources.begin();  // all are connected: any
  oldest->second->dropped_.store(true, std::memory_order_relaxed);
  auto const keep = oldest->second;  // the key is a view of it
  shard.sources.erase(oldest);
  dropped_total_.fetch_add(1, std::memory_order_relaxed);
}

bool SourceDirectory::is_active(SourceState const& state, base::Timestamp now) const {
  if (state.connections_.load(std::memory_order_relaxed) != 0) return true;
  return now.ns - state.last_seen_ns_.load(std::memory_order_relaxed) < options_.active_for.count();
}

bool SourceDirectory::wanted(SourceState const& state, SourceQuery const& query,
                             TypeTable const& types, base::Timestamp now) const {
  if (!state.id().starts_with(query.prefix) || state.id() <= query.after) return false;
  if (query.active && *query.active != is_active(state, now)) return false;
  if (query.data_type.empty()) return true;
  auto const* type = types.find(query.data_type);
  return type &&
         (state.types_[type->index / 64].load(std::memory_order_relaxed) >> (type->index % 64) & 1);
}

SourceInfo SourceDirectory::describe(SourceState const& state, TypeTable const& types,
                                     base::Timestamp now) const {
  SourceInfo info;
  info.id = state.id();
  info.principal = state.principal_;
  for (auto const& entry : types.entries())
    if (state.types_[entry->index / 64].load(std::memory_order_relaxed) >> (entry->index % 64) & 1)
      info.data_types.push_back(entry->type.name.text());
  info.first_seen.ns = state.first_seen_ns_.load(std::memory_order_relaxed);
  info.last_seen.ns = state.last_seen_ns_.load(std::memory_order_relaxed);
  info.messages = state.messages_.load(std::memory_order_relaxed);
  info.bytes = state.bytes_.load(std::memory_order_relaxed);
  info.active = is_active(state, now);
  info.connections = state.connections_.load(std::memory_order_relaxed);
  info.protocol = state.protocol_.load(std::memory_order_relaxed);
  return info;
}

std::vector<SourceInfo> SourceDirectory::list(SourceQuery const& query, TypeTable const& types,
                                              base::Timestamp now) const {
  std::vector<SourceInfo> page;
  auto const by_id = [](SourceInfo const& a, SourceInfo const& b) { return a.id < b.id; };
  // A heap of the `limit` smallest ids: what is described is bounded by it, not by how many sources
  // there are.
  for (auto const& shard : shards_) {
    std::scoped_lock const lock(shard.mutex);
    for (auto const& [id, state] : shard.sources) {
      bool const full = page.size() >= query.limit;
      if (full && (page.empty() || page.front().id <= id)) continue;
      if (!wanted(*state, query, types, now)) continue;
      if (full) {
        std::pop_heap(page.begin(), page.end(), by_id);
        page.pop_back();
      }
      page.push_back(describe(*state, types, now));
      std::push_heap(page.begin(), page.end(), by_id);
    }
  }
  std::sort_heap(page.begin(), page.end(), by_id);
  return page;
}

std::optional<SourceInfo> SourceDirectory::find(std::string_view source, TypeTable const& types,
                                                base::Timestamp now) const {
  auto const& shard = shards_[std::hash<std::string_view>{}(source) % kShards];
  std::scoped_lock const lock(shard.mutex);
  auto const it = shard.sources.find(source);
  if (it == shard.sources.end()) return std::nullopt;
  return describe(*it->second, types, now);
}

SourceDirectory::Counts SourceDirectory::counts(base::Timestamp now) const {
  Counts counts;
  for (auto const& shard : shards_) {
    std::scoped_lock const lock(shard.mutex);
    counts.known += shard.sources.size();
    for (auto const& [id, state] : shard.sources) {
      counts.active += is_active(*state, now);
      counts.connected += state->connections_.load(std::memory_order_relaxed) != 0;
    }
  }
  counts.dropped_total = dropped_total_.load(std::memory_order_relaxed);
  return counts;
}

}  // namespace headrace::ingest
