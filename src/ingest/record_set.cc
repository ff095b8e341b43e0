// SPDX-License-Identifier: Apache-2.0
#include "ingest/record_set.h"

namespace headrace::ingest {
namespace {
constexpr std::size_t kIndexSize = 2 * RecordSet::kSlotsMax;  // a power of two, at most half full
constexpr std::size_t kKeptSlots = 64;                        // buffers kept between uses
constexpr std::size_t kKeptBytes = 256u << 10;                // per kept buffer

std::size_t hash(TypeEntry const& type, SourceState const* source) {
  return static_cast<std::size_t>((source->hash() + type.index) * 0x9E3779B97F4A7C15ull >> 32);
}
}  // namespace

std::optional<std::size_t> RecordSet::look_up(TypeEntry const& type,
                                              SourceState const* source) const {
  if (used_ <= 1) return std::nullopt;  // one slot is never indexed
  for (auto at = hash(type, source);; ++at) {
    auto const entry = index_[at & (kIndexSize - 1)];
    if (entry == 0) return std::nullopt;
    auto const& slot = slots_[entry - 1u];
    if (slot.type == &type && slot.source.get() == source) return entry - 1u;
  }
}

void RecordSet::index(std::size_t number) {
  if (index_.empty()) index_.resize(kIndexSize);
  auto& slot = slots_[number];
  auto at = hash(*slot.type, slot.source.get());
  while (index_[at & (kIndexSize - 1)] != 0) ++at;
  slot.index_at = static_cast<std::uint32_t>(at & (kIndexSize - 1));
  index_[slot.index_at] = static_cast<std::uint16_t>(number + 1);
}

std::size_t RecordSet::open(Origin const& origin, TypeEntry const& type, SourcePtr const& source,
                            base::Uuid const& producer) {
  if (used_ == slots_.size()) slots_.emplace_back();
  auto& slot = slots_[used_];
  slot.type = &type;
  slot.source = source;
  slot.body_bytes = 0;
  slot.writer.begin({.principal = origin.principal,
                     .source = source->id(),
                     .producer = producer,
                     .epoch = origin.epoch,
                     .received = origin.received});
  bytes_ += slot.writer.bytes();
  ++used_;
  if (used_ == 2) index(0);
  if (used_ >= 2) index(used_ - 1);
  return used_ - 1;
}

void RecordSet::reset() {
  for (std::size_t i = 0; i < used_; ++i) {
    auto& slot = slots_[i];
    slot.source.reset();
    if (used_ >= 2) index_[slot.index_at] = 0;
    if (i < kKeptSlots && slot.body_bytes > kKeptBytes) slot = Slot{};
  }
  if (slots_.size() > kKeptSlots) slots_.resize(kKeptSlots);
  used_ = 0;
  last_ = 0;
  bytes_ = 0;
}

}  // namespace headrace::ingest
