// SPDX-License-Identifier: Apache-2.0
// SourceDirectory: who reports: last seen, counts, state, for pages and the API. Bounded; not
// durable: it starts empty.
//   Threads:  any. SourceState's counters are atomic.
//   Bounds:   Options::sources_max. When full, the source of the same shard that was seen longest
//             ago and has no connection goes.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "ingest/type_table.h"

namespace headrace::ingest {

enum class Protocol : unsigned char { kNone, kHttp, kAgentWebSocket };
std::string_view name(Protocol protocol);  // "none", "http", "agent_websocket"

struct SourceDirectoryOptions {
  std::size_t sources_max = 100'000;
  // since the last message; connected sources are active
  std::chrono::nanoseconds active_for = std::chrono::seconds(60);
};

// One source, as the handlers count it. Kept alive by whoever holds it, also after it left the
// directory.
class SourceState {
 public:
  explicit SourceState(std::string_view id, std::uint64_t hash) : id_(id), hash_(hash) {}
  std::string const& id() const { return id_; }
  std::uint64_t hash() const { return hash_; }
  // Accepted messages of one data type.
  void count(std::uint16_t type_index, std::uint64_t messages, std::uint64_t bytes,
             base::Timestamp now, Protocol protocol);
  void connected(Protocol protocol, base::Timestamp now);
  bool dropped() const { return dropped_.load(std::memory_order_relaxed); }
  void disconnected() { connections_.fetch_sub(1, std::memory_order_relaxed); }

 private:
  friend class SourceDirectory;
  std::string const id_;
  std::uint64_t const hash_;
  std::string principal_;             // guarded by the directory's lock
  std::atomic<bool> dropped_{false};  // left the directory: enter() it anew
  std::atomic<std::int64_t> first_seen_ns_{0}, last_seen_ns_{0};
  std::atomic<std::uint64_t> messages_{0}, bytes_{0};
  std::atomic<std::uint32_t> connections_{0};
  std::atomic<Protocol> protocol_{Protocol::kNone};
  std::array<std::atomic<std::uint64_t>, kDataTypesMax / 64> types_{};
};
using SourcePtr = std::shared_ptr<SourceState>;

// What the API shows of one.
struct SourceInfo {
  std::string id;
  std::string principal;
  std::vector<std::string> data_types;
  base::Timestamp first_seen, last_seen;
  std::uint64_t messages = 0, bytes = 0;
  bool active = false;
  std::uint32_t connections = 0;
  Protocol protocol = Protocol::kNone;  // the last one used
};

struct SourceQuery {
  std::string prefix;     // of the id
  std::string after;      // ids greater than this: the last one of the page before
  std::string data_type;  // that it has reported; empty: any
  std::optional<bool> active;
  std::size_t limit = 100;
};

class SourceDirectory {
 public:
  explicit SourceDirectory(SourceDirectoryOptions options) : options_(options) {}

  // The entry of this source, made when it is new.
  SourcePtr enter(std::string_view source, std::string_view principal);
  // In order of id. Cost: looks at all sources, a shard at a time.
  std::vector<SourceInfo> list(SourceQuery const& query, TypeTable const& types,
                               base::Timestamp now) const;
  std::optional<SourceInfo> find(std::string_view source, TypeTable const& types,
                                 base::Timestamp now) const;
  struct Counts {
    std::size_t known = 0, active = 0, connected = 0;
    std::uint64_t dropped_total = 0;  // that had to leave for others
  };
  Counts counts(base::Timestamp now) const;

 private:
  static constexpr std::size_t kShards = 64;
  struct Shard {
    mutable std::mutex mutex;
    std::unordered_map<std::string_view, SourcePtr> sources;  // keys are the states' own ids
  };
  SourceInfo describe(SourceState const& state, TypeTable const& types, base::Timestamp now) const;
  bool is_active(SourceState const& state, base::Timestamp now) const;
  bool wanted(SourceState const& state, SourceQuery const& query, TypeTable const& types,
              base::Timestamp now) const;
  void make_room(Shard& shard);

  SourceDirectoryOptions options_;
  std::array<Shard, kShards> shards_;
  std::atomic<std::uint64_t> dropped_total_{0};
};

}  // namespace headrace::ingest
