// SPDX-License-Identifier: Apache-2.0
// Whatever parse_where accepts must be written and read back the same; what it refuses must name a
// place within the text.
#include "base/assert.h"
#include "documents/where.h"

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  using namespace headrace;
  std::string_view const text(reinterpret_cast<char const*>(data), size);
  auto const where = documents::parse_where(text);
  if (!where) {
    HEADRACE_ASSERT(where.error().code == base::ErrorCode::kInvalidArgument, "another code");
    return 0;
  }
  std::string const written = documents::to_string(*where);
  if (written.size() > documents::kWhereBytesMax)
    return 0;  // escapes and blanks may make it longer
  auto const again = documents::parse_where(written);
  HEADRACE_ASSERT(again && *again == *where, "written and read back differently");
  constexpr std::string_view kBody = R"({"a":1,"b":{"c":"x","d":[true,null,1.5]}})";
  (void)documents::meets(codec::record::Body(model::BodyEncoding::kJson, base::as_bytes(kBody)),
                         *where);
  return 0;
}
