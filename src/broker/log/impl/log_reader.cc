// SPDX-License-Identifier: Apache-2.0
#include "broker/log/impl/log_reader.h"

#include <algorithm>

namespace headrace::broker::log {
namespace {

constexpr std::uint64_t kFarBytes =
    16u << 20;  // a cursor this far ahead of the last one may take its turn
constexpr unsigned kTurnEvery = 4;

}  // namespace

LogReader::LogReader(Catalog& catalog, std::vector<Assignment> assignments, Wake wake)
    : catalog_(catalog), waiter_(std::make_shared<Waiter>()) {
  for (auto const& a : assignments) {
    by_partition_[a.partition] = static_cast<std::uint32_t>(cursors_.size());
    cursors_.push_back({a.partition, a.from, std::nullopt, 0});
    waiter_->partitions.insert(a.partition);
  }
  waiter_->wake = std::move(wake);
  catalog_.add_waiter(waiter_);
}

LogReader::~LogReader() { catalog_.remove_waiter(waiter_); }

// What was removed between the cursor and where it goes on.
void LogReader::skip_expired(Cursor& c, Fetched& out) {
  if (c.next && c.next->segment == c.at.hi) return;
  auto const to = c.next ? Position{c.next->segment, c.next->offset} : catalog_.end(c.partition);
  if (to <= c.at) return;
  if (auto const lost = catalog_.expired_between(c.partition, c.at, to); lost > 0) {
    out.expired.push_back({c.partition, c.at, to, lost});
    c.at = to;
  }
}

base::Result<void> LogReader::look(std::uint64_t version, Fetched& out) {
  for (auto& c : cursors_) {
    if (c.looked != 0 && (c.next || c.looked == version)) continue;
    HEADRACE_TRY(c.next, catalog_.next_group(c.partition, c.at));
    c.looked = version;
    skip_expired(c, out);
    if (c.next && c.next == open_) open_.reset();  // one more that wants the whole of it
  }
  return {};
}

std::optional<GroupAt> LogReader::choose() {
  std::optional<GroupAt> first;
  for (auto const& c : cursors_) {
    if (c.next && (!first || *c.next < *first)) first = c.next;
  }
  if (!first || ++chosen_ % kTurnEvery != 0) return first;
  for (std::size_t i = 0; i < cursors_.size(); ++i) {
    auto const& c = cursors_[turn_++ % cursors_.size()];
    if (!c.next) continue;
    if (c.next->segment != first->segment || c.next->offset > first->offset + kFarBytes)
      return c.next;
  }
  return first;
}

LogReader::Cursor* LogReader::cursor_of(TopicPartition tp) {
  auto const it = by_partition_.find(tp);
  return it == by_partition_.end() ? nullptr : &cursors_[it->second];
}

bool LogReader::take(Group const& group, std::size_t bytes_max, Fetched& out) {
  GroupAt const here{group.segment, group.offset, group.bytes};
  bool kept = false;
  TopicPartition last;
  Cursor* cursor = nullptr;
  Entries entries(group.view(), open_ == here ? open_from_ : kGroupHeaderBytes);
  for (Entry e; entries.next(e);) {
    if (e.to != last || cursor == nullptr) {
      last = e.to;
      cursor = cursor_of(e.to);
    }
    Position const at{group.segment, group.offset + std::uint64_t{e.at}};
    if (cursor == nullptr || cursor->next != here || at < cursor->at) continue;
    if (!out.records.empty() && bytes_ + e.record.size() > bytes_max) {
      open_ = here;
      open_from_ = e.at;
      return false;
    }
    if (!kept) kept_.push_back(group);
    kept = true;
    bytes_ += e.record.size();
    cursor->at = {group.segment, group.offset + std::uint64_t{e.next()}};
    out.records.push_back({e.to, at, cursor->at, e.record});
  }
  for (auto& c : cursors_) {
    if (c.next == here) c.looked = 0;
  }
  open_.reset();
  return true;
}

base::Result<Fetched> LogReader::fetch(std::size_t bytes_max) {
  kept_.clear();
  bytes_ = 0;
  Fetched out;
  for (;;) {
    auto const version = catalog_.version();
    auto const looked = look(version, out);
    if (!looked && out.records.empty()) return looked.error();
    if (!looked) return out;
    auto const next = choose();
    if (!next) {
      // More may have come since we looked; then look again.
      if (!catalog_.arm(*waiter_, version)) continue;
      out.at_end = true;
      return out;
    }
    auto group = catalog_.read_group(*next);
    if (!group && out.records.empty()) return group.error();
    if (!group) return out;  // the next call says so
    if (!*group) {           // removed meanwhile
      for (auto& c : cursors_) c.looked = 0;
      continue;
    }
    if (!take(**group, bytes_max, out) || bytes_ >= bytes_max) return out;
  }
}

}  // namespace headrace::broker::log
