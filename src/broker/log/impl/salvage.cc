// SPDX-License-Identifier: Apache-2.0
#include "broker/log/impl/salvage.h"

#include <algorithm>

#include "broker/log/impl/recovery.h"

namespace headrace::broker::log {
namespace {

struct Counted {
  std::uint64_t groups = 0, records = 0;
};

// The good groups in the whole file, were this its header.
base::Result<Counted> count_groups(base::FileSystem& files, std::string const& path,
                                   SegmentHeader const& header) {
  Counted counted;
  HEADRACE_TRY(auto const file, files.open(path, {}));
  HEADRACE_TRY(auto const bytes, file->size());
  HEADRACE_TRY_VOID(
      scan_segment_as(header, files, path, bytes, [&](GroupHeader const& h, base::Bytes) {
        ++counted.groups;
        counted.records += h.records;
        return base::Result<void>();
      }));
  return counted;
}

// Where the segment before ends: as its index says, else as the damaged field does when that is
// possible, else where its good groups end.
base::Result<std::uint64_t> end_of(base::FileSystem& files, std::string const& directory,
                                   std::uint64_t number, std::uint64_t field) {
  ChainLink link;
  link.number = number;
  if (auto const summary = read_summary(files, directory, link, nullptr)) return summary->end;
  auto const path = directory + "/" + segment_name(number);
  HEADRACE_TRY(auto const file, files.open(path, {}));
  HEADRACE_TRY(auto const bytes, file->size());
  if (field >= kBlockBytes && field % kBlockBytes == 0 && field <= padded(bytes)) return field;
  auto const scan = scan_segment(files, path, std::nullopt, [](GroupHeader const&, base::Bytes) {
    return base::Result<void>();
  });
  return scan ? scan->end : kBlockBytes;  // itself without a header: it is mended or goes
}

base::Result<void> settle_previous(base::FileSystem& files, std::string const& directory,
                                   std::vector<std::string> const& names,
                                   std::set<std::uint64_t> const& removed, SegmentHeader& header) {
  std::uint64_t before = 0;
  for (auto const& name : names) {
    auto const n = number_in(name, ".seg");
    if (n != 0 && n < header.number && !removed.contains(n)) before = std::max(before, n);
  }
  auto const field = header.previous_number;
  bool const missing = field > before && field < header.number;  // a gap stays one
  if (missing || (removed.contains(field) && field < header.number)) return {};
  header.previous_number = before;
  if (before == 0) {
    header.previous_end = 0;
    return {};
  }
  HEADRACE_TRY(header.previous_end, end_of(files, directory, before, header.previous_end));
  return {};
}

}  // namespace

base::Result<std::optional<Salvaged>> salvage_header(base::FileSystem& files,
                                                     std::string const& directory,
                                                     std::vector<std::string> const& names,
                                                     std::set<std::uint64_t> const& removed,
                                                     std::uint64_t number) {
  auto const path = directory + "/" + segment_name(number);
  std::vector<std::byte> block(kBlockBytes);
  {
    HEADRACE_TRY(auto const file, files.open(path, {}));
    HEADRACE_TRY(auto const got, file->read_at(0, block));
    if (got < block.size()) return std::optional<Salvaged>();
  }
  auto const copy = decode_header_copy(block);
  bool const proven = copy && copy->number == number;
  auto header = proven ? *copy : unchecked_header(block);
  header.number = number;
  HEADRACE_TRY(auto const counted, count_groups(files, path, header));
  if (!proven && counted.groups == 0) return std::optional<Salvaged>();
  if (!proven) HEADRACE_TRY_VOID(settle_previous(files, directory, names, removed, header));
  return std::optional<Salvaged>({header, counted.records});
}

}  // namespace headrace::broker::log
