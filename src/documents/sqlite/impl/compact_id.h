// SPDX-License-Identifier: Apache-2.0
// CompactId: message ids as stored. A canonical uuid becomes 16 bytes, "<uuid>.<epoch>.<sequence>"
//            28 (uuid, epoch and
// sequence big-endian, so that they sort as they count); anything else stays text. One to one:
// equal ids, equal bytes.
//   Threads: pure. Lifetime: may view the text that it was made from.
#pragma once

#include <array>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "sqlite/database.h"

namespace headrace::documents::impl {

class CompactId {
 public:
  explicit CompactId(std::string_view id);
  bool is_text() const { return size_ == 0; }
  base::Bytes bytes() const { return {bytes_.data(), size_}; }
  // This object and the text must stay until the statement is reset.
  void bind(sqlite::Statement& statement, int index) const;

 private:
  std::string_view text_;
  std::array<std::byte, 28> bytes_{};
  std::size_t size_ = 0;
};

// The id that these 16 or 28 bytes stand for.
void append_id(std::string& out, base::Bytes compact);

}  // namespace headrace::documents::impl
