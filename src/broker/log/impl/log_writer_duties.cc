// SPDX-License-Identifier: Apache-2.0
// Segments and what is done beside writing groups: sealing, opening, marks, retention, budget,
// healing.
#include <fmt/format.h>

#include <algorithm>

#include "base/log.h"
#include "base/uuid.h"
#include "broker/log/impl/log_writer.h"

namespace headrace::broker::log {
namespace {

constexpr auto kProbeEvery = std::chrono::milliseconds(100);

}  // namespace

base::Result<void> LogWriter::ensure_room(std::uint64_t bytes) {
  if (active_ != nullptr && active_->end + bytes <= active_->bytes) return {};
  if (active_ != nullptr) HEADRACE_TRY_VOID(seal());
  return open_segment(std::max(padded(options_.segment_bytes), kBlockBytes + bytes));
}

base::Result<void> LogWriter::seal() {
  if (active_->synced < active_->end) HEADRACE_TRY_VOID(sync());
  last_number_ = active_->number;
  last_end_ = active_->end;
  auto const index = catalog_.seal_active(active_->bytes);
  active_.reset();
  write_index(*index);
  return {};
}

// Not durable and not vital: a missing or damaged index is rebuilt from its segment.
void LogWriter::write_index(SegmentIndex const& index) {
  auto const name = path(index_name(index.number()));
  auto const bytes = index.encode();
  auto const written = [&]() -> base::Result<void> {
    HEADRACE_TRY(auto const file,
                 files_.open(name + ".new", {.create = true, .truncate = true, .write = true}));
    HEADRACE_TRY_VOID(file->write_at(0, base::as_bytes(bytes)));
    return files_.rename(name + ".new", name);
  }();
  if (written) {
    catalog_.set_index_bytes(index.number(), bytes.size());
  } else {
    base::log_warn("could not write a segment's index; it will be rebuilt",
                   {{"error", base::to_string(written.error())}});
    (void)files_.remove(name + ".new");
  }
}

base::Result<void> LogWriter::open_segment(std::uint64_t bytes) {
  HEADRACE_TRY_VOID(make_room_in_budget(bytes));
  SegmentHeader header{last_number_ + 1, 0, last_end_ == 0 ? 0 : last_number_, last_end_,
                       clock_.now().ns};
  base::random_bytes(std::as_writable_bytes(std::span(&header.salt, 1)));
  HEADRACE_TRY(auto const name, take_spare(bytes));
  auto file = prepare(name, header);
  if (!file) {
    (void)files_.remove(path(name));
    return file.error();
  }
  Active active{header.number,   group_seed(header.number, header.salt),
                bytes,           kBlockBytes,
                kBlockBytes,     kBlockBytes,
                std::move(*file)};
  active_ = std::make_unique<Active>(std::move(active));
  Segment segment;
  segment.number = header.number;
  segment.seed = active_->seed;
  segment.file_bytes = bytes;
  catalog_.start_active(std::move(segment));
  last_number_ = header.number;
  return {};
}

base::Result<std::string> LogWriter::take_spare(std::uint64_t bytes) {
  for (auto it = spares_.begin(); it != spares_.end(); ++it) {
    if (it->second != bytes) continue;
    auto name = it->first;
    spares_.erase(it);
    note_spares();
    return name;
  }
  auto name = fmt::format("spare-{}.seg", last_number_ + 1);
  HEADRACE_TRY(auto const file,
               files_.open(path(name), {.create = true, .truncate = true, .write = true}));
  if (auto const reserved = file->preallocate(bytes); !reserved) {
    (void)files_.remove(path(name));
    return reserved.error();
  }
  return name;
}

// Whole before it gets its name: a file of that name always has a good header.
base::Result<std::unique_ptr<base::File>> LogWriter::prepare(std::string const& name,
                                                             SegmentHeader const& header) {
  HEADRACE_TRY(auto file, files_.open(path(name), {.write = true, .direct = options_.direct_io}));
  auto const block = pool_.take(kBlockBytes);
  encode_segment_header(header, {block->data(), kBlockBytes});
  HEADRACE_TRY_VOID(file->write_at(0, {block->data(), kBlockBytes}));
  HEADRACE_TRY_VOID(file->sync_data());
  HEADRACE_TRY_VOID(files_.rename(path(name), path(segment_name(header.number))));
  HEADRACE_TRY_VOID(files_.sync_directory(options_.directory));
  return file;
}

void LogWriter::note_spares() {
  std::uint64_t bytes = 0;
  for (auto const& [name, size] : spares_) bytes += size;
  spare_bytes_ = bytes;
}

base::Result<void> LogWriter::make_room_in_budget(std::uint64_t bytes) {
  if (options_.disk_budget_bytes == 0) return {};
  for (;;) {
    bool const have = std::any_of(spares_.begin(), spares_.end(),
                                  [&](auto const& s) { return s.second == bytes; });
    auto const stored = catalog_.stored_bytes() + spare_bytes_;
    if (stored + (have ? 0 : bytes) <= options_.disk_budget_bytes) return {};
    if (!have && !spares_.empty()) {
      HEADRACE_TRY_VOID(files_.remove(path(spares_.begin()->first)));
      spares_.erase(spares_.begin());
      note_spares();
      continue;
    }
    auto const oldest = catalog_.removable([](PartitionSummary const&) { return true; }, true);
    if (oldest.empty()) {
      return base::Error{
          base::ErrorCode::kOverloaded,
          fmt::format("the log holds {} of {} bytes for receivers that have not read them", stored,
                      options_.disk_budget_bytes)};
    }
    HEADRACE_TRY_VOID(remove_segments(oldest));
  }
}

base::Result<void> LogWriter::remove_segments(std::vector<std::uint64_t> const& numbers) {
  auto state = catalog_.removed_after(numbers);
  HEADRACE_TRY_VOID(
      base::replace_file(files_, path("removed"), base::as_bytes(encode_removed(state))));
  std::vector<std::pair<std::uint64_t, std::uint64_t>> sizes;
  for (auto const number : numbers) sizes.emplace_back(number, catalog_.file_bytes(number));
  catalog_.remove(numbers, std::move(state));
  for (auto const& [number, bytes] : sizes) {
    (void)files_.remove(path(index_name(number)));
    auto const spare_name = fmt::format("spare-{}.seg", number);
    bool const keep = spares_.empty() && bytes == padded(options_.segment_bytes);
    if (keep && files_.rename(path(segment_name(number)), path(spare_name))) {
      spares_[spare_name] = bytes;
      note_spares();
    } else if (auto const gone = files_.remove(path(segment_name(number))); !gone) {
      base::log_warn("could not remove a segment; the next opening will",
                     {{"error", base::to_string(gone.error())}});
    }
  }
  return files_.sync_directory(options_.directory);
}

bool LogWriter::idle() {
  if (fenced_) return false;
  auto const now = clock_.steady();
  if (now - last_retention_ >= kRetentionEvery) retain();
  if (active_ == nullptr || active_->marked == active_->end ||
      now - last_write_ < options_.idle_mark_after)
    return false;
  if (active_->synced < active_->end) {
    if (auto const synced = sync(); !synced) {
      note_error(synced.error());
      return false;
    }
  }
  mark();
  return true;
}

void LogWriter::mark() {
  active_->marked = active_->end;
  if (active_->end == kBlockBytes || active_->end + kBlockBytes > active_->bytes) return;
  auto const buffer = pool_.take(kBlockBytes);
  std::memset(buffer->data(), 0, kBlockBytes);
  GroupHeader const header{
      kGroupHeaderBytes, 0, active_->end, active_->synced, 0, 0, clock_.now().ns, kFlagMark, 0};
  encode_group_header(header, active_->seed, {buffer->data(), kGroupHeaderBytes});
  Group const group{active_->number, static_cast<std::uint32_t>(active_->end), kGroupHeaderBytes,
                    buffer};
  if (auto const written = write_group(group); !written) return note_error(written.error());
  active_->marked = active_->end;
  catalog_.moved_end(active_->end);
}

void LogWriter::retain() {
  last_retention_ = clock_.steady();
  if (fenced_) return;
  auto const topics = topics_.topics();
  auto const now = clock_.now().ns;
  auto const over = [&](TopicPartition tp, std::int64_t received) {
    return tp.topic > 0 && tp.topic <= topics.size() &&
           now - received > topics[tp.topic - 1].retention.count();
  };
  auto const expired = [&](PartitionSummary const& p) {
    return over(p.partition, p.received_max_ns);
  };
  auto const begins_to = [&](PartitionSummary const& p) {
    return over(p.partition, p.received_min_ns);
  };
  base::Result<void> done;
  // Or little traffic would keep old records until the segment is full.
  if (active_ != nullptr && catalog_.active_all(begins_to)) done = roll();
  if (auto const numbers = catalog_.removable(expired, false); done && !numbers.empty())
    done = remove_segments(numbers);
  if (!done) note_error(done.error());
}

base::Result<void> LogWriter::make_reserve() {
  if (reserve_there_ || options_.reserve_bytes == 0) return {};
  HEADRACE_TRY(auto const file, files_.open(path("reserve"), {.create = true, .write = true}));
  auto reserved = file->preallocate(options_.reserve_bytes);
  if (reserved) reserve_there_ = true;
  if (!reserved) (void)files_.remove(path("reserve"));
  return reserved;
}

void LogWriter::heal() {
  if (clock_.steady() - last_probe_ < kProbeEvery) return;
  last_probe_ = clock_.steady();
  auto const wanted = (reserve_there_ ? 0 : options_.reserve_bytes) +
                      (active_ == nullptr ? options_.segment_bytes : kBlockBytes);
  if (auto const free = files_.free_bytes(options_.directory);
      free && *free < wanted && spares_.empty())
    return;
  auto done = make_reserve();
  if (done) done = ensure_room(kBlockBytes);
  if (!done && done.error().code == base::ErrorCode::kOverloaded) {
    if (reserve_there_ && files_.remove(path("reserve"))) reserve_there_ = false;
    return;
  }
  if (!done) return note_error(done.error());
  full_ = false;
  base::log_info("the log takes records again");
  signal_.refuse(std::nullopt);
  std::lock_guard const lock(state_mutex_);
  state_ = "ok";
}

// Seals before the segment is full, giving back what it does not need.
base::Result<void> LogWriter::cut() {
  if (active_->synced < active_->end) HEADRACE_TRY_VOID(sync());
  if (active_->file->truncate(active_->end)) active_->bytes = active_->end;
  return seal();
}

base::Result<void> LogWriter::roll() {
  HEADRACE_TRY_VOID(cut());
  return open_segment(padded(options_.segment_bytes));
}

void LogWriter::close() {
  drain();
  if (fenced_ || active_ == nullptr) return;
  if (auto const done = cut(); !done) note_error(done.error());
}

}  // namespace headrace::broker::log
