// SPDX-License-Identifier: Apache-2.0
// The spool's decoders over any bytes: nothing outside them is read, and what is decoded encodes to
// the same bytes again.
#include <cstddef>
#include <cstdint>

#include "agent/impl/spool_format.h"
#include "base/assert.h"

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  using namespace headrace;
  base::Bytes bytes(reinterpret_cast<std::byte const*>(data), size);
  if (auto const head = agent::decode_head(bytes)) {
    std::string again;
    agent::encode_head(again, *head);
    HEADRACE_ASSERT(agent::decode_head(base::as_bytes(again)) == head,
                    "a head reads back as it was");
  }
  if (auto const number = agent::decode_segment_header(bytes)) {
    std::string again;
    agent::encode_segment_header(again, *number);
    HEADRACE_ASSERT(base::as_text(bytes).starts_with(again),
                    "a segment header encodes to what was read");
    bytes = bytes.subspan(again.size());
  }
  while (auto const decoded = agent::decode_entry(bytes)) {
    std::string again;
    agent::encode_entry(again, decoded->entry);
    HEADRACE_ASSERT(base::as_text(bytes).starts_with(again), "an entry encodes to what was read");
    bytes = bytes.subspan(decoded->bytes);
  }
  return 0;
}
