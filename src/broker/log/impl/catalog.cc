// SPDX-License-Identifier: Apache-2.0
#include "broker/log/impl/catalog.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/assert.h"
#include "base/log.h"
#include "broker/log/impl/segment_scan.h"

namespace headrace::broker::log {
namespace {

constexpr std::size_t kResidentMax = 8;  // sealed segments whose whole index is in memory

void note_ends(std::unordered_map<TopicPartition, Position>& ends, SegmentSummary const& summary) {
  for (auto const& p : summary.partitions) ends[p.partition] = {summary.number, p.end};
}

}  // namespace

void Catalog::add_sealed(Segment segment) {
  std::lock_guard const lock(mutex_);
  segment.sealed = true;
  note_ends(ends_, segment.summary);
  auto const number = segment.number;
  segments_[number] = std::make_shared<Segment>(std::move(segment));
}

void Catalog::start_active(Segment segment) {
  std::lock_guard const lock(mutex_);
  HEADRACE_ASSERT(active_ == nullptr, "a segment is still open");
  segment.index = std::make_shared<SegmentIndex>(segment.number);
  active_ = std::make_shared<Segment>(std::move(segment));
  segments_[active_->number] = active_;
}

std::shared_ptr<SegmentIndex const> Catalog::seal_active(std::uint64_t file_bytes) {
  std::lock_guard const lock(mutex_);
  auto const sealed = std::exchange(active_, nullptr);
  sealed->summary = sealed->index->summary();
  sealed->sealed = true;
  sealed->file_bytes = file_bytes;
  sealed->used = ++uses_;
  evict(sealed.get());
  return sealed->index;
}

void Catalog::set_index_bytes(std::uint64_t number, std::uint64_t bytes) {
  std::lock_guard const lock(mutex_);
  if (auto const it = segments_.find(number); it != segments_.end())
    it->second->index_bytes = bytes;
}

void Catalog::publish(Group group, GroupHeader const& header) {
  std::vector<std::shared_ptr<Waiter>> woken;
  {
    std::lock_guard const lock(mutex_);
    active_->index->add(group.view(), header);
    auto const segment = group.segment;
    TopicPartition last;
    Entries entries(group.view());
    for (Entry e; entries.next(e); last = e.to) {
      if (e.to != last) ends_[e.to] = {segment, active_->index->find(e.to)->summary.end};
    }
    ++version_;
    woken = waiters_for(header, group.view());
  }
  cache_.add(std::move(group));
  for (auto const& w : woken) {
    std::lock_guard const lock(w->mutex);
    if (w->wake) w->wake();
  }
}

std::vector<std::shared_ptr<Waiter>> Catalog::waiters_for(GroupHeader const& header,
                                                          base::Bytes group) {
  std::vector<std::shared_ptr<Waiter>> out;
  if (header.records == 0) return out;
  for (auto const& w : waiters_) {
    if (!w->armed) continue;
    Entries entries(group);
    for (Entry e; entries.next(e);) {
      if (!w->partitions.contains(e.to)) continue;
      w->armed = false;
      out.push_back(w);
      break;
    }
  }
  return out;
}

void Catalog::moved_end(std::uint64_t end) {
  std::lock_guard const lock(mutex_);
  active_->index->set_end(end);
}

std::uint64_t Catalog::stored_bytes() const {
  std::lock_guard const lock(mutex_);
  std::uint64_t bytes = 0;
  for (auto const& [number, s] : segments_) bytes += s->file_bytes + s->index_bytes;
  return bytes;
}

std::uint64_t Catalog::file_bytes(std::uint64_t number) const {
  std::lock_guard const lock(mutex_);
  auto const it = segments_.find(number);
  return it == segments_.end() ? 0 : it->second->file_bytes;
}

bool Catalog::held(Segment const& segment) const {
  if (!holds_all_.empty()) return true;
  for (auto const& [holder, positions] : holds_) {
    for (auto const& p : segment.summary.partitions) {
      auto const it = positions.find(p.partition);
      if (it != positions.end() && it->second < Position{segment.number, p.end}) return true;
    }
  }
  return false;
}

std::vector<std::uint64_t> Catalog::removable(IsExpired const& expired, bool oldest_only) const {
  std::lock_guard const lock(mutex_);
  std::vector<std::uint64_t> out;
  for (auto const& [number, s] : segments_) {
    if (!s->sealed) continue;
    auto const& list = s->summary.partitions;
    if (std::all_of(list.begin(), list.end(), expired) && !held(*s)) out.push_back(number);
    if (oldest_only) break;
  }
  return out;
}

bool Catalog::active_all(IsExpired const& is) const {
  std::lock_guard const lock(mutex_);
  if (active_ == nullptr || active_->index->records() == 0) return false;
  auto const& partitions = active_->index->partitions();
  return std::all_of(partitions.begin(), partitions.end(),
                     [&](auto const& p) { return is(p.second.summary); });
}

bool Catalog::any_sealed() const {
  std::lock_guard const lock(mutex_);
  return segments_.size() > (active_ == nullptr ? 0u : 1u);
}

RemovedState Catalog::removed_after(std::vector<std::uint64_t> const& numbers) const {
  std::lock_guard const lock(mutex_);
  auto state = removed_;
  for (auto const number : numbers) {
    auto const& summary = segments_.at(number)->summary;
    for (auto const& p : summary.partitions) {
      auto& total = state.totals[p.partition];
      total.messages += p.messages;
      total.end = std::max(total.end, Position{number, p.end});
    }
    if (!summary.partitions.empty()) state.segments[number] = summary.partitions;
    state.numbers.insert(number);
  }
  while (state.segments.size() > kRemovedKept) state.segments.erase(state.segments.begin());
  for (auto const& [number, s] : segments_) {
    if (std::find(numbers.begin(), numbers.end(), number) != numbers.end()) continue;
    // Below the oldest that stays, a gap needs no explanation.
    // The last one before the oldest kept stays: its header names it.
    auto keep = state.numbers.lower_bound(number);
    if (keep != state.numbers.begin()) --keep;
    state.numbers.erase(state.numbers.begin(), keep);
    for (auto const n : numbers) {
      if (n < number) state.numbers.insert(n);  // until their files are gone
    }
    break;
  }
  return state;
}

void Catalog::remove(std::vector<std::uint64_t> const& numbers, RemovedState state) {
  std::lock_guard const lock(mutex_);
  for (auto const number : numbers) segments_.erase(number);
  removed_ = std::move(state);
  ++version_;
}

void Catalog::set_removed(RemovedState state) {
  std::lock_guard const lock(mutex_);
  removed_ = std::move(state);
  for (auto const& [tp, total] : removed_.totals) {
    auto& end = ends_[tp];
    end = std::max(end, total.end);
  }
}

std::uint64_t Catalog::version() const {
  std::lock_guard const lock(mutex_);
  return version_;
}

Catalog::SegmentPtr Catalog::find_segment(std::uint64_t number) const {
  std::lock_guard const lock(mutex_);
  auto const it = segments_.find(number);
  return it == segments_.end() ? nullptr : it->second;
}

bool Catalog::removed(std::uint64_t number) const { return find_segment(number) == nullptr; }

void Catalog::evict(Segment const* keep) {
  for (;;) {
    std::size_t resident = 0;
    Segment* oldest = nullptr;
    for (auto const& [number, s] : segments_) {
      if (!s->sealed || (s->index == nullptr && s->file == nullptr)) continue;
      ++resident;
      if (s.get() != keep && (oldest == nullptr || s->used < oldest->used)) oldest = s.get();
    }
    if (resident <= kResidentMax || oldest == nullptr) return;
    oldest->index = nullptr;
    oldest->file = nullptr;
  }
}

base::Result<std::shared_ptr<SegmentIndex>> Catalog::load_index(Segment const& segment) {
  auto const number = segment.number;
  if (auto const bytes = base::read_file(files_, path(index_name(number)), 1ull << 30); bytes) {
    if (auto index = SegmentIndex::decode(*bytes, number);
        index && index->end() == segment.summary.end) {
      return std::make_shared<SegmentIndex>(std::move(*index));
    }
  }
  auto index = std::make_shared<SegmentIndex>(number);
  HEADRACE_TRY(auto const scan,
               scan_segment(files_, path(segment_name(number)), segment.summary.end,
                            [&](GroupHeader const& header, base::Bytes group) {
                              index->add(group, header);
                              return base::Result<void>();
                            }));
  if (!scan.damage.empty()) {
    auto const& d = scan.damage.front();
    return base::Error{base::ErrorCode::kCorrupt,
                       fmt::format("{}: byte {}: {}", d.file, d.byte, d.expected)};
  }
  base::log_warn("rebuilt a segment's index", {{"segment", number}});
  (void)base::replace_file(files_, path(index_name(number)), base::as_bytes(index->encode()));
  return index;
}

base::Result<std::shared_ptr<base::File>> Catalog::reading_file(SegmentPtr const& segment) {
  {
    std::lock_guard const lock(mutex_);
    if (segment->file != nullptr) return segment->file;
  }
  HEADRACE_TRY(auto file, files_.open(path(segment_name(segment->number)), {}));
  std::lock_guard const lock(mutex_);
  if (segment->file == nullptr) segment->file = std::move(file);
  segment->used = ++uses_;
  evict(segment.get());
  return segment->file;
}

Catalog::SegmentPtr Catalog::next_with(TopicPartition tp, Position from) const {
  std::lock_guard const lock(mutex_);
  if (auto const end = ends_.find(tp); end == ends_.end() || end->second <= from) return nullptr;
  for (auto it = segments_.lower_bound(from.hi); it != segments_.end(); ++it) {
    auto const& s = *it->second;
    if (s.sealed) {
      auto const* p = s.summary.find(tp);
      if (p != nullptr && Position{s.number, p->end} > from) return it->second;
    } else if (auto const* p = s.index->find(tp);
               p != nullptr && Position{s.number, p->summary.end} > from) {
      return it->second;
    }
  }
  return nullptr;
}

base::Result<std::optional<GroupAt>> Catalog::next_group(TopicPartition tp, Position from) {
  while (auto const segment = next_with(tp, from)) {
    std::optional<GroupAt> found;
    auto const looked = with_index(segment, [&](SegmentIndex const& index) {
      auto const* p = index.find(tp);
      if (p == nullptr) return;
      auto const i = p->find(segment->number == from.hi ? from.lo : 0);
      if (i == p->groups.size()) return;
      auto const& group = index.groups()[p->groups[i].group];
      found = GroupAt{segment->number, group.offset, group.bytes};
    });
    if (!looked && !removed(segment->number)) return looked.error();
    if (found) return found;
    from = {segment->number + 1, 0};
  }
  return std::optional<GroupAt>();
}

base::Result<std::optional<Group>> Catalog::read_group(GroupAt at) {
  if (auto cached = cache_.find(at.segment, at.offset)) return cached;
  auto const segment = find_segment(at.segment);
  if (segment == nullptr) return std::optional<Group>();
  auto const read = [&]() -> base::Result<Group> {
    HEADRACE_TRY(auto const file, reading_file(segment));
    Group group{at.segment, at.offset, at.bytes, pool_->take(at.bytes)};
    HEADRACE_TRY(auto const got, file->read_at(at.offset, {group.buffer->data(), at.bytes}));
    auto const where = fmt::format("{}: byte {}", path(segment_name(at.segment)), at.offset);
    if (got != at.bytes) {
      return base::Error{
          base::ErrorCode::kCorrupt,
          fmt::format("{}: the file ends {} bytes into a group of {}", where, got, at.bytes)};
    }
    if (auto const header = decode_group(group.view(), at.offset, segment->seed); !header) {
      return base::Error{base::ErrorCode::kCorrupt,
                         fmt::format("{}: {}", where, header.error().context)};
    }
    return group;
  };
  auto group = read();
  if (group) {
    cache_.add(*group);
    return std::optional(std::move(*group));
  }
  // A removed segment's file may be gone, or already hold another's bytes.
  if (removed(at.segment)) return std::optional<Group>();
  return group.error();
}

std::uint64_t Catalog::expired_between(TopicPartition tp, Position from, Position to) const {
  std::lock_guard const lock(mutex_);
  auto const total = removed_.totals.find(tp);
  if (total == removed_.totals.end() || total->second.end <= from) return 0;
  std::uint64_t after_to = 0, between = 0;
  for (auto const& [number, partitions] : removed_.segments) {
    for (auto const& p : partitions) {
      if (p.partition != tp || Position{number, p.end} <= from) continue;
      if (Position{number, p.first} >= to) {
        after_to += p.messages;
      } else if (Position{number, p.first} >= from) {
        between += p.messages;
      } else {
        // Read in part: by its bytes, as the records themselves are gone.
        auto const part =
            static_cast<double>(p.end - from.lo) / static_cast<double>(p.end - p.first);
        between += std::max<std::uint64_t>(
            1, static_cast<std::uint64_t>(part * static_cast<double>(p.messages)));
      }
    }
  }
  return from == Position{} ? total->second.messages - after_to : between;
}

void Catalog::add_waiter(std::shared_ptr<Waiter> waiter) {
  std::lock_guard const lock(mutex_);
  waiters_.push_back(std::move(waiter));
}

void Catalog::remove_waiter(std::shared_ptr<Waiter> const& waiter) {
  {
    std::lock_guard const lock(mutex_);
    std::erase(waiters_, waiter);
  }
  std::lock_guard const lock(waiter->mutex);
  waiter->wake = nullptr;
}

bool Catalog::arm(Waiter& waiter, std::uint64_t version_seen) {
  std::lock_guard const lock(mutex_);
  if (version_ != version_seen) return false;
  waiter.armed = true;
  return true;
}

Position Catalog::begin(TopicPartition tp) const {
  std::lock_guard const lock(mutex_);
  for (auto const& [number, s] : segments_) {
    if (s->sealed) {
      if (auto const* p = s->summary.find(tp)) return {number, p->first};
    } else if (auto const* p = s->index->find(tp)) {
      return {number, p->summary.first};
    }
  }
  auto const it = ends_.find(tp);
  return it == ends_.end() ? Position{} : it->second;
}

Position Catalog::end(TopicPartition tp) const {
  std::lock_guard const lock(mutex_);
  auto const it = ends_.find(tp);
  return it == ends_.end() ? Position{} : it->second;
}

void Catalog::hold(std::string const& holder, std::span<Assignment const> positions) {
  std::lock_guard const lock(mutex_);
  auto& held = holds_[holder];
  held.clear();
  for (auto const& a : positions) held[a.partition] = a.from;
}

void Catalog::hold_all(std::string const& holder) {
  std::lock_guard const lock(mutex_);
  holds_all_ = holder;
}

void Catalog::release(std::string const& holder) {
  std::lock_guard const lock(mutex_);
  if (holder == holds_all_) holds_all_.clear();
  holds_.erase(holder);
}

}  // namespace headrace::broker::log
