// SPDX-License-Identifier: Apache-2.0
// Control frames of agents: the first byte chooses the encoding.
#include "codec/json/json.h"
#include "codec/msgpack/msgpack.h"
#include "ingest/agent_websocket/impl/frames.h"

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  using namespace headrace;
  if (size == 0) return 0;
  static model::Limits const limits;
  base::Bytes const bytes{reinterpret_cast<std::byte const*>(data + 1), size - 1};
  codec::json::Parser json;
  codec::msgpack::Parser msgpack;
  auto const root = data[0] % 2 ? msgpack.parse(bytes) : json.parse(bytes);
  if (!root) return 0;
  auto const control = ingest::agent_websocket::read_control(*root, limits);
  std::string out;
  for (auto const encoding : {codec::tape::Encoding::kJson, codec::tape::Encoding::kMsgpack}) {
    if (control)
      ingest::agent_websocket::write_pong(out, encoding, control->id);
    else
      ingest::agent_websocket::write_error(out, encoding, control.error());
    bool const good = encoding == codec::tape::Encoding::kJson ? json.parse(out).has_value()
                                                               : msgpack.parse(out).has_value();
    if (!good) __builtin_trap();
  }
  if (!control && ingest::agent_websocket::close_reason(control.error().context).size() > 123)
    __builtin_trap();
  return 0;
}
