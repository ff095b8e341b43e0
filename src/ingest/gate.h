// SPDX-License-Identifier: Apache-2.0
// Gate: one io thread's way into the broker: builds records, appends them, and tells who waits when
// they are settled.
//   Use:      add messages to records(); append(); then wait() for the tickets it returned.
//   Threads:  its io thread only. The broker wakes it from anywhere; it polls on its thread, once
//             per wake.
//   Lifetime: open() and close() on the io thread; close() after the broker has stopped.
//   Order:    waits are told in the order of their tickets, so acknowledgements leave in order.
//   Bounds:   unsettled bytes: when saturated() stop reading (await_room) or answer overloaded.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "broker/broker.h"
#include "identity/identity.h"
#include "ingest/accounting.h"
#include "ingest/record_set.h"
#include "ingest/source_directory.h"
#include "net/io_threads.h"

namespace headrace::ingest {

struct GateOptions {
  std::size_t unsettled_bytes_max = 64u << 20;  // per io thread
};

// The tickets of one append(); first > last: none.
struct Tickets {
  broker::Ticket first = 1, last = 0;
  bool any() const { return first <= last; }
};

struct Settlement {
  std::uint64_t cookie = 0;
  // null: all tickets of the wait are durable at their topics' level
  base::Error const* error = nullptr;
};

// Who waits for tickets. Kept alive by its waits.
class Settler {
 public:
  virtual ~Settler() = default;
  // True: call on_settle_end() once this poll has told everyone.
  virtual bool on_settled(Settlement const& settlement) = 0;
  virtual void on_settle_end() {}
  // A place after the last record of a partition that the wait covers. Before the on_settled
  // of the same tickets.
  virtual void on_position(broker::TopicPartition, broker::Position) {}
  // After await_room(): there is room again, or the gate has closed.
  virtual void on_room() {}
};

class Gate {
 public:
  Gate(net::IoThread& thread, broker::Broker& broker, identity::Identity& identity,
       SourceDirectory& sources, Accounting& accounting, base::Clock& clock,
       model::Limits const& limits, GateOptions options);
  ~Gate();
  Gate(Gate const&) = delete;
  Gate& operator=(Gate const&) = delete;
  void open();
  void close();
  bool closed() const { return appender_ == nullptr; }

  net::IoThread& thread() { return thread_; }
  RecordSet& records() { return records_; }

  // The source as this principal may report it. invalid_argument: not a source id; denied:
  // another's; overloaded: too many claims.
  // Cost: a cached answer, as long as no right has changed.
  base::Result<SourcePtr> resolve(identity::PrincipalPtr const& principal, std::string_view source);

  struct Appended {
    Tickets tickets;  // of what was taken
    // what was not taken is dropped; take nothing more of its producer
    std::optional<base::Error> error;
    // last ticket of each; until the next append
    std::vector<std::pair<broker::TopicPartition, broker::Ticket>> const* partitions = nullptr;
  };
  // Appends all that records() holds.
  Appended append(Protocol protocol);
  struct Wait {
    Tickets tickets;
    std::shared_ptr<Settler> who;
    std::uint64_t cookie = 0;
    std::uint32_t messages = 0;
    std::chrono::steady_clock::time_point since{};  // for the latency of socket to log
    Protocol protocol = Protocol::kNone;
    bool positions = false;  // report on_position for the partitions of the last append()
    std::optional<base::Error> failed;  // the gate's own
  };
  // After append(), before the next one. tickets.any().
  void wait(Wait wait);

  bool saturated() const {
    return appender_ && appender_->unsettled_bytes() >= options_.unsettled_bytes_max;
  }
  void await_room(std::shared_ptr<Settler> who) { roomless_.push_back(std::move(who)); }

  // Who numbers messages that no sender numbers: this gate since it was opened.
  base::Uuid const& producer() const { return producer_; }
  // Reserves `count` sequences of producer(); returns the first.
  std::uint64_t reserve_sequences(std::uint64_t count);
  // Version 7, ascending within this gate.
  base::Uuid next_uuid7(base::Timestamp now);

 private:
  struct WakeState;
  struct PositionWait {
    broker::Ticket ticket = 0;
    broker::TopicPartition partition;
    std::shared_ptr<Settler> who;
  };
  struct CachedSource {
    identity::PrincipalPtr principal;
    SourcePtr source;
    std::uint64_t generation = 0;
  };
  void poll();
  void tell_positions(broker::Progress const& progress);
  void tell_waits(broker::Progress const& progress);
  void tell_room();
  CachedSource& cached(std::string_view source);
  broker::Wake make_wake();

  net::IoThread& thread_;
  broker::Broker& broker_;
  identity::Identity& identity_;
  SourceDirectory& sources_;
  Accounting& accounting_;
  base::Clock& clock_;
  model::Limits const limits_;
  GateOptions const options_;
  std::shared_ptr<WakeState> wake_state_;
  std::unique_ptr<broker::Appender> appender_;
  RecordSet records_;
  std::deque<Wait> waits_;
  std::deque<PositionWait> position_waits_;
  std::vector<std::shared_ptr<Settler>> ending_, roomless_;
  std::vector<std::pair<broker::TopicPartition, broker::Ticket>> partitions_;
  std::array<CachedSource, 512> sources_cache_;
  base::Uuid producer_;
  std::uint64_t next_sequence_ = 1;
  base::Uuid last_uuid7_;
  std::int64_t last_uuid7_ms_ = 0;
};

}  // namespace headrace::ingest
