// SPDX-License-Identifier: Apache-2.0
// Accounting: what came in, what was accepted and what was refused and why, per data type, in the
//   process's metrics. headrace_ingest_accepted_messages_total{type,handler}
//   headrace_ingest_accepted_bytes_total{type,handler}
//   headrace_ingest_refused_messages_total{type,handler,code} type "" when it is unknown
//   headrace_ingest_repeated_messages_total{handler} headrace_ingest_failed_records_total
//   headrace_ingest_log_latency_seconds{handler}: from the socket to the settled log
//   Threads:  any. Cost: accepted() and latency(): a few relaxed adds per record; refused(): a
//             look-up under a lock.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <vector>

#include "base/error.h"
#include "base/metrics.h"
#include "ingest/source_directory.h"
#include "ingest/type_table.h"

namespace headrace::ingest {

class Accounting {
 public:
  Accounting(base::Registry& registry, TypeTable const& types);

  void accepted(TypeEntry const& type, Protocol protocol, std::uint64_t messages,
                std::uint64_t bytes) {
    auto& c = accepted_[type.index][static_cast<std::size_t>(protocol)];
    c.messages->add(messages);
    c.bytes->add(bytes);
  }
  // `type` null: unknown, or the input was no message at all.
  void refused(TypeEntry const* type, Protocol protocol, base::ErrorCode code,
               std::uint64_t messages = 1);
  void repeated(Protocol protocol, std::uint64_t messages) {
    repeated_[static_cast<std::size_t>(protocol)]->add(messages);
  }
  void failed_records(std::uint64_t records) { failed_->add(records); }
  void latency(Protocol protocol, std::chrono::nanoseconds socket_to_log, std::uint64_t messages) {
    latency_[static_cast<std::size_t>(protocol)]->record(socket_to_log, messages);
  }
  // Sums over all handlers since start, for one data type: for pages and the API.
  std::uint64_t accepted_messages(TypeEntry const& type) const;

 private:
  static constexpr std::size_t kProtocols = 3;
  struct Accepted {
    base::Counter* messages = nullptr;
    base::Counter* bytes = nullptr;
  };
  base::Registry& registry_;
  std::vector<std::array<Accepted, kProtocols>> accepted_;
  std::array<base::Counter*, kProtocols> repeated_{};
  std::array<base::Histogram*, kProtocols> latency_{};
  base::Counter* failed_ = nullptr;
};

}  // namespace headrace::ingest
