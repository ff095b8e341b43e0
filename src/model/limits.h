// SPDX-License-Identifier: Apache-2.0
// The bounds on what a message may be. All come from the config; these are the defaults.
#pragma once

#include <chrono>
#include <cstddef>

namespace headrace::model {

struct Limits {
  std::size_t id_bytes_max = 128;      // message id
  std::size_t source_bytes_max = 200;  // source id
  std::size_t principal_bytes_max = 128;
  std::size_t data_type_bytes_max = 64;
  std::size_t body_bytes_max = 8'000'000;      // one message's body
  std::size_t request_bytes_max = 32'000'000;  // one request or frame, decompressed
  std::size_t batch_messages_max = 10'000;     // messages in one request or frame
  std::size_t nesting_max = 32;  // arrays and objects within one another, the outermost counts 1
  std::chrono::nanoseconds future_max =
      std::chrono::hours(24);  // a message's time may be this far ahead of ours
};

}  // namespace headrace::model
