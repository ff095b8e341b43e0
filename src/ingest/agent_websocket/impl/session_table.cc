// SPDX-License-Identifier: Apache-2.0
#include "ingest/agent_websocket/impl/session_table.h"

#include <algorithm>
#include <tuple>

namespace headrace::ingest::agent_websocket {

SessionStatePtr SessionTable::enter(base::Uuid const& session, std::uint32_t epoch,
                                    std::shared_ptr<SessionOwner> const& owner, base::Timestamp now,
                                    std::function<std::optional<Hint>()> const& hint) {
  auto& shard = shards_[std::hash<base::Uuid>{}(session) % kShards];
  std::shared_ptr<SessionOwner> before;
  SessionStatePtr state;
  {
    std::scoped_lock const lock(shard.mutex);
    auto it = shard.sessions.find(session);
    if (it == shard.sessions.end()) {
      auto const known = hint().value_or(Hint{});
      if (known.epoch > epoch) return nullptr;
      make_room(shard);
      it = shard.sessions.emplace(session, Entry{std::make_shared<SessionState>(epoch), {}, 0})
               .first;
      if (known.epoch == epoch) it->second.state->saw(known.last_sequence);
    } else if (it->second.state->epoch() > epoch) {
      return nullptr;
    } else if (it->second.state->epoch() < epoch) {
      it->second.state = std::make_shared<SessionState>(epoch);
    }
    before = it->second.owner.lock();
    it->second.owner = owner;
    it->second.used_ns = now.ns;
    state = it->second.state;
  }
  if (before) before->replaced();
  return state;
}

void SessionTable::make_room(Shard& shard) {
  if (shard.sessions.size() < std::max<std::size_t>(1, sessions_max_ / kShards)) return;
  auto const worth = [](auto const& entry) {
    return std::tuple(!entry.second.owner.expired(), entry.second.used_ns);
  };
  auto const least =
      std::min_element(shard.sessions.begin(), shard.sessions.end(),
                       [&](auto const& a, auto const& b) { return worth(a) < worth(b); });
  shard.sessions.erase(least);
}

std::size_t SessionTable::size() const {
  std::size_t size = 0;
  for (auto const& shard : shards_) {
    std::scoped_lock const lock(shard.mutex);
    size += shard.sessions.size();
  }
  return size;
}

}  // namespace headrace::ingest::agent_websocket
