// SPDX-License-Identifier: Apache-2.0
// Ledger: where every accepted message went, per (receiver, data type). Threads: values.
//   accepted = stored + filtered + duplicate + dead + expired + in_flight, for messages always,
//   after any crash.
//   Points are counted beside: a message of points counts as one message with its points. They are
//   known once it is read, so expired and in_flight have none.
#pragma once

#include <cstdint>
#include <string>

namespace headrace::dispatch {

struct Tally {
  std::uint64_t messages = 0;
  std::uint64_t points = 0;

  Tally& operator+=(Tally const& other) {
    messages += other.messages;
    points += other.points;
    return *this;
  }
  Tally& operator-=(Tally const& other) {
    messages -= other.messages;
    points -= other.points;
    return *this;
  }
  bool operator==(Tally const&) const = default;
};

struct LedgerEntry {
  std::string data_type;
  Tally accepted;  // read from the log + expired + in_flight
  Tally stored;
  Tally filtered;
  Tally duplicate;  // repeats dropped by dispatch, and what the receiver had already
  Tally dead;       // dead letters, kept and dropped; one that a retry got stored moves to stored
  std::uint64_t expired = 0;    // fell off the log's retention before this receiver read it
  std::uint64_t in_flight = 0;  // in the log, not yet consumed

  bool operator==(LedgerEntry const&) const = default;
};

}  // namespace headrace::dispatch
