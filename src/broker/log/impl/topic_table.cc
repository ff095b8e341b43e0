// SPDX-License-Identifier: Apache-2.0
#include "broker/log/impl/topic_table.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/log.h"
#include "broker/log/impl/checked_file.h"
#include "broker/log/impl/format.h"

namespace headrace::broker::log {
namespace {

constexpr std::string_view kMagic = "HRLOGTOP";
constexpr std::uint32_t kPartitionsMax = 65'536;

constexpr std::string_view kCopySuffix = ".copy";
constexpr std::string_view kGuidance = "; `headrace log repair` restores it from its copy";

base::Result<std::vector<Topic>> parse(std::string_view bytes, std::string const& path) {
  HEADRACE_TRY(auto const payload, decode_checked(bytes, kMagic, kFormatVersion, path));
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
    return base::Error{base::ErrorCode::kCorrupt, path + ": lengths that do not fit"};
  return topics;
}

std::string encode(std::vector<Topic> const& topics) {
  ByteWriter out;
  out.number(static_cast<std::uint32_t>(topics.size()));
  for (auto const& t : topics) {
    out.text(t.state.name);
    out.number(t.state.partition_count);
    out.number(static_cast<std::uint8_t>(t.durability));
    out.number(static_cast<std::int64_t>(t.retention.count()));
  }
  return encode_checked(kMagic, kFormatVersion, out.bytes());
}

bool holds(base::FileSystem& files, std::string const& path, std::string const& bytes) {
  auto const there = base::read_file(files, path);
  return there && *there == bytes;
}

}  // namespace

base::Result<void> TopicTable::load() {
  auto const bytes = base::read_file(files_, path_);
  if (!bytes && bytes.error().code == base::ErrorCode::kNotFound) return check_missing();
  if (!bytes) return bytes.error();
  auto topics = parse(*bytes, path_);
  if (!topics) {
    auto error = topics.error();
    if (error.code == base::ErrorCode::kCorrupt) error.context += kGuidance;
    return error;
  }
  std::lock_guard const lock(mutex_);
  topics_ = std::move(*topics);
  ++version_;
  return {};
}

// Without the table nobody could tell which topic a stored record belongs to.
base::Result<void> TopicTable::check_missing() const {
  HEADRACE_TRY(auto const names, files_.list(path_.substr(0, path_.rfind('/'))));
  for (auto const& name : names) {
    if (number_in(name, ".seg") == 0) continue;
    return base::Error{base::ErrorCode::kCorrupt,
                       fmt::format("{}: missing beside {}; expected the table of topics{}", path_,
                                   name, kGuidance)};
  }
  return {};
}

base::Result<void> TopicTable::establish() {
  std::lock_guard const lock(mutex_);
  auto const bytes = encode(topics_);
  if (!holds(files_, path_, bytes))
    HEADRACE_TRY_VOID(base::replace_file(files_, path_, base::as_bytes(bytes)));
  auto const copy = path_ + std::string(kCopySuffix);
  if (holds(files_, copy, bytes)) return {};
  // Not a reason to refuse, on a full disk say: the next change or opening writes it.
  if (auto const copied = base::replace_file(files_, copy, base::as_bytes(bytes)); !copied) {
    base::log_warn("could not write the copy of the log's topics",
                   {{"error", base::to_string(copied.error())}});
  }
  return {};
}

base::Result<bool> TopicTable::restore() {
  auto const loaded = load();
  if (loaded) return false;
  if (loaded.error().code != base::ErrorCode::kCorrupt) return loaded.error();
  auto const copy = path_ + std::string(kCopySuffix);
  auto const bytes = base::read_file(files_, copy);
  auto const topics = bytes ? parse(*bytes, copy) : base::Result<std::vector<Topic>>(bytes.error());
  if (!topics) {
    return base::Error{base::ErrorCode::kCorrupt,
                       fmt::format("{}: missing or damaged, and so is its copy ({}); this cannot "
                                   "be mended: put one of them back from a backup",
                                   path_, topics.error().context)};
  }
  HEADRACE_TRY_VOID(base::replace_file(files_, path_, base::as_bytes(*bytes)));
  HEADRACE_TRY_VOID(load());
  return true;
}

// The copy first: it never knows less than the table.
base::Result<void> TopicTable::save(std::vector<Topic> const& topics) {
  auto const bytes = encode(topics);
  HEADRACE_TRY_VOID(
      base::replace_file(files_, path_ + std::string(kCopySuffix), base::as_bytes(bytes)));
  return base::replace_file(files_, path_, base::as_bytes(bytes));
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
