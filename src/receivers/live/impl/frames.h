// SPDX-License-Identifier: Apache-2.0
// Frames: gathers messages into one frame per filter. Loss is found by numbers: every message that
//         a filter wants has one, a frame says
// which it carries, and a reader that misses some knows how many, wherever they were lost.
//   Threads: any; a lock is held while a batch is put in.   Bounds: frame_bytes_max per filter, or
//            one larger message.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "dispatch/receiver.h"
#include "receivers/live/impl/filter.h"

namespace headrace::receivers::live {

struct Frame {
  std::string text;                  // {"messages":[...]}
  std::uint64_t begin = 0, end = 0;  // numbers of the messages in it: [begin, end)
  std::uint64_t next =
      0;  // of the first message of the next frame: those from `end` on did not fit
};

struct Group {
  Filter filter;
  std::size_t readers = 0;
  std::string pending;
  std::uint64_t pending_begin = 0, pending_end = 0;
  std::uint64_t next_number = 0;  // of the next message that the filter wants
};
using GroupPtr = std::shared_ptr<Group>;

class Frames {
 public:
  explicit Frames(std::size_t frame_bytes_max) : frame_bytes_max_(frame_bytes_max) {}

  // `first_number`: of the first message that the new reader is owed.
  GroupPtr join(Filter const& filter, std::uint64_t& first_number);
  void leave(GroupPtr const& group);
  void put(dispatch::Batch const& batch);

  struct Closed {
    GroupPtr group;
    std::shared_ptr<Frame const> frame;
  };
  // Ends the frames that have something in them.
  std::vector<Closed> close();

 private:
  void put_one(dispatch::Delivery const& delivery);

  std::size_t const frame_bytes_max_;
  std::atomic<std::size_t> wanting_{0};  // readers that want messages
  std::mutex mutex_;
  std::map<Filter, GroupPtr> groups_;
  std::string scratch_, id_;
};

}  // namespace headrace::receivers::live
