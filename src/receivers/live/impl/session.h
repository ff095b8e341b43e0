// SPDX-License-Identifier: Apache-2.0
// Session: one reader of the feed. Threads: its io thread. Lifetime: owned by its connection;
//          registered in its thread's Shard while
// open.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/metrics.h"
#include "identity/identity.h"
#include "net/websocket.h"
#include "receivers/live/impl/frames.h"

namespace headrace::receivers::live {

class Session;

// What the sessions of one io thread share. Touched on that thread only, but for `posts`.
struct Shard {
  std::vector<Session*> sessions;
  std::atomic<std::uint32_t> posts{0};  // handed over and not yet run
};

// What all sessions share.
struct SessionDeps {
  Frames& frames;
  identity::Identity& identity;
  std::vector<std::string> const& data_types;
  std::size_t queue_bytes;
  std::size_t readers_max;
  std::atomic<std::size_t>& readers;
  std::function<void()> on_reader;  // wakes the feed; from any thread
  base::Counter& dropped;
  base::Counter& frames_sent;
};

class Session final : public net::WebSocketHandler {
 public:
  Session(SessionDeps const& deps, Shard& shard, Filter filter, identity::PrincipalPtr principal);
  ~Session() override;

  void on_open(net::WebSocket& socket) override;
  void on_message(net::MessageKind kind, std::span<char> payload) override;
  void on_closed(net::CloseCode code, std::string_view reason) override;

  Group const* group() const { return group_.get(); }
  void deliver(Frame const& frame);
  // Totals. A reader that is behind goes without; it gets all sources again once it has caught up.
  void tell(std::string const& status, std::string const& changed_sources,
            std::string const& all_sources);

 private:
  bool has_room(std::size_t bytes) const;
  void set_filter(Filter const& filter);

  SessionDeps const& deps_;
  Shard& shard_;
  Filter first_filter_;
  identity::PrincipalPtr principal_;
  std::uint64_t generation_ = 0;
  net::WebSocket* socket_ = nullptr;
  GroupPtr group_;
  std::uint64_t next_number_ = 0;  // of the message that this reader is owed next
  std::uint64_t dropped_ = 0;      // not yet told
  bool needs_sources_ = true;
};

}  // namespace headrace::receivers::live
