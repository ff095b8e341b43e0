// SPDX-License-Identifier: Apache-2.0
#include "ingest/accounting.h"

namespace headrace::ingest {

Accounting::Accounting(base::Registry& registry, TypeTable const& types) : registry_(registry) {
  for (std::size_t p = 1; p < kProtocols; ++p) {
    std::string const handler(name(static_cast<Protocol>(p)));
    repeated_[p] = &registry.counter("headrace_ingest_repeated_messages_total",
                                     "Messages sent again that were known to be stored",
                                     {{"handler", handler}});
    latency_[p] = &registry.histogram("headrace_ingest_log_latency_seconds",
                                      "From the read of a message to its record settled in the log",
                                      {{"handler", handler}});
  }
  repeated_[0] = repeated_[1];
  latency_[0] = latency_[1];
  failed_ = &registry.counter("headrace_ingest_failed_records_total",
                              "Records that the log took and failed to keep");
  accepted_.resize(types.entries().size());
  for (auto const& entry : types.entries()) {
    for (std::size_t p = 1; p < kProtocols; ++p) {
      base::Labels const labels{{"type", entry->type.name.text()},
                                {"handler", std::string(name(static_cast<Protocol>(p)))}};
      accepted_[entry->index][p] = {&registry.counter("headrace_ingest_accepted_messages_total",
                                                      "Messages given to the log", labels),
                                    &registry.counter("headrace_ingest_accepted_bytes_total",
                                                      "Bytes of bodies given to the log", labels)};
    }
    accepted_[entry->index][0] = accepted_[entry->index][1];
  }
}

void Accounting::refused(TypeEntry const* type, Protocol protocol, base::ErrorCode code,
                         std::uint64_t messages) {
  registry_
      .counter("headrace_ingest_refused_messages_total",
               "Messages refused at the edge, nothing of them stored",
               {{"type", type ? type->type.name.text() : std::string()},
                {"handler", std::string(name(protocol))},
                {"code", std::string(base::name(code))}})
      .add(messages);
}

std::uint64_t Accounting::accepted_messages(TypeEntry const& type) const {
  std::uint64_t sum = 0;
  for (std::size_t p = 1; p < kProtocols; ++p) sum += accepted_[type.index][p].messages->value();
  return sum;
}

}  // namespace headrace::ingest
