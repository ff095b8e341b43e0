// SPDX-License-Identifier: Apache-2.0
// Any bytes: refused, or decoded and encoded again to the same bytes (but for those that readers do
// not look at).
#include <cstdint>
#include <cstdlib>

#include "codec/record/points.h"

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  using namespace headrace;
  auto const points =
      codec::record::decode_points({reinterpret_cast<std::byte const*>(data), size});
  if (!points) return 0;
  std::string again;
  codec::record::encode_points(again, *points);
  if (again.size() != size) std::abort();
  auto const same = codec::record::decode_points(base::as_bytes(again));
  if (!same || *same != *points) std::abort();
  return 0;
}
