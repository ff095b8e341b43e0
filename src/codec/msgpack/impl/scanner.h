// SPDX-License-Identifier: Apache-2.0
// Scanner: one pass over a MessagePack document that checks all of it and fills a tape.
//   Threads: one.   Lifetime: one run() per object.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "base/error.h"
#include "codec/tape/tape.h"

namespace headrace::codec::msgpack::impl {

class Scanner {
 public:
  Scanner(tape::Tape& tape, tape::ParseOptions const& options);
  // False: fault() says why.
  bool run();
  base::Error const& fault() const { return fault_; }

 private:
  using Kind = tape::Kind;
  struct Level {
    std::uint64_t remaining;  // values to come; a map's keys count
    std::uint32_t node;       // kNoNode when it is not recorded
    std::uint16_t nesting;
  };
  static constexpr std::uint32_t kNoNode = UINT32_MAX;

  bool value();
  // `header` bytes of format and length; then what they announce.
  bool scalar(Kind kind, std::size_t bytes);
  bool text(std::size_t header, std::uint64_t size);
  bool binary(std::size_t header, std::uint64_t size);
  bool extension(std::size_t header, std::uint64_t size);
  bool timestamp(std::size_t header, std::uint64_t size);
  bool container(Kind kind, std::size_t header, std::uint64_t count);
  void close();
  // A length of `bytes` bytes after the format byte.
  bool length(std::size_t bytes, std::uint64_t& size);
  bool room(std::size_t header, std::uint64_t size, char const* what) {
    std::size_t const left = bytes_.size() - at_;
    if (left >= header && left - header >= size) [[likely]]
      return true;
    return ends_early(header, size, what);
  }
  [[gnu::cold]] bool ends_early(std::size_t header, std::uint64_t size, char const* what);
  // Moves on to `end`.
  bool record(Kind kind, std::size_t end) {
    std::size_t const begin = at_;
    at_ = end;
    if (depth_ > recorded_depth_) return true;
    if (count_ == capacity_ && !grow(begin)) [[unlikely]]
      return false;
    nodes_[count_] = {static_cast<std::uint32_t>(begin),
                      static_cast<std::uint32_t>(end),
                      count_ + 1,
                      kind,
                      false,
                      0};
    ++count_;
    return true;
  }
  bool grow(std::size_t begin);
  [[gnu::cold]] bool fail(std::size_t at, std::string what,
                          base::ErrorCode code = base::ErrorCode::kInvalidArgument);

  tape::Tape& tape_;
  base::Bytes const bytes_;
  std::size_t at_ = 0;
  tape::Node* nodes_;
  std::size_t capacity_;
  std::uint32_t count_ = 0, depth_ = 0;
  std::size_t const recorded_depth_, nesting_max_, values_max_;
  base::Error fault_;
  std::array<Level, tape::kNestingCap> levels_;  // not initialised
};

}  // namespace headrace::codec::msgpack::impl
