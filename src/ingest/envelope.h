// SPDX-License-Identifier: Apache-2.0
// EnvelopeDecoder: the object around a message's body, the same for every handler that takes JSON
//   or MessagePack: {"id"?, "type", "source", "time"?, "body"}, and what handlers put around or
//   beside that: "seq", "messages".
//   Checked: only keys that the handler allows, each once; kinds; names and ids by model/names.h;
//            that the data type exists; time (RFC 3339 text, integer nanoseconds, or the
//            MessagePack timestamp) not beyond the future bound; body size and nesting.
//   Errors:  with path ("messages[3].time") and byte offset: invalid_argument, not_found (data
//            type), too_large.
//   Threads: one. Lifetime: fields are views of what was parsed and of the decoder: until its next
//            decode().
//   Cost:    one walk over the members; allocates only for strings with escapes, once, and for
//            errors.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/error.h"
#include "codec/tape/tape.h"
#include "ingest/type_table.h"
#include "model/limits.h"
#include "model/message.h"

namespace headrace::ingest {

enum class Field : unsigned char { kId, kType, kSource, kTime, kBody, kSeq, kMessages };
inline constexpr std::size_t kFieldCount = 7;
std::string_view name(Field field);

// A set of fields.
using Fields = unsigned;
constexpr Fields fields(std::initializer_list<Field> list) {
  Fields set = 0;
  for (auto const field : list) set |= 1u << static_cast<unsigned>(field);
  return set;
}
inline constexpr Fields kMessageFields =
    fields({Field::kId, Field::kType, Field::kSource, Field::kTime, Field::kBody});

struct Envelope {
  Fields present = 0;
  std::string_view id, source;      // empty: not there
  TypeEntry const* type = nullptr;  // null: not there
  base::Timestamp time;
  std::uint64_t seq = 0;
  base::Bytes body;
  model::BodyEncoding encoding = model::BodyEncoding::kJson;
  std::optional<codec::tape::Value> messages;  // an array

  bool has(Field field) const { return present >> static_cast<unsigned>(field) & 1; }
};

// Where an object stands in its document, for paths in errors.
struct Place {
  enum class Root : unsigned char {
    kDocument,
    kElement,
    kMessages
  };  // "time", "[3].time", "messages[3].time"
  Root root = Root::kDocument;
  std::size_t index = 0;
};

class EnvelopeDecoder {
 public:
  EnvelopeDecoder(TypeTable const& types, model::Limits const& limits)
      : types_(types), limits_(limits) {}

  // `object` is any value; `now` is for the future bound. False: error() says why, `out` has what
  // was read before it.
  bool decode(codec::tape::Value object, Fields allowed, Place place, base::Timestamp now,
              Envelope& out);
  base::Error const& error() const { return error_; }
  // For what the caller finds missing or wrong itself: sets error() in the same form; returns
  // false.
  bool refuse(Place place, std::string_view field, base::ErrorCode code, std::string_view why);
  bool refuse_missing(Place place, Field field) {
    return refuse(place, name(field), base::ErrorCode::kInvalidArgument, "missing");
  }

 private:
  std::optional<Field> field_of(std::string_view key) const;
  bool unknown_key(std::string_view key, std::size_t offset, Fields allowed, Place place);
  bool read(Field field, codec::tape::Value value, Place place, base::Timestamp now, Envelope& out);
  bool read_type(codec::tape::Value value, Place place, Envelope& out);
  bool read_name(Field field, codec::tape::Value value, Place place, std::string_view& out);
  bool read_time(codec::tape::Value value, Place place, base::Timestamp now, Envelope& out);
  bool read_body(codec::tape::Value value, Place place, Envelope& out);
  bool wrong_kind(Field field, codec::tape::Value value, Place place, std::string_view expected);
  bool wrong(Field field, codec::tape::Value value, Place place, base::ErrorCode code,
             std::string_view why);

  TypeTable const& types_;
  model::Limits const& limits_;
  TypeEntry const* last_type_ = nullptr;
  std::string last_source_;  // that passed the check
  std::string key_scratch_;
  std::array<std::string, kFieldCount> scratch_;
  base::Error error_;
};

}  // namespace headrace::ingest
