// SPDX-License-Identifier: Apache-2.0
// What decodes must encode to the same text; any cursor made from the bytes must come back.
#include "base/assert.h"
#include "base/bytes.h"
#include "documents/page_cursor.h"

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  using namespace headrace;
  std::string_view const text(reinterpret_cast<char const*>(data), size);
  if (auto const cursor = documents::decode_page_cursor(text))
    HEADRACE_ASSERT(documents::encode_page_cursor(*cursor) == text, "two texts for one cursor");
  if (size < 32) return 0;
  auto const* const at = reinterpret_cast<std::byte const*>(data);
  documents::PageCursor made{base::load<std::uint64_t>(at),
                             {base::load<std::int64_t>(at + 8)},
                             base::load<std::uint64_t>(at + 16),
                             base::load<std::uint64_t>(at + 24)};
  if (made.row > made.row_last) std::swap(made.row, made.row_last);
  auto const back = documents::decode_page_cursor(documents::encode_page_cursor(made));
  HEADRACE_ASSERT(back && *back == made, "a cursor did not come back");
  return 0;
}
