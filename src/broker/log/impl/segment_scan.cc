// SPDX-License-Identifier: Apache-2.0
#include "broker/log/impl/segment_scan.h"

#include <fmt/format.h>

#include <algorithm>

namespace headrace::broker::log {
namespace {

// A window over the file that moves forward; groups are looked at in place.
class Window {
 public:
  Window(base::File& file, std::uint64_t limit) : file_(file), limit_(limit) {}

  // Bytes [offset, offset + bytes), fewer at the limit.
  base::Result<base::Bytes> at(std::uint64_t offset, std::size_t bytes) {
    bytes = static_cast<std::size_t>(
        std::min<std::uint64_t>(bytes, offset < limit_ ? limit_ - offset : 0));
    if (offset < start_ || offset + bytes > start_ + filled_)
      HEADRACE_TRY_VOID(fill(offset, bytes));
    auto const have = start_ + filled_ > offset ? start_ + filled_ - offset : 0;
    return base::Bytes(buffer_).subspan(offset - start_, std::min<std::uint64_t>(bytes, have));
  }

 private:
  static constexpr std::size_t kReadBytes = 1u << 20;

  base::Result<void> fill(std::uint64_t offset, std::size_t bytes) {
    auto const want = static_cast<std::size_t>(
        std::min<std::uint64_t>(std::max(bytes, kReadBytes), limit_ - offset));
    if (buffer_.size() < want) buffer_.resize(want);
    start_ = offset;
    filled_ = 0;
    HEADRACE_TRY(filled_, file_.read_at(offset, std::span(buffer_).first(want)));
    return {};
  }

  base::File& file_;
  std::uint64_t limit_;
  std::vector<std::byte> buffer_;
  std::uint64_t start_ = 0;
  std::size_t filled_ = 0;
};

struct Found {
  GroupHeader header;
  base::Bytes group;
};

class Scan {
 public:
  Scan(base::File& file, std::string path, SegmentHeader const& header, std::uint64_t limit,
       bool sealed)
      : window_(file, limit),
        path_(std::move(path)),
        seed_(group_seed(header.number, header.salt)),
        limit_(limit),
        sealed_(sealed) {}

  base::Result<void> run(ScanOutcome& out, OnGroup const& on_group) {
    for (std::uint64_t offset = kBlockBytes; offset < limit_;) {
      std::string reason;
      HEADRACE_TRY(auto const found, group_at(offset, &reason));
      if (found) {
        HEADRACE_TRY_VOID(on_group(found->header, found->group));
        out.synced = std::max(out.synced, std::min(found->header.synced, offset));
        offset += padded(found->header.bytes);
        out.end = offset;
        continue;
      }
      HEADRACE_TRY(auto const next, after_damage(offset));
      if (!next) {
        out.torn_at = offset;
        return {};
      }
      out.damage.push_back({path_, offset, *next - offset, reason});
      offset = *next;
      out.end = offset;
    }
    return {};
  }

 private:
  base::Result<std::optional<Found>> group_at(std::uint64_t offset, std::string* reason) {
    HEADRACE_TRY(auto const head, window_.at(offset, kGroupHeaderBytes));
    auto const bytes = group_bytes_at(head, offset);
    if (bytes == 0) {
      if (reason != nullptr) *reason = "no group header; expected one";
      return std::optional<Found>();
    }
    if (offset + bytes > limit_) {
      if (reason != nullptr)
        *reason =
            fmt::format("a group of {} bytes; expected its end before byte {}", bytes, limit_);
      return std::optional<Found>();
    }
    HEADRACE_TRY(auto const group, window_.at(offset, bytes));
    auto const header = decode_group(group, offset, seed_);
    if (!header) {
      if (reason != nullptr) *reason = header.error().context;
      return std::optional<Found>();
    }
    return std::optional<Found>({*header, group});
  }

  // Where reading goes on after damage at `offset`; nullopt when it is a torn tail.
  base::Result<std::optional<std::uint64_t>> after_damage(std::uint64_t offset) {
    std::optional<std::uint64_t> first_good;
    for (auto at = offset + kBlockBytes; at < limit_;) {
      HEADRACE_TRY(auto const found, group_at(at, nullptr));
      if (!found) {
        at += kBlockBytes;
        continue;
      }
      if (!first_good) first_good = at;
      if (sealed_ || found->header.synced > offset) return first_good;
      at += padded(found->header.bytes);
    }
    if (sealed_) return std::optional(limit_);
    return std::optional<std::uint64_t>();
  }

  Window window_;
  std::string path_;
  std::uint32_t seed_;
  std::uint64_t limit_;
  bool sealed_;
};

base::Result<SegmentHeader> header_of(base::File const& file, std::string const& path) {
  std::vector<std::byte> block(kBlockBytes);
  HEADRACE_TRY(auto const got, file.read_at(0, block));
  return decode_segment_header(base::Bytes(block).first(got), path);
}

}  // namespace

base::Result<SegmentHeader> read_segment_header(base::FileSystem& files, std::string const& path) {
  HEADRACE_TRY(auto const file, files.open(path, {}));
  return header_of(*file, path);
}

base::Result<ScanOutcome> scan_segment(base::FileSystem& files, std::string const& path,
                                       std::optional<std::uint64_t> sealed_end,
                                       OnGroup const& on_group) {
  HEADRACE_TRY(auto const header, read_segment_header(files, path));
  return scan_segment_as(header, files, path, sealed_end, on_group);
}

base::Result<ScanOutcome> scan_segment_as(SegmentHeader const& header, base::FileSystem& files,
                                          std::string const& path,
                                          std::optional<std::uint64_t> sealed_end,
                                          OnGroup const& on_group) {
  HEADRACE_TRY(auto const file, files.open(path, {}));
  ScanOutcome out;
  HEADRACE_TRY(out.file_bytes, file->size());
  out.header = header;
  auto const limit = sealed_end ? std::min(*sealed_end, padded(out.file_bytes)) : out.file_bytes;
  Scan scan(*file, path, out.header, limit, sealed_end.has_value());
  HEADRACE_TRY_VOID(scan.run(out, on_group));
  if (sealed_end && out.end < *sealed_end) {
    out.damage.push_back(
        {path, out.end, *sealed_end - out.end,
         fmt::format("the file ends at byte {}; expected {}", out.file_bytes, *sealed_end)});
  }
  return out;
}

}  // namespace headrace::broker::log
