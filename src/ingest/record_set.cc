// SPDX-License-Identifier: Apache-2.0
#include "ingest/record_set.h"

#include "base/assert.h"

namespace headrace::ingest {
namespace {
constexpr std::size_t kIndexSize = 2 * RecordSet::kSlotsMax;  // a power of two, at most half full
constexpr std::size_t kKeptSlots = 64;                        // buffers kept between uses
constexpr std::size_t kKeptBytes = 256u << 10;                // per kept buffer
}  // namespace

std::size_t RecordSet::hash(TypeEntry const& type, SourceState const* source) {
  return static_cast<std::size_t>((source->hash() + type.index) * 0x9E3779B97F4A7C15ull >> 32);
}

RecordSet::Slot* RecordSet::find(TypeEntry const& type, SourceState const* source) {
  if (last_ && last_->type == &type && last_->source.get() == source) return last_;
  if (used_ <= 1) return nullptr;  // one slot is never indexed
  for (auto at = hash(type, source);; ++at) {
    auto const entry = index_[at & (kIndexSize - 1)];
    if (entry == 0) return nullptr;
    auto& slot = slots_[entry - 1u];
    if (slot.type == &type && slot.source.get() == source) return &slot;
  }
}

bool RecordSet::room(TypeEntry const& type, SourcePtr const& source, std::size_t id_bytes, std::size_t body_bytes) {
  // Header, names, padding: well above what a record or message adds beside its body.
  constexpr std::size_t kOverhead = 2048;
  if (used_ != 0 && bytes_ + id_bytes + body_bytes + kOverhead > kBytesMax) return false;
  auto* slot = find(type, source.get());
  return slot ? slot->writer.fits(id_bytes, body_bytes) : used_ < kSlotsMax;
}

void RecordSet::add(Origin const& origin, TypeEntry const& type, SourcePtr const& source, base::Uuid const& producer,
                    codec::record::MessageParts const& message) {
  auto* slot = find(type, source.get());
  if (!slot) slot = &open(origin, type, source, producer);
  slot->writer.add(message);
  slot->body_bytes += message.body.size();
  bytes_ += message.body.size() + message.id.size() + codec::record::kMessageHeaderBytes + 8;
  last_ = slot;
}

RecordSet::Slot& RecordSet::open(Origin const& origin, TypeEntry const& type, SourcePtr const& source,
                                 base::Uuid const& producer) {
  HEADRACE_ASSERT(used_ < kSlotsMax, "room() said no");
  if (used_ == slots_.size()) slots_.emplace_back();
  auto const index_slot = [this](std::size_t number) {
    auto const& slot = slots_[number];
    auto at = hash(*slot.type, slot.source.get());
    while (index_[at & (kIndexSize - 1)] != 0) ++at;
    index_[at & (kIndexSize - 1)] = static_cast<std::uint16_t>(number + 1);
  };
  auto& slot = slots_[used_];
  slot.type = &type;
  slot.source = source;
  slot.writer.begin({.principal = origin.principal,
                     .source = source->id(),
                     .producer = producer,
                     .epoch = origin.epoch,
                     .received = origin.received});
  slot.body_bytes = 0;
  bytes_ += slot.writer.bytes();
  ++used_;
  if (used_ == 2) {
    if (index_.empty()) index_.resize(kIndexSize);
    index_slot(0);
  }
  if (used_ >= 2) index_slot(used_ - 1);
  return slot;
}

void RecordSet::release(Slot& slot) {
  if (slot.writer.open()) slot.writer.abandon();
  slot.source.reset();
}

void RecordSet::reset() {
  for (std::size_t i = 0; i < used_ && i < kKeptSlots; ++i)
    if (slots_[i].body_bytes > kKeptBytes) slots_[i] = Slot{};
  if (slots_.size() > kKeptSlots) slots_.resize(kKeptSlots);
  if (used_ >= 2) std::fill(index_.begin(), index_.end(), std::uint16_t{0});
  used_ = 0;
  bytes_ = 0;
  last_ = nullptr;
}

}  // namespace headrace::ingest
