// SPDX-License-Identifier: Apache-2.0
// DeadLetter: a message that a receiver refused for good, kept with the reason, ready to be sent
//             again. Threads: values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "broker/position.h"

namespace headrace::dispatch {

struct DeadLetter {
  std::uint64_t id = 0;  // ascending in the order of refusal; never used twice within a receiver
  std::string data_type;
  std::string source;
  std::string message_id;
  std::uint32_t partition = 0;
  broker::Position position;  // of the record it came in
  base::Error reason;         // of the last attempt
  std::uint32_t attempts = 0;
  base::Timestamp first_refused;
  base::Timestamp last_refused;
  bool retry_pending = false;  // asked to be sent again and not yet tried
  std::string record;          // encoded record with this one message; left empty by list
};

// Which ones. All given conditions must hold; none given: all.
struct DeadLetterFilter {
  std::optional<std::uint64_t> id = {};
  std::string data_type = {};
  std::string source = {};
  std::optional<base::ErrorCode> code = {};
};

struct DeadLetterPage {
  std::vector<DeadLetter> letters;  // ascending id
  std::optional<std::uint64_t>
      next_after;  // give it as `after` for the next page; none: this was the last
};

struct DeadLetterTotals {
  std::uint64_t count = 0, bytes = 0;  // kept now
  std::uint64_t retry_pending = 0;     // of these, waiting to be sent again
  std::uint64_t dropped_total = 0;     // dropped by hand, ever
};

}  // namespace headrace::dispatch
