// SPDX-License-Identifier: Apache-2.0
// The one shape of a message as JSON, in the live feed and in GET /api/v1/messages:
//   {"id","type","source","time","received","body"}
//   Threads: pure.
#pragma once

#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/clock.h"
#include "model/message.h"

namespace headrace::receivers::live {

struct MessageFields {
  std::string_view id, type, source;
  base::Timestamp time, received;
  model::BodyEncoding encoding = model::BodyEncoding::kJson;
  base::Bytes body;
};

void append_message_json(std::string& out, MessageFields const& message);

}  // namespace headrace::receivers::live
