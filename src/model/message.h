// SPDX-License-Identifier: Apache-2.0
// Message: one report of one source, as a value. The hot path never makes one: it encodes records
// straight from what arrived (codec/record/record_writer.h) and reads views of them
// (codec/record/record_view.h).
//   Threads: a value.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "base/uuid.h"
#include "model/names.h"

namespace headrace::model {

// How a document body is encoded: as it arrived, never transcoded on the way in.
enum class BodyEncoding : unsigned char { kJson = 0, kMsgpack = 1, kPoints = 2, kNone = 3 };

struct Document {
  BodyEncoding encoding = BodyEncoding::kJson;  // kJson or kMsgpack
  std::string bytes;                            // one whole value, validated
  bool operator==(Document const&) const = default;
};

enum class ValueType : unsigned char { kFloat64 = 0, kInt64 = 1 };

// A column group: all points of one stream in one message.
struct StreamPoints {
  base::Uuid stream;
  std::string key;  // full canonical key at a producer's first use in an epoch, else empty
  ValueType value_type = ValueType::kFloat64;
  std::vector<std::int64_t> times_ns;
  std::vector<std::uint64_t> value_bits;  // IEEE 754 or two's complement, exact
  bool operator==(StreamPoints const&) const = default;
};
using Points = std::vector<StreamPoints>;

struct Message {
  std::string id;
  DataTypeName type;
  SourceId source;
  base::Timestamp time;      // the source's; `received` when it sent none
  base::Timestamp received;  // ours
  std::variant<Document, Points> body;
  bool operator==(Message const&) const = default;
};

}  // namespace headrace::model
