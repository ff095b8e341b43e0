// SPDX-License-Identifier: Apache-2.0
// SessionTable: what this process knows of agents' sessions, over their connections and over io
// threads.
//   Threads:  any; SessionState's numbers are atomic.
//   Bounds:   sessions_max: those without a connection go first, the longest unused of a shard
//             first.
#pragma once

#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <unordered_map>

#include "base/clock.h"
#include "base/uuid.h"

namespace headrace::ingest::agent_websocket {

class SessionOwner;

// One session at one epoch.
class SessionState {
 public:
  explicit SessionState(std::uint32_t epoch) : epoch_(epoch) {}
  std::uint32_t epoch() const { return epoch_; }
  std::uint64_t settled() const { return settled_.load(std::memory_order_acquire); }
  std::uint64_t highest() const { return highest_.load(std::memory_order_relaxed); }
  void settle(std::uint64_t sequence) { raise(settled_, sequence); }
  void saw(std::uint64_t sequence) { raise(highest_, sequence); }

 private:
  static void raise(std::atomic<std::uint64_t>& number, std::uint64_t to) {
    auto now = number.load(std::memory_order_relaxed);
    while (now < to && !number.compare_exchange_weak(now, to, std::memory_order_acq_rel)) {
    }
  }
  std::uint32_t const epoch_;
  std::atomic<std::uint64_t> settled_{0}, highest_{0};
};
using SessionStatePtr = std::shared_ptr<SessionState>;

// The connection that carries a session. Told from any thread that a newer one took over.
class SessionOwner {
 public:
  virtual ~SessionOwner() = default;
  virtual void replaced() = 0;
};

class SessionTable {
 public:
  explicit SessionTable(std::size_t sessions_max) : sessions_max_(sessions_max) {}

  struct Hint {
    std::uint32_t epoch = 0;
    std::uint64_t last_sequence = 0;
  };
  // Makes `owner` the carrier of the session and tells the one before. `hint` says what the log
  // knows of a session that is new here. nullptr: the epoch is below one that was seen.
  SessionStatePtr enter(base::Uuid const& session, std::uint32_t epoch,
                        std::shared_ptr<SessionOwner> const& owner, base::Timestamp now,
                        std::function<std::optional<Hint>()> const& hint);
  std::size_t size() const;

 private:
  static constexpr std::size_t kShards = 16;
  struct Entry {
    SessionStatePtr state;
    std::weak_ptr<SessionOwner> owner;
    std::int64_t used_ns = 0;
  };
  struct Shard {
    mutable std::mutex mutex;
    std::unordered_map<base::Uuid, Entry> sessions;
  };
  void make_room(Shard& shard);

  std::size_t const sessions_max_;
  std::array<Shard, kShards> shards_;
};

}  // namespace headrace::ingest::agent_websocket
