// SPDX-License-Identifier: Apache-2.0
// Reply: what POST /api/v1/messages answers, as JSON or MessagePack. Threads: pure.
#pragma once

#include <string>
#include <vector>

#include "base/error.h"
#include "codec/tape/tape.h"
#include "model/data_type.h"
#include "net/http_types.h"

namespace headrace::ingest::http_messages {

struct Refused {
  std::size_t index = 0;
  base::Error error;
};

struct Accepted {
  std::size_t accepted = 0;
  model::Durability durability = model::Durability::kDisk;
  std::string token;
  std::vector<Refused> refused;
};

net::Response accepted_response(codec::tape::Encoding encoding, Accepted const& accepted);
// The whole request was refused because of these messages; status by the first.
net::Response refused_response(codec::tape::Encoding encoding, std::vector<Refused> const& refused,
                               std::size_t refused_count);

}  // namespace headrace::ingest::http_messages
