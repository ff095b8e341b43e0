// SPDX-License-Identifier: Apache-2.0
// Groups: collect, build, write, sync, publish, settle, fail.
#include "broker/log/impl/log_writer.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/assert.h"
#include "base/log.h"

namespace headrace::broker::log {

LogWriter::LogWriter(LogOptions const& options, base::FileSystem& files, base::Clock& clock,
                     Catalog& catalog, TopicTable const& topics, WorkSignal& signal,
                     BufferPool& pool, Recovered recovered)
    : options_(options),
      files_(files),
      clock_(clock),
      catalog_(catalog),
      topics_(topics),
      signal_(signal),
      pool_(pool),
      last_number_(recovered.last_number),
      last_end_(recovered.last_end),
      spares_(std::move(recovered.spares)),
      last_write_(clock.steady()),
      last_retention_(clock.steady()),
      last_probe_(clock.steady()) {
  note_spares();
  auto opened = make_reserve();
  if (opened) opened = ensure_room(kBlockBytes);
  if (!opened) note_error(opened.error());
  retain();
}

void LogWriter::add_appender(std::shared_ptr<AppenderState> state) {
  std::lock_guard const lock(appenders_mutex_);
  appenders_.push_back(std::move(state));
}

bool LogWriter::step() {
  if (full_ && !fenced_) heal();
  auto taken = collect();
  if (taken.empty()) return idle();
  last_write_ = clock_.steady();
  finish(taken);
  if (clock_.steady() - last_retention_ >= kRetentionEvery) retain();
  return true;
}

void LogWriter::finish(std::vector<Taken>& taken) {
  bool const refusing = fenced_ || full_;
  auto const written = refusing ? base::Result<void>(refusal_) : write(taken);
  if (written) return settle(taken);
  if (!refusing) note_error(written.error());
  fail(taken, refusal_);
}

std::vector<LogWriter::Taken> LogWriter::collect() {
  std::vector<Taken> out;
  std::vector<std::shared_ptr<AppenderState>> appenders;
  {
    std::lock_guard const lock(appenders_mutex_);
    // Those that are gone and settled need no more.
    std::erase_if(appenders_, [](auto const& a) {
      std::lock_guard const inner(a->mutex);
      return a->wake == nullptr && a->pending.empty();
    });
    appenders = appenders_;
  }
  if (appenders.empty()) return out;
  std::size_t bytes = kGroupHeaderBytes, idle = 0;
  for (turn_ %= appenders.size(); idle < appenders.size(); turn_ = (turn_ + 1) % appenders.size()) {
    auto& from = appenders[turn_];
    std::lock_guard const lock(from->mutex);
    if (from->pending.empty()) {
      ++idle;
      continue;
    }
    auto const more = from->pending.front().entry_bytes();
    if (!out.empty() && bytes + more > options_.group_bytes_max) return out;
    idle = 0;
    bytes += more;
    out.push_back({from, std::move(from->pending.front())});
    from->pending.pop_front();
  }
  return out;
}

Group LogWriter::build(std::vector<Taken>& taken, GroupHeader& header) {
  std::size_t bytes = kGroupHeaderBytes;
  for (auto const& t : taken) bytes += t.chunk.entry_bytes();
  auto& only = taken.front().chunk;
  bool const as_it_is = taken.size() == 1 && padded(bytes) * 4 > only.buffer->capacity();
  Group group{active_->number, static_cast<std::uint32_t>(active_->end),
              static_cast<std::uint32_t>(bytes),
              as_it_is ? only.buffer : pool_.take(padded(bytes))};
  header = {group.bytes,
            0,
            active_->end,
            active_->synced,
            taken.front().chunk.received_min_ns,
            taken.front().chunk.received_max_ns,
            clock_.now().ns,
            0,
            0};
  auto at = kGroupHeaderBytes;
  for (auto& t : taken) {
    auto& c = t.chunk;
    c.base = {group.segment, group.offset + at};
    if (!as_it_is)
      std::memcpy(group.buffer->data() + at, c.buffer->data() + kGroupHeaderBytes, c.entry_bytes());
    at += c.entry_bytes();
    header.records += static_cast<std::uint32_t>(c.ends.size());
    header.messages += c.messages;
    header.received_min_ns = std::min(header.received_min_ns, c.received_min_ns);
    header.received_max_ns = std::max(header.received_max_ns, c.received_max_ns);
  }
  std::memset(group.buffer->data() + bytes, 0, padded(bytes) - bytes);
  encode_group_header(header, active_->seed, {group.buffer->data(), bytes});
  return group;
}

base::Result<void> LogWriter::write(std::vector<Taken>& taken) {
  std::size_t bytes = kGroupHeaderBytes;
  bool wants_sync = false;
  for (auto const& t : taken) {
    bytes += t.chunk.entry_bytes();
    wants_sync = wants_sync || t.chunk.wants_sync;
  }
  HEADRACE_TRY_VOID(ensure_room(padded(bytes)));
  GroupHeader header;
  auto group = build(taken, header);
  HEADRACE_TRY_VOID(write_group(group));
  if (wants_sync) HEADRACE_TRY_VOID(sync());
  ++groups_;
  records_ += header.records;
  bytes_ += bytes;
  catalog_.publish(std::move(group), header);
  return {};
}

void LogWriter::drain() {
  for (;;) {
    auto taken = collect();
    if (taken.empty()) return;
    finish(taken);
  }
}

// A failed write leaves `end` where it is: the next group goes over whatever was written.
base::Result<void> LogWriter::write_group(Group const& group) {
  HEADRACE_TRY_VOID(
      active_->file->write_at(group.offset, {group.buffer->data(), padded(group.bytes)}));
  active_->end += padded(group.bytes);
  return {};
}

base::Result<void> LogWriter::sync() {
  ++syncs_;
  if (auto const synced = active_->file->sync_data(); !synced) {
    // Whatever the reason, what was written may be lost, and another sync would lie about it.
    auto error = synced.error();
    error.code = base::ErrorCode::kIo;
    return error;
  }
  active_->synced = active_->end;
  return {};
}

void LogWriter::settle(std::vector<Taken>& taken) {
  for (auto& t : taken) {
    auto const bytes = t.chunk.entry_bytes();
    t.chunk.buffer = nullptr;
    signal_.taken(bytes);
    std::lock_guard const lock(t.from->mutex);
    t.from->unsettled_bytes -= bytes;
    t.from->settled_to = t.chunk.last();
    if (t.from->wake == nullptr) continue;
    t.from->settled.push_back(std::move(t.chunk));
    t.from->wake();
  }
}

void LogWriter::fail_chunk(AppenderState& from, Chunk const& chunk, base::Error const& error) {
  signal_.taken(chunk.entry_bytes());
  from.unsettled_bytes -= chunk.entry_bytes();
  from.settled_to = std::max(from.settled_to, chunk.last());
  from.failed.push_back({chunk.first, chunk.last(), error});
  if (from.wake != nullptr) from.wake();
}

// With a record fails everything that its appender was given after it: no gaps. What comes later
// is refused by the appender until a poll has reported the failure.
void LogWriter::fail(std::vector<Taken>& taken, base::Error const& error) {
  for (auto& t : taken) {
    std::lock_guard const lock(t.from->mutex);
    fail_chunk(*t.from, t.chunk, error);
  }
  for (auto& t : taken) {
    std::lock_guard const lock(t.from->mutex);
    for (auto const& chunk : t.from->pending) fail_chunk(*t.from, chunk, error);
    t.from->pending.clear();
  }
}

void LogWriter::note_error(base::Error const& error) {
  if (error.code != base::ErrorCode::kOverloaded) return fence(error);
  base::log_warn("the log takes nothing until there is room", {{"error", base::to_string(error)}});
  full_ = true;
  last_probe_ = clock_.steady();
  // What the reserve held is for cursors and dead letters now.
  if (reserve_there_ && files_.remove(path("reserve"))) reserve_there_ = false;
  std::lock_guard const lock(state_mutex_);
  state_ = "full: " + error.context;
  refusal_ = error;
  signal_.refuse(error);
}

void LogWriter::fence(base::Error const& error) {
  base::log_error("the log is fenced: nothing is accepted until a restart",
                  {{"error", base::to_string(error)}});
  fenced_ = true;
  std::lock_guard const lock(state_mutex_);
  state_ = "fenced after an I/O error, restart: " + error.context;
  refusal_ = {base::ErrorCode::kUnavailable,
              "the log is fenced after an I/O error: " + error.context};
  signal_.refuse(refusal_);
}

BrokerStats LogWriter::stats() const {
  BrokerStats s;
  s.stored_bytes = catalog_.stored_bytes() + spare_bytes_;
  s.disk_budget_bytes = options_.disk_budget_bytes;
  s.unsettled_bytes = signal_.pending_bytes();
  s.groups_total = groups_;
  s.records_total = records_;
  s.bytes_total = bytes_;
  s.syncs_total = syncs_;
  s.fenced = fenced_;
  s.disk_full = full_;
  std::lock_guard const lock(state_mutex_);
  s.state = state_;
  return s;
}

}  // namespace headrace::broker::log
