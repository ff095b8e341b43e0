// SPDX-License-Identifier: Apache-2.0
// Tape and Value: a validated document, JSON or MessagePack, as a flat list of nodes over the bytes
// that arrived. codec/json and codec/msgpack fill it; whoever walks an envelope or a body writes
// the walk once for both.
//
//   std::string scratch;
//   HEADRACE_TRY(auto const root, parser.parse(bytes));             // json::Parser or
//   msgpack::Parser for (auto const [key, value] : root.members())
//     if (key.text(scratch) == "body") body = value.raw();          // verbatim, no copy
//
//   Threads:  a Tape is changed by its parser only; Values read it from any thread as long as it
//   stands still.
//   Lifetime: a Value needs its parser (until the next parse()) and the bytes that were parsed.
//   Errors:   none here; what the parser accepted can be read. An accessor that does not fit the
//   kind gives nullopt.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"

namespace headrace::codec::tape {

enum class Encoding : std::uint8_t { kJson, kMsgpack };

enum class Kind : std::uint8_t {
  kNull,
  kFalse,
  kTrue,
  kInt64,   // every integer that fits int64
  kUint64,  // only integers above the largest int64
  kDouble,
  kString,
  kArray,
  kObject,
  kBinary,     // MessagePack only: bin
  kExtension,  // MessagePack only: ext, timestamps (type -1) too
};
std::string_view name(
    Kind
        // "null", "boolean", "integer", "number", "string", "array", "object", "binary",
        // "extension"
        kind);

// One value. A container's children follow it; an object's are key, value, key, value...
struct Node {
  std::uint32_t begin = 0, end = 0;  // the value's bytes: [begin, end)
  std::uint32_t next = 0;            // index of the node after this value and all inside it
  Kind kind = Kind::kNull;
  bool escaped = false;       // a JSON string with escapes
  std::uint16_t nesting = 0;  // levels of containers: 0 scalar, 1 a container of scalars only, ...
};
static_assert(sizeof(Node) == 16);

struct Tape {
  std::vector<Node> nodes;  // storage: a parser keeps it larger than what is in use
  base::Bytes bytes;
  Encoding encoding = Encoding::kJson;
};

class Elements;
class Members;

class Value {
 public:
  Value(Tape const& tape, std::uint32_t index) : tape_(&tape), index_(index) {}

  Kind kind() const { return node().kind; }
  bool is_object() const { return kind() == Kind::kObject; }
  bool is_array() const { return kind() == Kind::kArray; }
  bool is_string() const { return kind() == Kind::kString; }
  bool is_null() const { return kind() == Kind::kNull; }
  bool is_number() const { return kind() >= Kind::kInt64 && kind() <= Kind::kDouble; }
  Encoding encoding() const { return tape_->encoding; }

  // The value's own bytes, as they arrived; one whole value in the same encoding.
  base::Bytes raw() const { return tape_->bytes.subspan(node().begin, node().end - node().begin); }
  // Where it begins in the parsed bytes, for messages about it.
  std::size_t offset() const { return node().begin; }
  // Levels of arrays and objects in it: 0 for a scalar, 1 for [1,2], 2 for [[]].
  std::size_t nesting() const { return node().nesting; }

  std::optional<bool> as_bool() const;
  std::optional<std::int64_t> as_int64()
      const;  // integers that fit; never a rounded one, never of a kDouble
  std::optional<std::uint64_t> as_uint64() const;  // the same, 0 and above
  std::optional<double> as_double() const;         // any number; integers beyond 2^53 are rounded
  // A string's characters, escapes resolved: a view of the parsed bytes when nothing had to be
  // resolved, else of `scratch`, which is overwritten. kString only.
  std::optional<std::string_view> as_string(std::string& scratch) const;
  // The same for keys and comparisons: "" when it is no string.
  std::string_view text(std::string& scratch) const {
    return as_string(scratch).value_or(std::string_view{});
  }
  // kBinary: its bytes. kExtension: its data.
  std::optional<base::Bytes> as_binary() const;
  std::optional<std::int8_t> extension_type() const;
  // A MessagePack timestamp that fits int64 nanoseconds.
  std::optional<base::Timestamp> as_timestamp() const;

  // For kArray and kObject; of other kinds, and of containers below the parser's recorded depth,
  // the ranges are empty.
  Elements elements() const;
  Members members() const;
  // The member with this key (the last one, when a key is there twice). Cost: a walk over the
  // members.
  std::optional<Value> find(std::string_view key) const;

 private:
  friend class Elements;
  friend class Members;
  Node const& node() const { return tape_->nodes[index_]; }

  Tape const* tape_;
  std::uint32_t index_;
};

struct Member {
  Value key;  // JSON: always a string; MessagePack: any kind
  Value value;
};

class Elements {
 public:
  class Iterator {
   public:
    Iterator(Tape const* tape, std::uint32_t at) : tape_(tape), at_(at) {}
    Value operator*() const { return Value(*tape_, at_); }
    Iterator& operator++() {
      at_ = tape_->nodes[at_].next;
      return *this;
    }
    bool operator==(Iterator const& other) const { return at_ == other.at_; }

   private:
    Tape const* tape_;
    std::uint32_t at_;
  };

  Elements(Tape const* tape, std::uint32_t begin, std::uint32_t end)
      : tape_(tape), begin_(begin), end_(end) {}
  Iterator begin() const { return {tape_, begin_}; }
  Iterator end() const { return {tape_, end_}; }
  bool empty() const { return begin_ == end_; }

 private:
  Tape const* tape_;
  std::uint32_t begin_, end_;
};

class Members {
 public:
  class Iterator {
   public:
    Iterator(Tape const* tape, std::uint32_t at) : tape_(tape), at_(at) {}
    Member operator*() const { return {Value(*tape_, at_), Value(*tape_, tape_->nodes[at_].next)}; }
    Iterator& operator++() {
      at_ = tape_->nodes[tape_->nodes[at_].next].next;
      return *this;
    }
    bool operator==(Iterator const& other) const { return at_ == other.at_; }

   private:
    Tape const* tape_;
    std::uint32_t at_;
  };

  Members(Tape const* tape, std::uint32_t begin, std::uint32_t end)
      : tape_(tape), begin_(begin), end_(end) {}
  Iterator begin() const { return {tape_, begin_}; }
  Iterator end() const { return {tape_, end_}; }
  bool empty() const { return begin_ == end_; }

 private:
  Tape const* tape_;
  std::uint32_t begin_, end_;
};

inline Elements Value::elements() const {
  bool const has = is_array();
  return {tape_, has ? index_ + 1 : index_, has ? node().next : index_};
}
inline Members Value::members() const {
  bool const has = is_object();
  return {tape_, has ? index_ + 1 : index_, has ? node().next : index_};
}

// The first key that stands in `object` for the second time: envelopes refuse it, bodies may have
// it. Keys are equal when their decoded text is; keys that are no strings when their bytes are.
std::optional<Value> find_duplicate_key(Value object);

// What both parsers are told.
struct ParseOptions {
  std::size_t nesting_max =
      32;  // levels of arrays and objects, the outermost counts 1; at most kNestingCap
  // Values inside more containers than this are checked, but get no nodes: 0 the root only, 1 its
  // members too, 2 the members of messages in a batch. A container without nodes below it looks
  // empty; its raw() and nesting() are right.
  std::size_t recorded_depth = SIZE_MAX;
  std::size_t values_max = 4'000'000;  // nodes, keys too; 16 bytes each
};
inline constexpr std::size_t kNestingCap = 1024;

}  // namespace headrace::codec::tape
