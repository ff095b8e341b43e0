// SPDX-License-Identifier: Apache-2.0
#include "broker/log/impl/segment_index.h"

#include <algorithm>
#include <bit>

#include "broker/log/impl/checked_file.h"
#include "codec/record/record_view.h"

namespace headrace::broker::log {
namespace {

constexpr std::string_view kSummaryMagic = "HRLOGSUM";
constexpr std::string_view kBodyMagic = "HRLOGIDX";
constexpr std::size_t kBloomWordsMax = 1024;
constexpr int kBloomHashes = 4;

std::size_t bloom_words(std::size_t producers) {
  if (producers == 0) return 0;
  return std::min(kBloomWordsMax, std::bit_ceil((producers * 10 + 63) / 64));
}

// The bits of a producer: taken from the uuid's own bits, mixed (part of the format).
template <class Fn>
void bloom_bits(base::Uuid const& producer, std::size_t words, Fn use) {
  std::uint64_t a, b;
  std::memcpy(&a, producer.bytes.data(), 8);
  std::memcpy(&b, producer.bytes.data() + 8, 8);
  a = (a ^ (a >> 32) ^ b) * 0x9E3779B97F4A7C15ull;
  b = (b ^ (a >> 29)) * 0xBF58476D1CE4E5B9ull | 1;
  for (int i = 0; i < kBloomHashes; ++i)
    use(((a + static_cast<std::uint64_t>(i) * b) >> 16) % (words * 64));
}

void put_summary(ByteWriter& out, PartitionSummary const& p) {
  out.number(p.partition.topic);
  out.number(p.partition.partition);
  out.number(p.first);
  out.number(p.end);
  out.number(p.received_min_ns);
  out.number(p.received_max_ns);
  out.number(p.records);
  out.number(p.messages);
}

PartitionSummary get_summary(ByteReader& in) {
  PartitionSummary p;
  p.partition.topic = in.number<std::uint32_t>();
  p.partition.partition = in.number<std::uint32_t>();
  p.first = in.number<std::uint32_t>();
  p.end = in.number<std::uint32_t>();
  p.received_min_ns = in.number<std::int64_t>();
  p.received_max_ns = in.number<std::int64_t>();
  p.records = in.number<std::uint64_t>();
  p.messages = in.number<std::uint64_t>();
  return p;
}

base::Error damaged(std::uint64_t number, std::string_view what) {
  return {base::ErrorCode::kCorrupt, index_name(number) + ": " + std::string(what)};
}

}  // namespace

PartitionSummary const* SegmentSummary::find(TopicPartition tp) const {
  auto const it =
      std::lower_bound(partitions.begin(), partitions.end(), tp,
                       [](PartitionSummary const& p, TopicPartition t) { return p.partition < t; });
  return it == partitions.end() || it->partition != tp ? nullptr : &*it;
}

bool SegmentSummary::may_have(base::Uuid const& producer) const {
  if (producer_bloom.empty()) return false;
  bool all = true;
  bloom_bits(producer, producer_bloom.size(), [&](std::uint64_t bit) {
    all = all && (producer_bloom[bit / 64] >> (bit % 64) & 1) != 0;
  });
  return all;
}

std::size_t PartitionIndex::find(std::uint64_t from) const {
  return static_cast<std::size_t>(
      std::lower_bound(groups.begin(), groups.end(), from,
                       [](PartitionGroup const& g, std::uint64_t at) { return g.last < at; }) -
      groups.begin());
}

void SegmentIndex::add(base::Bytes group, GroupHeader const& header) {
  end_ = header.offset + padded(header.bytes);
  if (header.records == 0) return;
  auto const ordinal = static_cast<std::uint32_t>(groups_.size());
  auto const base_offset = static_cast<std::uint32_t>(header.offset);
  groups_.push_back({base_offset, header.bytes, header.received_max_ns});
  records_ += header.records;
  messages_ += header.messages;
  PartitionIndex* partition = nullptr;
  ProducerState* producer_state = nullptr;
  base::Uuid producer;
  Entries entries(group);
  for (Entry e; entries.next(e);) {
    auto const record = codec::record::RecordView::trusted(e.record);
    auto const received = record.received().ns;
    auto const at = base_offset + e.at;
    if (partition == nullptr || partition->summary.partition != e.to) {
      partition = &partitions_[e.to];
      if (partition->summary.records == 0)
        partition->summary = {e.to, at, 0, received, received, 0, 0};
    }
    auto& s = partition->summary;
    s.end = base_offset + e.next();
    s.received_min_ns = std::min(s.received_min_ns, received);
    s.received_max_ns = std::max(s.received_max_ns, received);
    ++s.records;
    s.messages += record.count();
    auto& list = partition->groups;
    if (list.empty() || list.back().group != ordinal) list.push_back({ordinal, at, at, 0});
    list.back().last = at;
    list.back().messages += record.count();
    if (producer_state == nullptr ||
        std::memcmp(producer.bytes.data(), e.record.data() + 32, 16) != 0) {
      producer = record.producer();
      producer_state = &producers_[producer];
    }
    *producer_state = {record.epoch(), record.last_sequence()};
  }
}

PartitionIndex const* SegmentIndex::find(TopicPartition tp) const {
  auto const it = partitions_.find(tp);
  return it == partitions_.end() ? nullptr : &it->second;
}

std::optional<ProducerState> SegmentIndex::find_producer(base::Uuid const& producer) const {
  auto const it = producers_.find(producer);
  if (it == producers_.end()) return std::nullopt;
  return it->second;
}

SegmentSummary SegmentIndex::summary() const {
  SegmentSummary s{number_, end_, records_, messages_, {}, {}};
  for (auto const& [tp, p] : partitions_) s.partitions.push_back(p.summary);
  std::sort(s.partitions.begin(), s.partitions.end(),
            [](auto const& a, auto const& b) { return a.partition < b.partition; });
  s.producer_bloom.resize(bloom_words(producers_.size()));
  for (auto const& [producer, state] : producers_) {
    bloom_bits(producer, s.producer_bloom.size(), [&](std::uint64_t bit) {
      s.producer_bloom[bit / 64] |= std::uint64_t{1} << (bit % 64);
    });
  }
  return s;
}

std::size_t SegmentIndex::memory_bytes() const {
  auto bytes = groups_.size() * sizeof(GroupRef) + producers_.size() * 64 + sizeof *this;
  for (auto const& [tp, p] : partitions_) bytes += 128 + p.groups.size() * sizeof(PartitionGroup);
  return bytes;
}

std::string SegmentIndex::encode() const {
  auto const s = summary();
  ByteWriter head;
  head.number(s.number);
  head.number(s.end);
  head.number(s.records);
  head.number(s.messages);
  head.number(static_cast<std::uint32_t>(s.partitions.size()));
  for (auto const& p : s.partitions) put_summary(head, p);
  head.number(static_cast<std::uint32_t>(s.producer_bloom.size()));
  for (auto const word : s.producer_bloom) head.number(word);

  ByteWriter body;
  body.number(static_cast<std::uint32_t>(groups_.size()));
  for (auto const& g : groups_) {
    body.number(g.offset);
    body.number(g.bytes);
    body.number(g.received_max_ns);
  }
  for (auto const& p : s.partitions) {
    auto const& list = partitions_.at(p.partition).groups;
    body.number(static_cast<std::uint32_t>(list.size()));
    body.raw(list.data(), list.size() * sizeof(PartitionGroup));
  }
  body.number(static_cast<std::uint32_t>(producers_.size()));
  for (auto const& [producer, state] : producers_) {
    body.raw(producer.bytes.data(), 16);
    body.number(state.epoch);
    body.number(state.last_sequence);
  }
  return encode_checked(kSummaryMagic, kFormatVersion, head.bytes()) +
         encode_checked(kBodyMagic, kFormatVersion, body.bytes());
}

base::Result<std::optional<SegmentSummary>> SegmentIndex::decode_summary(std::string_view bytes,
                                                                         std::uint64_t number) {
  if (auto const whole = checked_bytes(bytes, kSummaryMagic); whole > bytes.size())
    return std::optional<SegmentSummary>();
  HEADRACE_TRY(auto const payload,
               decode_checked(bytes, kSummaryMagic, kFormatVersion, index_name(number)));
  ByteReader in(payload);
  SegmentSummary s;
  s.number = in.number<std::uint64_t>();
  s.end = in.number<std::uint64_t>();
  s.records = in.number<std::uint64_t>();
  s.messages = in.number<std::uint64_t>();
  for (auto n = in.count(48); n > 0; --n) s.partitions.push_back(get_summary(in));
  for (auto n = in.count(8); n > 0; --n) s.producer_bloom.push_back(in.number<std::uint64_t>());
  if (!in.good() || !in.at_end() || s.number != number)
    return damaged(number, "a summary that does not fit");
  return std::optional(std::move(s));
}

base::Result<SegmentIndex> SegmentIndex::decode(std::string_view bytes, std::uint64_t number) {
  HEADRACE_TRY(auto const summary, decode_summary(bytes, number));
  if (!summary) return damaged(number, "cut short");
  bytes.remove_prefix(checked_bytes(bytes, kSummaryMagic));
  HEADRACE_TRY(auto const payload,
               decode_checked(bytes, kBodyMagic, kFormatVersion, index_name(number)));
  SegmentIndex out(number);
  out.end_ = summary->end;
  out.records_ = summary->records;
  out.messages_ = summary->messages;
  ByteReader in(payload);
  for (auto n = in.count(16); n > 0; --n) {
    GroupRef g;
    g.offset = in.number<std::uint32_t>();
    g.bytes = in.number<std::uint32_t>();
    g.received_max_ns = in.number<std::int64_t>();
    if (g.bytes < kGroupHeaderBytes || g.offset + std::uint64_t{g.bytes} > out.end_)
      return damaged(number, "a group past the end");
    out.groups_.push_back(g);
  }
  for (auto const& p : summary->partitions) {
    auto& partition = out.partitions_[p.partition];
    partition.summary = p;
    auto const count = in.count(sizeof(PartitionGroup));
    partition.groups.resize(count);
    auto const list = in.raw(count * sizeof(PartitionGroup));
    if (!list.empty()) std::memcpy(partition.groups.data(), list.data(), list.size());
    for (auto const& g : partition.groups) {
      if (g.group >= out.groups_.size())
        return damaged(number, "a partition's group that is not there");
    }
  }
  for (auto n = in.count(28); n > 0; --n) {
    base::Uuid producer;
    if (auto const raw = in.raw(16); raw.size() == 16)
      std::memcpy(producer.bytes.data(), raw.data(), 16);
    auto const epoch = in.number<std::uint32_t>();
    out.producers_[producer] = {epoch, in.number<std::uint64_t>()};
  }
  if (!in.good() || !in.at_end()) return damaged(number, "lengths that do not fit");
  return out;
}

}  // namespace headrace::broker::log
