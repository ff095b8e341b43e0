// SPDX-License-Identifier: Apache-2.0
// RecordSet: the records that are being built from one read or request, one per (data type, source). Used again and again.
//   Use:      add() per message, then flush() once. Within one (data type, source) sequences ascend.
//   Threads:  one.   Bounds: kSlotsMax open records, kBytesMax in all: when room() says no, flush first.
//   Cost:     per message one copy of the body; a look-up only when data type or source differ from the message before.
#pragma once

#include <cstdint>
#include <memory>
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
  static constexpr std::size_t kSlotsMax = 1024;
  static constexpr std::size_t kBytesMax = codec::record::kRecordBytesMax;

  struct Slot {
    TypeEntry const* type = nullptr;
    SourcePtr source;
    codec::record::RecordWriter writer;
    std::size_t body_bytes = 0;
  };

  bool empty() const { return used_ == 0; }
  std::size_t records() const { return used_; }
  // Whether one more message of this size and source can be added before a flush.
  bool room(TypeEntry const& type, SourcePtr const& source, std::size_t id_bytes, std::size_t body_bytes);
  // room() was true. `producer` counts at the first message of a record.
  void add(Origin const& origin, TypeEntry const& type, SourcePtr const& source, base::Uuid const& producer,
           codec::record::MessageParts const& message);
  // Calls append(Slot&, record bytes) -> bool for each record in the order in which they were begun, until one says false;
  // empties the set either way.
  template <class Append>
  bool flush(Append&& append) {
    bool going = true;
    for (std::size_t i = 0; i < used_; ++i) {
      auto& slot = slots_[i];
      if (going) going = append(slot, slot.writer.finish());
      release(slot);
    }
    reset();
    return going;
  }
  void abandon() {
    flush([](Slot&, base::Bytes) { return false; });
  }

 private:
  Slot* find(TypeEntry const& type, SourceState const* source);
  Slot& open(Origin const& origin, TypeEntry const& type, SourcePtr const& source, base::Uuid const& producer);
  void release(Slot& slot);
  void reset();
  static std::size_t hash(TypeEntry const& type, SourceState const* source);

  std::vector<Slot> slots_;          // the first used_ are open; the rest keep their buffers
  std::size_t used_ = 0;
  Slot* last_ = nullptr;
  std::size_t bytes_ = 0;
  std::vector<std::uint16_t> index_;  // open addressing: slot number + 1, 0 is free; used from the second slot on
};

}  // namespace headrace::ingest
