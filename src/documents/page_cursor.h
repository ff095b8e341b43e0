// SPDX-License-Identifier: Apache-2.0
// PageCursor: where the next page of a search begins, as opaque text. It names the query that it
//             belongs to, so that it
// cannot be used with another.
//   Text: base64url without padding of  1 version(1)  8 query fingerprint  8 time  8 row  8 last
//   row of the first page's snapshot  4 CRC32C of all before, numbers little-endian.
//   Threads: pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/error.h"

namespace headrace::documents {

struct Query;

struct PageCursor {
  std::uint64_t query = 0;     // fingerprint()
  base::Timestamp time;        // of the last message looked at
  std::uint64_t row = 0;       // of the same; the store's own ascending number
  std::uint64_t row_last = 0;  // rows above were inserted after the first page

  bool operator==(PageCursor const&) const = default;
};

// Of all that must stay the same from page to page: types, source, from, to, where, order.
std::uint64_t fingerprint(Query const& query);

std::string encode_page_cursor(PageCursor const& cursor);
// invalid_argument: not a cursor, or damaged.
base::Result<PageCursor> decode_page_cursor(std::string_view text);

}  // namespace headrace::documents
