// SPDX-License-Identifier: Apache-2.0
#include "broker/log/impl/topic_table.h"

#include <fmt/format.h>

#include <algorithm>

#include "broker/log/impl/checked_file.h"
#include "broker/log/impl/format.h"

namespace headrace::broker::log {
namespace {

constexpr std::string_view kMagic = "HRLOGTOP";
constexpr std::uint32_t kPartitionsMax = 65'536;

}  // namespace

base::Result<void> TopicTable::load() {
  auto const bytes = base::read_file(files_, path_);
  if (!bytes && bytes.error().code == base::ErrorCode::kNotFound) return {};
  if (!bytes) return bytes.error();
  HEADRACE_TRY(auto const payload, decode_checked(*bytes, kMagic, kFormatVersion, path_));
  ByteReader in(payload);
  std::vector<Topic> topics;
  for (auto n = in.count(17); n > 0; --n) {
    Topic t;
    t.state.id = static_cast<TopicId>(topics.size() + 1);
    t.state.name = in.text();
    t.state.partition_count = in.number<std::uint32_t>();
    t.durability =
        static_cast<model::Durability>(std::min<std::uint8_t>(in.number<std::uint8_t>(), 2));
    t.retention = std::chrono::nanoseconds(in.number<std::int64_t>());
    topics.push_back(std::move(t));
  }
  if (!in.good() || !in.at_end())
    return base::Error{base::ErrorCode::kCorrupt, path_ + ": lengths that do not fit"};
  std::lock_guard const lock(mutex_);
  topics_ = std::move(topics);
  ++version_;
  return {};
}

base::Result<void> TopicTable::save(std::vector<Topic> const& topics) {
  ByteWriter out;
  out.number(static_cast<std::uint32_t>(topics.size()));
  for (auto const& t : topics) {
    out.text(t.state.name);
    out.number(t.state.partition_count);
    out.number(static_cast<std::uint8_t>(t.durability));
    out.number(static_cast<std::int64_t>(t.retention.count()));
  }
  return base::replace_file(files_, path_,
                            base::as_bytes(encode_checked(kMagic, kFormatVersion, out.bytes())));
}

base::Result<TopicState> TopicTable::open_topic(model::DataType const& type) {
  auto const& name = type.name.text();
  if (type.partition_count == 0 || type.partition_count > kPartitionsMax) {
    return base::Error{base::ErrorCode::kInvalidArgument,
                       fmt::format("topic {}: {} partitions; expected 1 to {}", name,
                                   type.partition_count, kPartitionsMax)};
  }
  std::lock_guard const lock(mutex_);
  auto fresh = topics_;
  auto it = std::find_if(fresh.begin(), fresh.end(),
                         [&](Topic const& t) { return t.state.name == name; });
  if (it == fresh.end()) {
    fresh.push_back({{static_cast<TopicId>(fresh.size() + 1), name, type.partition_count}, {}, {}});
    it = fresh.end() - 1;
  } else if (it->state.partition_count != type.partition_count) {
    return base::Error{
        base::ErrorCode::kInvalidArgument,
        fmt::format("topic {} has {} partitions, fixed when it was created; {} were asked for",
                    name, it->state.partition_count, type.partition_count)};
  } else if (it->durability == type.durability && it->retention == type.retention) {
    return it->state;
  }
  it->durability = type.durability;
  it->retention = type.retention;
  auto const state = it->state;
  HEADRACE_TRY_VOID(save(fresh));
  topics_ = std::move(fresh);
  ++version_;
  return state;
}

std::vector<Topic> TopicTable::topics() const {
  std::lock_guard const lock(mutex_);
  return topics_;
}

}  // namespace headrace::broker::log
