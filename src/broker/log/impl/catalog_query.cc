// SPDX-License-Identifier: Apache-2.0
// The broker's questions to the catalog.
#include "broker/log/impl/catalog.h"
#include "codec/record/record_view.h"

namespace headrace::broker::log {

base::Result<Position> Catalog::find_time(TopicPartition tp, base::Timestamp time) {
  std::vector<SegmentPtr> candidates;
  {
    std::lock_guard const lock(mutex_);
    for (auto const& [number, s] : segments_) {
      auto const* active = s->sealed ? nullptr : s->index->find(tp);
      auto const* p = s->sealed           ? s->summary.find(tp)
                      : active == nullptr ? nullptr
                                          : &active->summary;
      if (p != nullptr && p->received_max_ns >= time.ns) candidates.push_back(s);
    }
  }
  for (auto const& segment : candidates) {
    std::vector<GroupAt> groups;
    HEADRACE_TRY_VOID(with_index(segment, [&](SegmentIndex const& index) {
      auto const* p = index.find(tp);
      if (p == nullptr) return;
      for (auto const& g : p->groups) {
        auto const& group = index.groups()[g.group];
        if (group.received_max_ns >= time.ns)
          groups.push_back({segment->number, group.offset, group.bytes});
      }
    }));
    for (auto const& at : groups) {
      HEADRACE_TRY(auto const group, read_group(at));
      if (!group) break;
      Entries entries(group->view());
      for (Entry e; entries.next(e);) {
        if (e.to == tp && codec::record::RecordView::trusted(e.record).received() >= time) {
          return Position{at.segment, at.offset + std::uint64_t{e.at}};
        }
      }
    }
  }
  return end(tp);
}

std::uint64_t Catalog::count_after(TopicPartition tp, Position from) {
  std::uint64_t count = 0;
  SegmentPtr partly;
  {
    std::lock_guard const lock(mutex_);
    for (auto it = segments_.lower_bound(from.hi); it != segments_.end(); ++it) {
      auto const& s = it->second;
      auto const* active = s->sealed ? nullptr : s->index->find(tp);
      auto const* p = s->sealed           ? s->summary.find(tp)
                      : active == nullptr ? nullptr
                                          : &active->summary;
      if (p == nullptr || Position{s->number, p->end} <= from) continue;
      if (Position{s->number, p->first} >= from) {
        count += p->messages;
      } else {
        partly = s;
      }
    }
  }
  if (partly == nullptr) return count;
  std::optional<GroupAt> cut;  // the group that `from` is inside of
  (void)with_index(partly, [&](SegmentIndex const& index) {
    auto const* p = index.find(tp);
    if (p == nullptr) return;
    for (auto i = p->find(from.lo); i < p->groups.size(); ++i) {
      auto const& g = p->groups[i];
      if (g.first >= from.lo) {
        count += g.messages;
      } else {
        cut =
            GroupAt{partly->number, index.groups()[g.group].offset, index.groups()[g.group].bytes};
      }
    }
  });
  if (!cut) return count;
  auto const group = read_group(*cut);
  if (!group || !*group) return count;
  Entries entries((*group)->view());
  for (Entry e; entries.next(e);) {
    if (e.to == tp && cut->offset + std::uint64_t{e.at} >= from.lo)
      count += codec::record::RecordView::trusted(e.record).count();
  }
  return count;
}

std::optional<base::Timestamp> Catalog::time_at(TopicPartition tp, Position from) {
  auto const at = next_group(tp, from);
  if (!at || !*at) return std::nullopt;
  auto const group = read_group(**at);
  if (!group || !*group) return std::nullopt;
  Entries entries((*group)->view());
  for (Entry e; entries.next(e);) {
    if (e.to == tp && Position{(*at)->segment, (*at)->offset + std::uint64_t{e.at}} >= from) {
      return codec::record::RecordView::trusted(e.record).received();
    }
  }
  return std::nullopt;
}

std::optional<ProducerState> Catalog::find_producer(base::Uuid const& producer) {
  std::vector<SegmentPtr> candidates;  // newest first
  {
    std::lock_guard const lock(mutex_);
    for (auto it = segments_.rbegin(); it != segments_.rend(); ++it) {
      if (!it->second->sealed || it->second->summary.may_have(producer))
        candidates.push_back(it->second);
    }
  }
  for (auto const& segment : candidates) {
    std::optional<ProducerState> found;
    (void)with_index(segment,
                     [&](SegmentIndex const& index) { found = index.find_producer(producer); });
    if (found) return found;
  }
  return std::nullopt;
}

}  // namespace headrace::broker::log
