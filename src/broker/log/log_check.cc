// SPDX-License-Identifier: Apache-2.0
#include "broker/log/log_check.h"

#include <fmt/format.h>

#include <algorithm>

#include "broker/log/impl/recovery.h"
#include "broker/log/impl/salvage.h"
#include "broker/log/impl/segment_scan.h"
#include "codec/record/record_view.h"

namespace headrace::broker::log {
namespace {

struct Directory {
  std::vector<std::string> names;
  std::set<std::uint64_t> removed;
  Chain chain;
};

// `other` gets what is wrong outside the segments.
base::Result<Directory> read_directory(std::string const& path, base::FileSystem& files,
                                       std::vector<Damage>& other) {
  auto const note = [&](std::string const& file, base::Error const& error) {
    other.push_back({path + "/" + file, 0, 0, error.context});
  };
  Directory out;
  HEADRACE_TRY(out.names, files.list(path));
  auto const has = [&](std::string_view name) {
    return std::find(out.names.begin(), out.names.end(), name) != out.names.end();
  };
  bool const segments = std::any_of(out.names.begin(), out.names.end(),
                                    [](auto const& n) { return number_in(n, ".seg") != 0; });
  if (!has("format") && !segments)
    return base::Error{base::ErrorCode::kNotFound, path + ": no log is there"};
  if (auto const format = open_format(files, path); !format) {
    if (format.error().code != base::ErrorCode::kCorrupt) return format.error();
    note("format", format.error());
  }
  TopicTable topics(files, path + "/topics");
  if (auto const loaded = topics.load(); !loaded) note("topics", loaded.error());
  auto const removed = load_removed(files, path + "/removed");
  if (removed) out.removed = removed->numbers;
  if (!removed) note("removed", removed.error());
  HEADRACE_TRY(out.chain, read_chain(files, path, out.names, out.removed));
  return out;
}

base::Result<void> check_records(GroupHeader const& header, base::Bytes group,
                                 SegmentReport& report, std::string const& file) {
  ++report.groups;
  report.records += header.records;
  report.messages += header.messages;
  Entries entries(group);
  for (Entry e; entries.next(e);) {
    auto const record = codec::record::RecordView::open(e.record);
    if (!record)
      report.damage.push_back(
          {file, header.offset + e.at, e.record.size(), record.error().context});
  }
  return {};
}

// Where the segment's good bytes end: what the next one says, else its index, else nothing: it is
// the tail.
std::optional<std::uint64_t> sealed_end(base::FileSystem& files, std::string const& path,
                                        ChainLink const& link) {
  if (link.sealed_end) return link.sealed_end;
  auto const summary = read_summary(files, path, link, nullptr);
  return summary ? std::optional(summary->end) : std::nullopt;
}

// Seals a repaired segment's copy: good groups stay where they were, damaged ones become holes
// that a mark bridges.
class Mender {
 public:
  Mender(std::string directory, base::FileSystem& files)
      : directory_(std::move(directory)), files_(files) {}

  base::Result<RepairReport::Segment> mend(ChainLink const& link, std::vector<Damage> const& damage,
                                           std::uint64_t end) {
    auto const name = segment_name(link.number);
    auto const from = directory_ + "/" + name, fresh = from + ".new";
    HEADRACE_TRY(auto const kept, place_aside(name));
    RepairReport::Segment report{from, kept, 0, std::nullopt, 0};
    HEADRACE_TRY_VOID(copy(from, fresh, end));
    HEADRACE_TRY(auto const file, files_.open(fresh, {.write = true}));
    auto const seed = group_seed(link.number, link.header.salt);
    for (auto const& d : damage) {
      if (d.byte % kBlockBytes != 0)
        continue;  // a record in a group that is whole: left, as nothing better is known
      ++report.groups_lost;
      HEADRACE_TRY_VOID(bridge(*file, d.byte, std::min(d.byte + d.bytes, end), seed));
    }
    HEADRACE_TRY_VOID(file->sync_data());
    HEADRACE_TRY(auto const scan,
                 scan_segment(files_, fresh, end, [&](GroupHeader const& header, base::Bytes) {
                   report.records_kept += header.records;
                   return base::Result<void>();
                 }));
    if (!scan.damage.empty()) {
      return base::Error{base::ErrorCode::kInternal, fresh + ": still damaged after the repair: " +
                                                         scan.damage.front().expected};
    }
    report.records_lost = lost(link, report.records_kept);
    HEADRACE_TRY_VOID(exchange(from, fresh, kept));
    HEADRACE_TRY_VOID(drop_index(link.number));
    return report;
  }

  // The segment as it is behind a new header.
  base::Result<RepairReport::Segment> write_header(Salvaged const& salvaged) {
    auto const name = segment_name(salvaged.header.number);
    auto const from = directory_ + "/" + name, fresh = from + ".new";
    HEADRACE_TRY(auto const kept, place_aside(name));
    HEADRACE_TRY(auto const in, files_.open(from, {}));
    HEADRACE_TRY(auto const bytes, in->size());
    HEADRACE_TRY_VOID(copy(from, fresh, bytes));
    HEADRACE_TRY(auto const file, files_.open(fresh, {.write = true}));
    std::vector<std::byte> block(kBlockBytes);
    encode_segment_header(salvaged.header, block);
    HEADRACE_TRY_VOID(file->write_at(0, block));
    HEADRACE_TRY_VOID(file->sync_data());
    HEADRACE_TRY_VOID(exchange(from, fresh, kept));
    return RepairReport::Segment{from, kept, 0, 0, salvaged.records};
  }

  // Nothing in it can be told from what was there before.
  base::Result<RepairReport::Segment> move_aside(std::string const& from) {
    HEADRACE_TRY(auto const kept, place_aside(from.substr(from.rfind('/') + 1)));
    HEADRACE_TRY_VOID(files_.rename(from, kept));
    HEADRACE_TRY_VOID(files_.sync_directory(directory_ + "/damaged"));
    HEADRACE_TRY_VOID(files_.sync_directory(directory_));
    return RepairReport::Segment{from, kept, 0, std::nullopt, 0};
  }

  // An index that counts records that are no longer there.
  base::Result<void> drop_index(std::uint64_t number) {
    auto const dropped = files_.remove(directory_ + "/" + index_name(number));
    if (!dropped && dropped.error().code != base::ErrorCode::kNotFound) return dropped.error();
    return files_.sync_directory(directory_);
  }

 private:
  // A free name in damaged/.
  base::Result<std::string> place_aside(std::string const& name) {
    auto const directory = directory_ + "/damaged";
    HEADRACE_TRY_VOID(files_.make_directories(directory));
    HEADRACE_TRY(auto const names, files_.list(directory));
    auto free = name;
    for (int i = 2; std::find(names.begin(), names.end(), free) != names.end(); ++i)
      free = fmt::format("{}.{}", name, i);
    return directory + "/" + free;
  }

  base::Result<void> exchange(std::string const& from, std::string const& fresh,
                              std::string const& kept) {
    HEADRACE_TRY(auto const in, files_.open(from, {}));
    HEADRACE_TRY(auto const bytes, in->size());
    HEADRACE_TRY_VOID(copy(from, kept, bytes));
    HEADRACE_TRY(auto const out, files_.open(kept, {.write = true}));
    HEADRACE_TRY_VOID(out->truncate(bytes));
    HEADRACE_TRY_VOID(out->sync_data());
    HEADRACE_TRY_VOID(files_.sync_directory(directory_ + "/damaged"));
    HEADRACE_TRY_VOID(files_.rename(fresh, from));  // at no time is there none
    return files_.sync_directory(directory_);
  }

  base::Result<void> copy(std::string const& from, std::string const& to, std::uint64_t bytes) {
    HEADRACE_TRY(auto const in, files_.open(from, {}));
    HEADRACE_TRY(auto const out,
                 files_.open(to, {.create = true, .truncate = true, .write = true}));
    std::vector<std::byte> buffer(1u << 20);
    for (std::uint64_t at = 0; at < bytes; at += buffer.size()) {
      auto const piece = std::span(buffer).first(
          static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), bytes - at)));
      std::fill(piece.begin(), piece.end(), std::byte{0});
      HEADRACE_TRY_VOID(in->read_at(at, piece));
      HEADRACE_TRY_VOID(out->write_at(at, piece));
    }
    return {};
  }

  // Empty groups over [from, to): one of the hole's whole length where it is a block, several
  // otherwise.
  base::Result<void> bridge(base::File& file, std::uint64_t from, std::uint64_t to,
                            std::uint32_t seed) {
    std::vector<std::byte> block(kBlockBytes);
    for (auto at = from; at < to; at += kBlockBytes) {
      std::fill(block.begin(), block.end(), std::byte{0});
      encode_group_header({kGroupHeaderBytes, 0, at, at, 0, 0, 0, kFlagMark, 0}, seed,
                          std::span(block).first(kGroupHeaderBytes));
      HEADRACE_TRY_VOID(file.write_at(at, block));
    }
    return {};
  }

  // The index still knows how many there were, when it is good.
  std::optional<std::uint64_t> lost(ChainLink const& link, std::uint64_t kept) {
    auto const summary = read_summary(files_, directory_, link, nullptr);
    if (!summary || summary->records < kept) return std::nullopt;
    return summary->records - kept;
  }

  std::string const directory_;
  base::FileSystem& files_;
};

// From now on these are known to be gone, so that the log opens without them.
base::Result<void> note_gone(std::string const& directory, base::FileSystem& files,
                             std::set<std::uint64_t> const& gone) {
  if (gone.empty()) return {};
  auto const path = directory + "/removed";
  HEADRACE_TRY(auto state, load_removed(files, path));
  state.numbers.insert(gone.begin(), gone.end());
  HEADRACE_TRY_VOID(end_incarnation(files, directory));
  return base::replace_file(files, path, base::as_bytes(encode_removed(state)));
}

constexpr std::string_view kMisnamed = "misnamed-";

// Files that carry each other's names get their own back; one whose name is taken stays.
base::Result<void> mend_names(std::string const& directory, base::FileSystem& files,
                              RepairReport& report) {
  HEADRACE_TRY(auto names, files.list(directory));
  for (auto const& name : names) {
    auto const number = number_in(name, ".seg");
    if (number == 0) continue;
    auto const header = read_segment_header(files, directory + "/" + name);
    if (!header || header->number == number) continue;
    auto const own = directory + "/" + segment_name(header->number);
    auto const holder = read_segment_header(files, own);
    if (files.open(own, {}) && (!holder || holder->number == header->number)) continue;
    auto const aside = directory + "/" + std::string(kMisnamed) + segment_name(header->number);
    if (files.open(aside, {})) continue;
    HEADRACE_TRY_VOID(end_incarnation(files, directory));
    HEADRACE_TRY_VOID(files.rename(directory + "/" + name, aside));
  }
  HEADRACE_TRY_VOID(files.sync_directory(directory));
  HEADRACE_TRY(names, files.list(directory));
  for (auto const& name : names) {
    if (!name.starts_with(kMisnamed)) continue;
    auto const own = directory + "/" + name.substr(kMisnamed.size());
    if (files.open(own, {})) continue;
    HEADRACE_TRY_VOID(files.rename(directory + "/" + name, own));
    report.notes.push_back(own + ": had another segment's name; named as its header says");
  }
  return files.sync_directory(directory);
}

// Headers and gaps: afterwards every segment that is there has a good header, and the chain holds.
base::Result<Chain> mend_chain(std::string const& directory, base::FileSystem& files,
                               Directory const& found, Mender& mender, RepairReport& report) {
  std::set<std::uint64_t> gone;
  for (auto const& d : found.chain.damage) {
    if (d.byte != 0 || d.bytes == 0) continue;
    auto const number = number_in(d.file.substr(d.file.rfind('/') + 1), ".seg");
    HEADRACE_TRY(auto const salvaged,
                 salvage_header(files, directory, found.names, found.removed, number));
    if (salvaged) {
      HEADRACE_TRY(auto mended, mender.write_header(*salvaged));
      report.segments.push_back(std::move(mended));
      report.notes.push_back(d.file + ": header written anew, as its groups agree with it");
      continue;
    }
    gone.insert(number);
    HEADRACE_TRY_VOID(end_incarnation(files, directory));
    HEADRACE_TRY(auto moved, mender.move_aside(d.file));
    report.segments.push_back(std::move(moved));
  }
  HEADRACE_TRY(auto const names, files.list(directory));
  auto removed = found.removed;
  removed.insert(gone.begin(), gone.end());
  HEADRACE_TRY(auto const chain, read_chain(files, directory, names, removed));
  auto const missing = [&](std::uint64_t number) {
    if (removed.contains(number) || !gone.insert(number).second) return;
    ChainLink link;
    link.number = number;
    auto const summary = read_summary(files, directory, link, nullptr);
    auto const lost = summary ? std::to_string(summary->records) : "an unknown number of";
    report.notes.push_back(
        fmt::format("{}: missing; {} records lost", directory + "/" + segment_name(number), lost));
  };
  for (std::size_t i = 0; i < chain.links.size(); ++i) {
    auto const before = chain.links[i].header.previous_number;
    if (before != (i == 0 ? 0 : chain.links[i - 1].number)) missing(before);
  }
  for (auto const& d : chain.damage)
    if (d.bytes == 0) missing(number_in(d.file.substr(d.file.rfind('/') + 1), ".seg"));
  removed.insert(gone.begin(), gone.end());
  HEADRACE_TRY_VOID(note_gone(directory, files, gone));
  return read_chain(files, directory, names, removed);
}

void append_line(std::string& out, std::string const& line) {
  out += line;
  out += '\n';
}

}  // namespace

bool CheckReport::good() const {
  return other.empty() && std::all_of(segments.begin(), segments.end(),
                                      [](auto const& s) { return s.damage.empty(); });
}

base::Result<CheckReport> verify_log(std::string const& directory, base::FileSystem& files) {
  CheckReport report;
  HEADRACE_TRY(auto const found, read_directory(directory, files, report.other));
  for (auto const& d : found.chain.damage) report.other.push_back(d);
  if (std::find(found.names.begin(), found.names.end(), kRepairingName) != found.names.end())
    report.other.push_back({directory + "/repairing", 0, 0, "a repair was interrupted"});
  for (auto const& link : found.chain.links) {
    SegmentReport s;
    s.file = directory + "/" + segment_name(link.number);
    s.number = link.number;
    std::uint64_t index_bytes = 0;
    auto const summary = read_summary(files, directory, link, &index_bytes);
    if (!summary && !link.last)
      report.notes.push_back(index_name(link.number) + ": missing or damaged; it will be rebuilt");
    auto const end = sealed_end(files, directory, link);
    HEADRACE_TRY(auto const scan,
                 scan_segment(files, s.file, end, [&](GroupHeader const& h, base::Bytes g) {
                   return check_records(h, g, s, s.file);
                 }));
    s.file_bytes = scan.file_bytes;
    s.used_bytes = scan.end;
    s.damage.insert(s.damage.end(), scan.damage.begin(), scan.damage.end());
    if (scan.torn_at && !end) s.torn_at = scan.torn_at;
    report.segments.push_back(std::move(s));
  }
  return report;
}

base::Result<RepairReport> repair_log(std::string const& directory, base::FileSystem& files) {
  RepairReport report;
  TopicTable topics(files, directory + "/topics");
  HEADRACE_TRY(auto const restored, topics.restore());
  if (restored) report.notes.push_back(directory + "/topics: restored from its copy");
  std::vector<Damage> other;
  HEADRACE_TRY(auto found, read_directory(directory, files, other));
  if (!other.empty()) {
    return base::Error{
        base::ErrorCode::kCorrupt,
        other.front().file + ": " + other.front().expected + "; this cannot be mended"};
  }
  auto const marker = directory + "/" + std::string(kRepairingName);
  HEADRACE_TRY_VOID(base::replace_file(files, marker, base::as_bytes(std::string_view("1\n"))));
  HEADRACE_TRY_VOID(mend_names(directory, files, report));
  HEADRACE_TRY(found, read_directory(directory, files, other));
  Mender mender(directory, files);
  HEADRACE_TRY(auto const chain, mend_chain(directory, files, found, mender, report));
  for (auto const& link : chain.links) {
    auto const path = directory + "/" + segment_name(link.number);
    SegmentReport s;
    auto const end = sealed_end(files, directory, link);
    HEADRACE_TRY(auto const scan,
                 scan_segment(files, path, end, [&](GroupHeader const& h, base::Bytes g) {
                   return check_records(h, g, s, path);
                 }));
    if (scan.damage.empty()) {
      auto const summary = read_summary(files, directory, link, nullptr);
      if (summary && summary->records != s.records)
        HEADRACE_TRY_VOID(mender.drop_index(link.number));
      continue;
    }
    HEADRACE_TRY_VOID(end_incarnation(files, directory));
    HEADRACE_TRY(auto mended, mender.mend(link, scan.damage, std::max(scan.end, end.value_or(0))));
    report.segments.push_back(std::move(mended));
  }
  HEADRACE_TRY_VOID(files.remove(marker));
  HEADRACE_TRY_VOID(files.sync_directory(directory));
  return report;
}

std::string to_string(CheckReport const& report) {
  std::string out;
  for (auto const& s : report.segments) {
    append_line(out, fmt::format("{}: {} groups, {} records, {} messages, {} of {} bytes: {}",
                                 s.file, s.groups, s.records, s.messages, s.used_bytes,
                                 s.file_bytes, s.damage.empty() ? "good" : "DAMAGED"));
    for (auto const& d : s.damage)
      append_line(out, fmt::format("  byte {}, {} bytes: {}", d.byte, d.bytes, d.expected));
    if (s.torn_at)
      append_line(out, fmt::format("  ends at byte {}; what follows is cut by the next opening",
                                   *s.torn_at));
  }
  for (auto const& d : report.other)
    append_line(out, fmt::format("{}: byte {}: DAMAGED: {}", d.file, d.byte, d.expected));
  for (auto const& n : report.notes) append_line(out, n);
  append_line(out, report.good()
                       ? "the log is good"
                       : "the log is damaged; `headrace log repair` mends what can be mended");
  return out;
}

std::string to_string(RepairReport const& report) {
  std::string out;
  for (auto const& s : report.segments) {
    auto const lost = s.records_lost ? std::to_string(*s.records_lost) : "an unknown number of";
    append_line(
        out, fmt::format("{}: {} damaged places cut out, {} records lost, {} kept; as it was: {}",
                         s.file, s.groups_lost, lost, s.records_kept, s.moved_to));
  }
  for (auto const& n : report.notes) append_line(out, n);
  if (report.segments.empty() && report.notes.empty()) append_line(out, "nothing to repair");
  return out;
}

}  // namespace headrace::broker::log
