// SPDX-License-Identifier: Apache-2.0
#include "broker/log/impl/recovery.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/log.h"
#include "broker/log/impl/segment_scan.h"

namespace headrace::broker::log {
namespace {

constexpr std::string_view kFormatPrefix = "headrace-log ";
constexpr std::size_t kRewriteBytes = 1u << 20;

base::Error corrupt(Damage const& d) {
  return {
      base::ErrorCode::kCorrupt,
      fmt::format("{}: byte {}: {}; `headrace log verify` shows all, `headrace log repair` mends",
                  d.file, d.byte, d.expected)};
}

bool is_spare(std::string_view name) {
  return name.starts_with("spare-") && name.ends_with(".seg");
}

class Recovery {
 public:
  Recovery(base::FileSystem& files, std::string const& directory, Catalog& catalog)
      : files_(files), directory_(directory), catalog_(catalog) {}

  base::Result<Recovered> run() {
    HEADRACE_TRY(auto names, files_.list(directory_));
    if (std::find(names.begin(), names.end(), kRepairingName) != names.end()) {
      return base::Error{base::ErrorCode::kCorrupt,
                         path(std::string(kRepairingName)) +
                             ": a repair was interrupted; run `headrace log repair` again"};
    }
    HEADRACE_TRY(auto removed, load_removed(files_, path("removed")));
    HEADRACE_TRY(auto const chain, read_chain(files_, directory_, names, removed.numbers));
    if (!chain.damage.empty()) return corrupt(chain.damage.front());
    HEADRACE_TRY_VOID(clean(names, removed));
    for (auto const n : removed.numbers) out_.last_number = std::max(out_.last_number, n);
    for (auto const& [tp, total] : removed.totals)
      out_.last_number = std::max(out_.last_number, total.end.hi);
    for (auto const& link : chain.links) HEADRACE_TRY_VOID(open_segment(link));
    catalog_.set_removed(std::move(removed));
    return std::move(out_);
  }

 private:
  std::string path(std::string const& name) const { return directory_ + "/" + name; }

  // Takes away what a crash left half done.
  base::Result<void> clean(std::vector<std::string>& names, RemovedState const& removed) {
    auto const segments = names;
    for (auto const& name : segments) {
      auto const segment = number_in(name, ".seg");
      auto const index = number_in(name, ".idx");
      bool const gone = removed.numbers.contains(segment) || removed.numbers.contains(index);
      if (gone || name.ends_with(".new")) {
        HEADRACE_TRY_VOID(files_.remove(path(name)));
        std::erase(names, name);
      } else if (is_spare(name)) {
        HEADRACE_TRY(auto const file, files_.open(path(name), {}));
        HEADRACE_TRY(auto const bytes, file->size());
        out_.spares[name] = bytes;
      }
    }
    return {};
  }

  base::Result<void> open_segment(ChainLink const& link) {
    Segment segment;
    segment.number = link.number;
    segment.seed = group_seed(link.number, link.header.salt);
    auto summary = read_summary(files_, directory_, link, &segment.index_bytes);
    if (!summary) {
      HEADRACE_TRY(auto const index, rebuild(link));
      summary = index.summary();
      auto const bytes = index.encode();
      (void)base::replace_file(files_, path(index_name(link.number)), base::as_bytes(bytes));
      segment.index_bytes = bytes.size();
    }
    HEADRACE_TRY(auto const file, files_.open(path(segment_name(link.number)), {}));
    HEADRACE_TRY(segment.file_bytes, file->size());
    if (segment.file_bytes < summary->end) {
      return corrupt({path(segment_name(link.number)), segment.file_bytes,
                      summary->end - segment.file_bytes,
                      fmt::format("the file ends here; its index says that it ends at byte {}, "
                                  "with {} records",
                                  summary->end, summary->records)});
    }
    segment.summary = std::move(*summary);
    out_.last_number = std::max(out_.last_number, link.number);
    out_.last_end = segment.summary.end;
    catalog_.add_sealed(std::move(segment));
    return {};
  }

  base::Result<SegmentIndex> rebuild(ChainLink const& link) {
    SegmentIndex index(link.number);
    auto const name = path(segment_name(link.number));
    HEADRACE_TRY(auto const scan, scan_segment(files_, name, link.sealed_end,
                                               [&](GroupHeader const& header, base::Bytes group) {
                                                 index.add(group, header);
                                                 return base::Result<void>();
                                               }));
    if (!scan.damage.empty()) return corrupt(scan.damage.front());
    if (link.last) HEADRACE_TRY_VOID(settle_tail(name, scan));
    index.set_end(scan.end);
    return index;
  }

  // The tail may be in the kernel's memory only, and after an I/O error the kernel may hold for
  // written what is not: written
  // again and synced, it is certain before anybody reads it.
  base::Result<void> settle_tail(std::string const& name, ScanOutcome const& scan) {
    if (scan.torn_at) {
      base::log_info("cut the log's tail",
                     {{"file", name}, {"byte", scan.end}, {"file_bytes", scan.file_bytes}});
    }
    HEADRACE_TRY(auto const file, files_.open(name, {.write = true}));
    std::vector<std::byte> buffer(kRewriteBytes);
    for (auto at = scan.synced; at < scan.end; at += buffer.size()) {
      auto const piece = std::span(buffer).first(
          static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), scan.end - at)));
      HEADRACE_TRY(auto const got, file->read_at(at, piece));
      HEADRACE_TRY_VOID(file->write_at(at, piece.first(got)));
    }
    HEADRACE_TRY_VOID(file->truncate(scan.end));
    return file->sync_data();
  }

  base::FileSystem& files_;
  std::string const& directory_;
  Catalog& catalog_;
  Recovered out_;
};

}  // namespace

base::Result<base::Uuid> open_incarnation(base::FileSystem& files, std::string const& directory) {
  auto const path = directory + "/incarnation";
  auto const text = base::read_file(files, path, 64);
  if (!text && text.error().code != base::ErrorCode::kNotFound) return text.error();
  if (text) {
    if (auto const known = base::parse_uuid(std::string_view(*text).substr(0, 36))) return *known;
  }
  auto const fresh = base::uuid4();
  HEADRACE_TRY_VOID(base::replace_file(files, path, base::as_bytes(base::to_string(fresh) + "\n")));
  return fresh;
}

base::Result<void> end_incarnation(base::FileSystem& files, std::string const& directory) {
  auto const removed = files.remove(directory + "/incarnation");
  if (!removed && removed.error().code != base::ErrorCode::kNotFound) return removed.error();
  return files.sync_directory(directory);
}

base::Result<void> open_format(base::FileSystem& files, std::string const& directory) {
  auto const path = directory + "/format";
  auto const text = base::read_file(files, path, 4096);
  if (!text && text.error().code != base::ErrorCode::kNotFound) return text.error();
  if (!text) {
    HEADRACE_TRY(auto const names, files.list(directory));
    for (auto const& name : names) {
      if (number_in(name, ".seg") == 0) continue;
      return base::Error{base::ErrorCode::kCorrupt,
                         fmt::format("{}: missing beside {}; expected \"{}{}\"", path, name,
                                     kFormatPrefix, kFormatVersion)};
    }
    return base::replace_file(files, path,
                              base::as_bytes(fmt::format("{}{}\n", kFormatPrefix, kFormatVersion)));
  }
  std::uint32_t version = 0;
  if (text->starts_with(kFormatPrefix)) {
    std::from_chars(text->data() + kFormatPrefix.size(), text->data() + text->size(), version);
  }
  if (version == 0) {
    return base::Error{base::ErrorCode::kCorrupt,
                       fmt::format("{}: expected \"{}{}\"", path, kFormatPrefix, kFormatVersion)};
  }
  if (version > kFormatVersion) {
    return base::Error{base::ErrorCode::kInvalidArgument,
                       fmt::format("{}: format {} is newer than this program's {}", path, version,
                                   kFormatVersion)};
  }
  return {};
}

base::Result<Recovered> recover(base::FileSystem& files, std::string const& directory,
                                Catalog& catalog) {
  return Recovery(files, directory, catalog).run();
}

// Indexes whose segment is not there.
static void note_lone_indexes(base::FileSystem& files, std::string const& directory,
                              std::vector<std::string> const& names,
                              std::set<std::uint64_t> const& removed, Chain& chain) {
  for (auto const& name : names) {
    ChainLink link;
    link.number = number_in(name, ".idx");
    if (link.number == 0 || removed.contains(link.number)) continue;
    // What retention took before the oldest kept is forgotten by `removed`.
    if (!chain.links.empty() && removed.contains(chain.links[0].header.previous_number) &&
        link.number < chain.links[0].number)
      continue;
    auto const segment = segment_name(link.number);
    if (std::find(names.begin(), names.end(), segment) != names.end()) continue;
    auto const summary = read_summary(files, directory, link, nullptr);
    auto const counted = summary ? fmt::format("{} records", summary->records) : "a segment";
    chain.damage.push_back({directory + "/" + segment, 0, 0,
                            fmt::format("missing; its index is there; expected {}", counted)});
  }
}

base::Result<Chain> read_chain(base::FileSystem& files, std::string const& directory,
                               std::vector<std::string> const& names,
                               std::set<std::uint64_t> const& removed) {
  Chain chain;
  for (auto const& name : names) {
    auto const number = number_in(name, ".seg");
    if (number == 0 || removed.contains(number)) continue;
    auto const path = directory + "/" + name;
    auto const header = read_segment_header(files, path);
    if (!header && header.error().code != base::ErrorCode::kCorrupt) return header.error();
    if (!header || header->number != number) {
      chain.damage.push_back(
          {path, 0, kBlockBytes,
           header ? fmt::format("header of segment {}; expected {}", header->number, number)
                  : header.error().context});
      continue;
    }
    auto const before = header->previous_number;
    if (chain.links.empty() && before != 0 && !removed.contains(before)) {
      chain.damage.push_back(
          {path, 32, 8, fmt::format("it follows {}, which is missing", segment_name(before))});
    } else if (!chain.links.empty()) {
      auto& previous = chain.links.back();
      if (header->previous_number == previous.number) {
        previous.sealed_end = header->previous_end;
      } else if (!removed.contains(header->previous_number)) {
        chain.damage.push_back({path, 32, 8,
                                fmt::format("it follows {}, which is missing",
                                            segment_name(header->previous_number))});
      }
    }
    chain.links.push_back({number, *header, std::nullopt, false});
  }
  if (!chain.links.empty()) chain.links.back().last = true;
  note_lone_indexes(files, directory, names, removed, chain);
  return chain;
}

std::optional<SegmentSummary> read_summary(base::FileSystem& files, std::string const& directory,
                                           ChainLink const& link, std::uint64_t* index_bytes) {
  auto const file = files.open(directory + "/" + index_name(link.number), {});
  if (!file) return std::nullopt;
  auto const size = (*file)->size();
  if (!size) return std::nullopt;
  std::string bytes;
  for (std::size_t want = 64u << 10;; want *= 4) {
    bytes.resize(static_cast<std::size_t>(std::min<std::uint64_t>(*size, want)));
    auto const got = (*file)->read_at(0, std::as_writable_bytes(std::span(bytes)));
    if (!got || *got != bytes.size()) return std::nullopt;
    auto summary = SegmentIndex::decode_summary(bytes, link.number);
    if (!summary || (!*summary && want >= *size)) return std::nullopt;
    if (!*summary) continue;
    if (link.sealed_end && *link.sealed_end != (*summary)->end) return std::nullopt;
    if (index_bytes != nullptr) *index_bytes = *size;
    return std::move(*summary);
  }
}

}  // namespace headrace::broker::log
