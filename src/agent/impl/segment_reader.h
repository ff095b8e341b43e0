// SPDX-License-Identifier: Apache-2.0
// SegmentReader: the entries of one spool segment from an offset on, read in large pieces.
//   Threads: one.   Lifetime: the file outlives it; an entry's views end with the next call.
#pragma once

#include <algorithm>
#include <optional>
#include <string>

#include "agent/impl/spool_format.h"
#include "base/file_system.h"

namespace headrace::agent {

class SegmentReader {
 public:
  SegmentReader(base::File const& file, std::uint64_t offset, std::uint64_t end)
      : file_(file), offset_(offset), end_(end) {}

  // nullopt: the end, or no whole entry at offset(). An error: the disk did not give the bytes.
  base::Result<std::optional<SpoolEntry>> next() {
    offset_ += taken_;
    begin_ += taken_;
    taken_ = 0;
    for (;;) {
      auto const rest = base::as_bytes(buffer_).subspan(begin_);
      if (auto decoded = decode_entry(rest)) {
        taken_ = decoded->bytes;
        return std::optional(decoded->entry);
      }
      auto const left = end_ - offset_;
      auto const need = std::min<std::uint64_t>(kEntryHeaderBytes + payload_bytes(), left);
      if (rest.size() >= need) return std::optional<SpoolEntry>();
      HEADRACE_TRY_VOID(
          refill(std::min<std::uint64_t>(std::max<std::uint64_t>(need, kPieceBytes), left)));
    }
  }
  // Of the entry that next() gave last, or where no entry is.
  std::uint64_t offset() const { return offset_; }
  std::uint64_t offset_after() const { return offset_ + taken_; }

 private:
  static constexpr std::size_t kPieceBytes = 256u << 10;

  std::size_t payload_bytes() const {
    if (buffer_.size() - begin_ < kEntryHeaderBytes) return 0;
    auto const* header = reinterpret_cast<std::byte const*>(buffer_.data() + begin_);
    return std::min(base::load<std::uint32_t>(header + 4), kEntryPayloadBytesMax);
  }
  base::Result<void> refill(std::size_t bytes) {
    buffer_.resize(bytes);
    begin_ = 0;
    auto const out = std::as_writable_bytes(std::span(buffer_.data(), buffer_.size()));
    HEADRACE_TRY(auto const got, file_.read_at(offset_, out));
    if (got < bytes) end_ = offset_ + got;
    buffer_.resize(got);
    return {};
  }

  base::File const& file_;
  std::uint64_t offset_, end_;
  std::string buffer_;
  std::size_t begin_ = 0, taken_ = 0;
};

}  // namespace headrace::agent
