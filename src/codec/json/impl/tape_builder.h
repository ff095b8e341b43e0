// SPDX-License-Identifier: Apache-2.0
// TapeBuilder: what both passes do with a value that is good: a node, while it is not deeper than
// asked.
//   Threads: one.   Lifetime: one document.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "codec/tape/tape.h"

namespace headrace::codec::json::impl {

class TapeBuilder {
 public:
  using Kind = tape::Kind;

  // `tape.nodes` is grown as needed; what is in use starts at index 0.
  TapeBuilder(tape::Tape& tape, tape::ParseOptions const& options)
      : tape_(tape),
        nodes_(tape.nodes.data()),
        capacity_(static_cast<std::uint32_t>(tape.nodes.size())),
        recorded_depth_(static_cast<std::uint32_t>(
            std::min<std::size_t>(options.recorded_depth, tape::kNestingCap))),
        nesting_max_(static_cast<std::uint32_t>(std::min(options.nesting_max, tape::kNestingCap))),
        values_max_(
            static_cast<std::uint32_t>(std::min<std::size_t>(options.values_max, UINT32_MAX - 1))) {
  }

  std::uint32_t depth() const { return depth_; }
  bool full() const { return depth_ == nesting_max_; }
  bool recording() const { return depth_ <= recorded_depth_; }
  bool in_object() const { return levels_[depth_ - 1].object; }

  // All false: no more values are allowed.
  bool add(Kind kind, std::uint32_t begin, std::uint32_t end, bool escaped = false) {
    if (!recording()) return true;
    if (count_ == capacity_ && !grow()) [[unlikely]]
      return false;
    tape::Node& node = nodes_[count_++];
    node.begin = begin;
    node.end = end;
    node.next = count_;
    node.kind = kind;
    node.escaped = escaped;
    node.nesting = 0;
    return true;
  }
  bool open(bool object, std::uint32_t begin) {
    std::uint32_t const node = recording() ? count_ : kNoNode;
    if (!add(object ? Kind::kObject : Kind::kArray, begin, begin)) return false;
    levels_[depth_++] = {node, 0, object};
    return true;
  }
  void close(std::uint32_t end) {
    Level const level = levels_[--depth_];
    auto const nesting = static_cast<std::uint16_t>(level.nesting + 1);
    if (depth_ > 0) levels_[depth_ - 1].nesting = std::max(levels_[depth_ - 1].nesting, nesting);
    if (level.node == kNoNode) return;
    tape::Node& node = nodes_[level.node];
    node.end = end;
    node.next = count_;
    node.nesting = nesting;
  }

 private:
  struct Level {
    std::uint32_t node;     // kNoNode when it is not recorded
    std::uint16_t nesting;  // of what was in it so far
    bool object;
  };
  static constexpr std::uint32_t kNoNode = UINT32_MAX;
  static constexpr std::size_t kFirstNodes = 256;

  bool grow() {
    if (capacity_ >= values_max_) return false;
    tape_.nodes.resize(
        std::min<std::size_t>(std::max(kFirstNodes, std::size_t{capacity_} * 2), values_max_));
    nodes_ = tape_.nodes.data();
    capacity_ = static_cast<std::uint32_t>(tape_.nodes.size());
    return true;
  }

  tape::Tape& tape_;
  tape::Node* nodes_;
  std::uint32_t count_ = 0, capacity_, depth_ = 0;
  std::uint32_t const recorded_depth_, nesting_max_, values_max_;
  std::array<Level, tape::kNestingCap> levels_;  // not initialised: 8 KB
};

}  // namespace headrace::codec::json::impl
