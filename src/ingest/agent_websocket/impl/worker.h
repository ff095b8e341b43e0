// SPDX-License-Identifier: Apache-2.0
// Worker: what all agent connections of one io thread use in turn. Threads: its io thread.
#pragma once

#include "ingest/agent_websocket/agent_websocket.h"
#include "ingest/agent_websocket/impl/session_table.h"
#include "ingest/intake.h"

namespace headrace::ingest::agent_websocket {

// What one read of a connection brought. Reads do not interleave on one io thread.
struct ReadTotals {
  std::uint64_t last_sequence = 0;
  std::uint32_t messages = 0, bytes = 0;
};

struct Worker {
  Worker(Ingest& i, Gate& g) : gate(g), intake(g, i.types(), i.config().limits) {}
  Gate& gate;
  Intake intake;
  Envelope outer, envelope;
  std::string default_source;  // of the batch being read
  std::string out;             // a frame being written
  ReadTotals reading;
  std::uint32_t records_messages = 0;  // in the gate's records, of this read
  std::chrono::steady_clock::time_point read_since{};
};

struct AgentWebSocket::Shared {
  Shared(Config c, Ingest& i) : config(std::move(c)), ingest(i), sessions(config.sessions_max) {
    for (unsigned t = 0; t < i.deps().threads.count(); ++t)
      workers.push_back(std::make_unique<Worker>(i, i.gate(i.deps().threads.at(t))));
  }
  Config const config;
  Ingest& ingest;
  SessionTable sessions;
  std::vector<std::unique_ptr<Worker>> workers;
  std::atomic<std::size_t> open_sessions{0};
};

}  // namespace headrace::ingest::agent_websocket
