// SPDX-License-Identifier: Apache-2.0
// The first byte chooses role and size of pieces; the rest is fed in one go and in pieces, which
// must end in the same way.
#include <functional>

#include "base/assert.h"
#include "base/utf8.h"
#include "net/impl/websocket_codec.h"

namespace {

using namespace headrace::net;

struct Outcome {
  std::size_t events = 0, hash = 0;
  int code = 0;
  bool operator==(Outcome const&) const = default;
};

bool feed(FrameReader& reader, std::string piece, Outcome& outcome) {
  WebSocketOptions const options{.message_bytes_max = 1000};
  std::span<char> input(piece);
  while (true) {
    auto const event = reader.next(input, options);
    if (event == FrameEvent::kNeedMore) {
      HEADRACE_ASSERT(input.empty(), "bytes were left");
      HEADRACE_ASSERT(reader.kept_bytes() < 2 * 1000 + 14, "more is kept than the bound");
      return true;
    }
    std::string_view const payload(reader.payload().data(), reader.payload().size());
    outcome.hash = outcome.hash * 31 + std::hash<std::string_view>()(payload) +
                   static_cast<std::size_t>(event);
    ++outcome.events;
    if (event == FrameEvent::kMessage && reader.kind() == MessageKind::kText) {
      HEADRACE_ASSERT(headrace::base::valid_utf8(payload), "a text message that is not UTF-8");
    }
    if (event == FrameEvent::kFault) {
      outcome.code = static_cast<int>(reader.close_code());
      return false;
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  if (size == 0) return 0;
  auto const role = (data[0] & 1) != 0 ? WebSocketRole::kClient : WebSocketRole::kServer;
  std::size_t const step = 1 + (data[0] >> 1);
  std::string const bytes(reinterpret_cast<char const*>(data) + 1, size - 1);
  FrameReader whole(role), pieces(role);
  Outcome a, b;
  feed(whole, bytes, a);
  for (std::size_t at = 0; at < bytes.size(); at += step) {
    if (!feed(pieces, bytes.substr(at, step), b)) break;
  }
  HEADRACE_ASSERT(a == b, "the outcome depends on how the bytes are split");
  return 0;
}
