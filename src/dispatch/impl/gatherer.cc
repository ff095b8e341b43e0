// SPDX-License-Identifier: Apache-2.0
#include "dispatch/impl/gatherer.h"

namespace headrace::dispatch::impl {

using base::Result;
using codec::record::Kind;
using codec::record::MessageView;
using codec::record::RecordView;

void Gathered::clear() {
  deliveries.clear();
  origins.clear();
  events.clear();
  received.clear();
  erased.clear();
  pending = {};
  bytes = 0;
}

Result<bool> Gatherer::gather(Gathered& out, bool woken) {
  out.clear();
  woken_ |= woken;  // it may come while there is still something to hand out
  if (next_ == fetched_.records.size()) {
    if (at_end_ && !woken_) return false;
    woken_ = false;
    HEADRACE_TRY(fetched_, reader_->fetch(bytes_max_));
    next_ = 0;
    at_end_ = fetched_.at_end;
    for (auto const& expired : fetched_.expired) {
      out.pending.cursors[expired.partition] = expired.to;
      out.pending.accounts[expired.partition.topic].expired += expired.message_count;
    }
  }
  while (next_ < fetched_.records.size() && out.deliveries.size() < messages_max_ &&
         out.bytes < bytes_max_)
    take(fetched_.records[next_++], out);
  return !out.pending.empty() || !out.events.empty() || !at_end_;
}

void Gatherer::take(broker::FetchedRecord const& fetched, Gathered& out) const {
  Tracker::Topic const* const topic = tracker_.find_topic(fetched.from.topic);
  if (topic == nullptr) return;
  RecordView const record = RecordView::trusted(fetched.record);
  out.pending.cursors[fetched.from] = fetched.next;
  out.bytes += fetched.record.size();
  if (record.kind() == Kind::kSourceActive || record.kind() == Kind::kSourceInactive)
    out.events.push_back({topic->data_type, record.source(), record.received(),
                          record.kind() == Kind::kSourceActive, out.deliveries.size()});
  if (record.count() > 0) take_messages(*topic, fetched, record, out);
  if (record.kind() == Kind::kErase)
    out.erased.push_back(
        {topic->data_type, std::string(record.source()), fetched.from.partition, fetched.at});
}

void Gatherer::take_messages(Tracker::Topic const& topic, broker::FetchedRecord const& fetched,
                             RecordView record, Gathered& out) const {
  Account& account = out.pending.accounts[topic.id];
  std::optional<std::uint64_t> const seen = tracker_.seen(fetched.from, record, out.pending);
  std::uint32_t fresh = 0;
  MessageView message = record.first();
  for (std::uint32_t i = 0; i < record.count(); ++i, message = message.next()) {
    Tally const tally{1, points_of(message)};
    account.read += tally;
    if (seen && record.first_sequence() + message.sequence_delta() <= *seen) {
      account.duplicate += tally;
      continue;
    }
    ++fresh;
    out.deliveries.push_back({topic.data_type, record, message, false});
    out.origins.push_back({fetched.from, fetched.at, i});
  }
  if (fresh == 0) return;
  out.received.emplace_back(record.received(), fresh);
  Tracker::note_seen(fetched.from, record, out.pending);
}

}  // namespace headrace::dispatch::impl
