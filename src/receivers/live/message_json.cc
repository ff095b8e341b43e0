// SPDX-License-Identifier: Apache-2.0
#include "receivers/live/message_json.h"

#include "codec/json/json_write.h"
#include "codec/record/body.h"

namespace headrace::receivers::live {

void append_message_json(std::string& out, MessageFields const& message) {
  using codec::json::append_string;
  out += "{\"id\":";
  append_string(out, message.id);
  out += ",\"type\":";
  append_string(out, message.type);
  out += ",\"source\":";
  append_string(out, message.source);
  out += ",\"time\":\"";
  base::append_rfc3339(out, message.time);
  out += "\",\"received\":\"";
  base::append_rfc3339(out, message.received);
  out += "\",\"body\":";
  if (message.encoding == model::BodyEncoding::kNone)
    out += "null";
  else
    codec::record::Body(message.encoding, message.body).append_json(out);
  out += '}';
}

}  // namespace headrace::receivers::live
