// SPDX-License-Identifier: Apache-2.0
// The first byte chooses role and size of pieces; the rest is fed in one go and in pieces, which
// must end in the same way.
#include "base/assert.h"
#include "net/impl/http_parser.h"

namespace {

using namespace headrace::net;

struct Outcome {
  std::size_t messages = 0, body_bytes = 0, header_bytes = 0;
  int fault = 0;
  bool operator==(Outcome const&) const = default;
};

// False: the parser wants no more.
bool feed(HttpParser& parser, std::string piece, Outcome& outcome) {
  std::span<char> input(piece);
  while (true) {
    switch (parser.next(input)) {
      case HttpEvent::kNeedMore:
        HEADRACE_ASSERT(input.empty(), "bytes were left");
        if (!parser.between_messages()) parser.keep_head();
        return true;
      case HttpEvent::kHead:
        for (auto const& h : parser.head().headers)
          outcome.header_bytes += h.name.size() + h.value.size();
        break;
      case HttpEvent::kBody: outcome.body_bytes += parser.body_piece().size(); break;
      case HttpEvent::kEnd: ++outcome.messages; break;
      case HttpEvent::kFault: outcome.fault = parser.fault().status; return false;
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  if (size == 0) return 0;
  auto const role = (data[0] & 1) != 0 ? HttpRole::kResponse : HttpRole::kRequest;
  std::size_t const step = 1 + (data[0] >> 1);
  std::string const bytes(reinterpret_cast<char const*>(data) + 1, size - 1);
  HttpLimits const limits{.header_bytes_max = 300, .header_count_max = 10};
  HttpParser whole(role, limits), pieces(role, limits);
  Outcome a, b;
  feed(whole, bytes, a);
  for (std::size_t at = 0; at < bytes.size(); at += step) {
    if (!feed(pieces, bytes.substr(at, step), b)) break;
  }
  HEADRACE_ASSERT(a == b, "the outcome depends on how the bytes are split");
  whole.finish();
  return 0;
}
