// SPDX-License-Identifier: Apache-2.0
// ReceiverStatus: how a receiver is doing, for people and for /api/v1/receivers. Threads: values.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "dispatch/dead_letter.h"
#include "dispatch/ledger.h"

namespace headrace::dispatch {

enum class ReceiverState : unsigned char {
  kStarting,    // not yet started, or its state is being read
  kRunning,     // consumes as fast as messages come
  kCatchingUp,  // the oldest unread message is older than RouteOptions::behind_after
  kRetrying,    // the last call failed; `error`, `failures` and `next_try` say more
  kHung,        // a call has lasted longer than RouteOptions::hang_after
  kBlocked,     // its dead letters are at their bound: drop or retry some
  kFailed,      // given up: the config is wrong
  kStopped,
};
std::string_view name(ReceiverState state);  // "starting", "running", "catching_up", ...

struct ReceiverStatus {
  std::string name;
  ReceiverState state = ReceiverState::kStarting;
  bool required = false;
  std::optional<base::Error>
      error;  // of kRetrying, kBlocked, kFailed; of kHung: what it has been doing for how long
  std::uint32_t failures = 0;  // in a row
  std::optional<base::Timestamp> next_try;
  std::vector<std::string> data_types;
  std::uint64_t lag_messages = 0;
  std::optional<std::chrono::nanoseconds> oldest_unread_age;
  // Until the oldest unread message falls off the log; none when nothing is unread or the receiver
  // is required (held).
  std::optional<std::chrono::nanoseconds> falls_off_in;
  double messages_per_second = 0;  // over the last ten seconds
  DeadLetterTotals dead_letters;
  std::vector<LedgerEntry> ledger;  // one per data type, in the order of subscription
};

}  // namespace headrace::dispatch
