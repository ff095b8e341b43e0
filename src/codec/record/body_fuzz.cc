// SPDX-License-Identifier: Apache-2.0
// Any body (the first byte chooses its encoding): its rendering is always valid JSON, and looking
// inside harms nothing.
#include <cstdint>
#include <cstdlib>

#include "codec/json/json.h"
#include "codec/record/body.h"

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  using namespace headrace;
  if (size == 0) return 0;
  auto const encoding = static_cast<model::BodyEncoding>(data[0] % 4);
  base::Bytes const bytes(reinterpret_cast<std::byte const*>(data) + 1, size - 1);
  if (encoding == model::BodyEncoding::kJson && !codec::json::validate(bytes, 1024))
    return 0;  // never stored
  codec::record::Body const body(encoding, bytes);
  std::string json;
  body.append_json(json);
  // A key that was a value of many levels is a string now; renderings of ext and bin add levels.
  if (auto const good = codec::json::validate(base::as_bytes(json), 1024);
      !good && good.error().code != base::ErrorCode::kTooLarge)
    std::abort();
  for (auto const* path : {"", "a", "a.b", "0", "points.0.values.0"}) (void)body.find(path);
  return 0;
}
