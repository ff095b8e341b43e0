// SPDX-License-Identifier: Apache-2.0
#include "receivers/live/impl/frames.h"

#include "receivers/live/message_json.h"

namespace headrace::receivers::live {

GroupPtr Frames::join(Filter const& filter, std::uint64_t& first_number) {
  std::lock_guard const lock(mutex_);
  auto& group = groups_[filter];
  if (!group) {
    group = std::make_shared<Group>();
    group->filter = filter;
  }
  ++group->readers;
  if (filter.messages) wanting_.fetch_add(1, std::memory_order_relaxed);
  first_number = group->pending.empty() ? group->next_number : group->pending_begin;
  return group;
}

void Frames::leave(GroupPtr const& group) {
  std::lock_guard const lock(mutex_);
  if (group->filter.messages) wanting_.fetch_sub(1, std::memory_order_relaxed);
  if (--group->readers == 0) groups_.erase(group->filter);
}

void Frames::put(dispatch::Batch const& batch) {
  if (wanting_.load(std::memory_order_relaxed) == 0) return;
  std::lock_guard const lock(mutex_);
  for (auto const& delivery : batch.messages) put_one(delivery);
  if (scratch_.capacity() > 4 * frame_bytes_max_) scratch_ = {};  // one huge body must not stay
}

void Frames::put_one(dispatch::Delivery const& delivery) {
  bool encoded = false;
  for (auto& [filter, group] : groups_) {
    if (!filter.wants(delivery.data_type, delivery.record.source())) continue;
    auto const number = group->next_number++;
    bool const gap = !group->pending.empty() && group->pending_end != number;
    if (gap || group->pending.size() >= frame_bytes_max_) continue;
    if (!encoded) {
      scratch_.clear();
      id_.clear();
      codec::record::append_message_id(id_, delivery.record, delivery.message);
      append_message_json(scratch_, {.id = id_,
                                     .type = delivery.data_type,
                                     .source = delivery.record.source(),
                                     .time = delivery.message.time(),
                                     .received = delivery.record.received(),
                                     .encoding = delivery.message.encoding(),
                                     .body = delivery.message.body()});
      encoded = true;
    }
    if (group->pending.empty()) group->pending_begin = number;
    group->pending += group->pending.empty() ? "{\"messages\":[" : ",";
    group->pending += scratch_;
    group->pending_end = number + 1;
  }
}

std::vector<Frames::Closed> Frames::close() {
  std::vector<Closed> closed;
  std::lock_guard const lock(mutex_);
  for (auto& [filter, group] : groups_) {
    if (group->pending.empty()) continue;
    auto frame = std::make_shared<Frame>();
    frame->text = std::move(group->pending) + "]}";
    frame->begin = group->pending_begin;
    frame->end = group->pending_end;
    group->pending.clear();
    frame->next = group->next_number;
    closed.push_back({group, std::move(frame)});
  }
  return closed;
}

}  // namespace headrace::receivers::live
