// SPDX-License-Identifier: Apache-2.0
// RecordSet: the records that are being built from one read or request, one per (data type,
// source). Used again and again.
//   Use:      place() and add() per message, then flush() once. Within one (data type, source)
//             sequences ascend.
//   Threads:  one. Bounds: kSlotsMax open records, kBytesMax in all: when place() finds no room,
//             flush first.
//   Cost:     per message one copy of the body; a look-up only when data type or source differ from
//             the message before.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/uuid.h"
#include "broker/broker.h"
#include "codec/record/record_writer.h"
#include "ingest/source_directory.h"
#include "ingest/type_table.h"

namespace headrace::ingest {

// Whose messages these are: the same for all of one read or request.
struct Origin {
  std::string_view principal;
  base::Timestamp received;
  std::uint32_t epoch = 0;
};

class RecordSet {
 public:
  static constexpr std::size_t kSlotsMax = 16'384;
  static constexpr std::size_t kBytesMax = codec::record::kRecordBytesMax;
  // above what a record and a message add beside names, id and body
  static constexpr std::size_t kOverhead = 2048;

  struct Slot {
    TypeEntry const* type = nullptr;
    SourcePtr source;
    codec::record::RecordWriter writer;
    std::size_t body_bytes = 0;
    std::uint32_t index_at = 0;  // where index_ names it
  };

  bool empty() const { return used_ == 0; }
  std::size_t records() const { return used_; }
  // The record for one more message of this size, begun if need be; `producer()` gives its producer
  // then. The number is that of its turn in flush(). nullopt: no room before a flush.
  template <class Producer>
  std::optional<std::size_t> place(Origin const& origin, TypeEntry const& type,
                                   SourcePtr const& source, std::size_t id_bytes,
                                   std::size_t body_bytes, Producer&& producer) {
    if (used_ != 0 && bytes_ + id_bytes + body_bytes + kOverhead > kBytesMax) return std::nullopt;
    if (auto const found = find(type, source.get())) {
      if (!slots_[*found].writer.fits(id_bytes, body_bytes)) return std::nullopt;
      return last_ = *found;
    }
    if (used_ == kSlotsMax) return std::nullopt;
    return last_ = open(origin, type, source, producer());
  }
  std::uint32_t count(std::size_t slot) const { return slots_[slot].writer.count(); }
  void add(std::size_t slot, codec::record::MessageParts const& message) {
    slots_[slot].writer.add(message);
    slots_[slot].body_bytes += message.body.size();
    bytes_ += message.body.size() + message.id.size() + codec::record::kMessageHeaderBytes + 8;
  }
  // Calls append(Slot&, record bytes) -> bool for each record in the order in which they were
  // begun, until one says false; empties the set either way.
  template <class Append>
  bool flush(Append&& append) {
    bool going = true;
    for (std::size_t i = 0; i < used_; ++i) {
      auto& slot = slots_[i];
      if (going) going = append(slot, slot.writer.finish());
      if (slot.writer.open()) slot.writer.abandon();
    }
    reset();
    return going;
  }
  void abandon() {
    flush([](Slot&, base::Bytes) { return false; });
  }

 private:
  std::optional<std::size_t> find(TypeEntry const& type, SourceState const* source) const {
    if (used_ == 0) return std::nullopt;
    if (slots_[last_].type == &type && slots_[last_].source.get() == source) return last_;
    return look_up(type, source);
  }
  std::optional<std::size_t> look_up(TypeEntry const& type, SourceState const* source) const;
  std::size_t open(Origin const& origin, TypeEntry const& type, SourcePtr const& source,
                   base::Uuid const& producer);
  void index(std::size_t slot);
  void reset();

  std::vector<Slot> slots_;  // the first used_ are open; the rest keep their buffers
  std::size_t used_ = 0;
  std::size_t last_ = 0;
  std::size_t bytes_ = 0;
  // open addressing: slot + 1, 0 is free; used from the second slot on
  std::vector<std::uint16_t> index_;
};

}  // namespace headrace::ingest
