// SPDX-License-Identifier: Apache-2.0
// The file `removed`: what retention took away.
#include "broker/log/impl/checked_file.h"
#include "broker/log/impl/log_writer.h"

namespace headrace::broker::log {
namespace {

constexpr std::string_view kMagic = "HRLOGREM";

}  // namespace

std::string encode_removed(RemovedState const& state) {
  ByteWriter out;
  out.number(static_cast<std::uint32_t>(state.totals.size()));
  for (auto const& [tp, total] : state.totals) {
    out.number(tp.topic);
    out.number(tp.partition);
    out.number(total.messages);
    out.number(total.end.hi);
    out.number(total.end.lo);
  }
  out.number(static_cast<std::uint32_t>(state.segments.size()));
  for (auto const& [number, partitions] : state.segments) {
    out.number(number);
    out.number(static_cast<std::uint32_t>(partitions.size()));
    for (auto const& p : partitions) {
      out.number(p.partition.topic);
      out.number(p.partition.partition);
      out.number(p.first);
      out.number(p.end);
      out.number(p.messages);
    }
  }
  out.number(static_cast<std::uint32_t>(state.numbers.size()));
  for (auto const n : state.numbers) out.number(n);
  return encode_checked(kMagic, kFormatVersion, out.bytes());
}

base::Result<RemovedState> load_removed(base::FileSystem& files, std::string const& path) {
  auto const bytes = base::read_file(files, path);
  if (!bytes && bytes.error().code == base::ErrorCode::kNotFound) return RemovedState();
  if (!bytes) return bytes.error();
  HEADRACE_TRY(auto const payload, decode_checked(*bytes, kMagic, kFormatVersion, path));
  ByteReader in(payload);
  RemovedState state;
  for (auto n = in.count(32); n > 0; --n) {
    TopicPartition tp;
    tp.topic = in.number<std::uint32_t>();
    tp.partition = in.number<std::uint32_t>();
    auto& total = state.totals[tp];
    total.messages = in.number<std::uint64_t>();
    total.end.hi = in.number<std::uint64_t>();
    total.end.lo = in.number<std::uint64_t>();
  }
  for (auto n = in.count(12); n > 0; --n) {
    auto& partitions = state.segments[in.number<std::uint64_t>()];
    for (auto m = in.count(24); m > 0; --m) {
      PartitionSummary p;
      p.partition.topic = in.number<std::uint32_t>();
      p.partition.partition = in.number<std::uint32_t>();
      p.first = in.number<std::uint32_t>();
      p.end = in.number<std::uint32_t>();
      p.messages = in.number<std::uint64_t>();
      partitions.push_back(p);
    }
  }
  for (auto n = in.count(8); n > 0; --n) state.numbers.insert(in.number<std::uint64_t>());
  if (!in.good() || !in.at_end())
    return base::Error{base::ErrorCode::kCorrupt, path + ": lengths that do not fit"};
  return state;
}

}  // namespace headrace::broker::log
