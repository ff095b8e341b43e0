// SPDX-License-Identifier: Apache-2.0
// What a crash test knows about the records it appended, and the check of what is found afterwards.
//   Every record carries its own number: producer = appender, sequence = number.
//   Threads: one.
#pragma once

#include <fmt/format.h>

#include <map>
#include <set>
#include <string>
#include <vector>

#include "broker/broker.h"
#include "codec/record/record_view.h"
#include "codec/record/record_writer.h"

namespace headrace::crash {

struct Known {
  broker::TopicPartition to;
  std::uint64_t appender = 0;
  std::size_t body_bytes = 0;
  bool promised = false;        // acknowledged at a level that survives what happened since
  bool survives_power = false;  // at level disk
  broker::Position after;       // once acknowledged
};

inline std::vector<std::byte> make_record(std::uint64_t number, std::uint64_t appender,
                                          std::size_t body_bytes) {
  codec::record::RecordWriter writer;
  base::Uuid producer;
  std::memcpy(producer.bytes.data(), &appender, sizeof appender);
  writer.begin({.principal = "local",
                .source = "crash",
                .producer = producer,
                .epoch = 1,
                .received = {1'000'000'000}});
  std::string const body(body_bytes, static_cast<char>('a' + number % 26));
  codec::record::MessageParts parts;
  parts.sequence = number;
  parts.body = base::as_bytes(body);
  writer.add(parts);
  auto const bytes = writer.finish();
  return {bytes.begin(), bytes.end()};
}

class Ledger {
 public:
  std::map<std::uint64_t, Known> records;  // by number

  // Reads everything; returns what is wrong, empty when all is well. What is there now is promised
  // from now on.
  std::string check(broker::Broker& broker, std::vector<broker::TopicPartition> const& partitions) {
    std::vector<broker::Assignment> all;
    for (auto const tp : partitions) all.push_back({tp, {}});
    auto const reader = broker.make_reader(all, nullptr);
    std::set<std::uint64_t> found;
    std::map<std::pair<broker::TopicPartition, std::uint64_t>, std::uint64_t> newest;
    for (bool at_end = false; !at_end;) {
      auto const fetched = reader->fetch(64u << 10);
      if (!fetched) return "fetch: " + base::to_string(fetched.error());
      for (auto const& r : fetched->records) {
        if (auto wrong = check_one(r, found, newest); !wrong.empty()) return wrong;
      }
      at_end = fetched->at_end;
    }
    for (auto& [number, k] : records) {
      if (k.promised && !found.contains(number))
        return fmt::format("record {} of topic {} was acknowledged with {} and is gone", number,
                           k.to.topic, broker::to_string(k.after));
      if (!found.contains(number)) k.after = {};
    }
    return {};
  }

 private:
  std::string check_one(
      broker::FetchedRecord const& r, std::set<std::uint64_t>& found,
      std::map<std::pair<broker::TopicPartition, std::uint64_t>, std::uint64_t>& newest) {
    auto const view = codec::record::RecordView::open(r.record);
    if (!view) return "a record that does not read: " + base::to_string(view.error());
    auto const number = view->first_sequence();
    auto const it = records.find(number);
    if (it == records.end()) return fmt::format("record {} was never appended", number);
    auto& k = it->second;
    auto const at = broker::to_string(r.at);
    if (k.to != r.from) return fmt::format("record {} at {} is in another partition", number, at);
    if (view->first().body().size() != k.body_bytes)
      return fmt::format("record {} at {} has another body", number, at);
    if (!found.insert(number).second)
      return fmt::format("record {} is there twice, again at {}", number, at);
    if (k.after != broker::Position{} && k.after != r.next) {
      return fmt::format("record {} ends at {}; it was acknowledged as {}", number,
                         broker::to_string(r.next), broker::to_string(k.after));
    }
    auto& last = newest[{r.from, k.appender}];
    if (number <= last) return fmt::format("record {} comes after {}", number, last);
    last = number;
    auto const [place, fresh] = places_.emplace(std::pair(r.from, r.at), number);
    if (!fresh && place->second != number)
      return fmt::format("position {} was record {}'s and is now {}'s", at, place->second, number);
    k.after = r.next;
    k.promised = k.survives_power = true;
    return {};
  }

  std::map<std::pair<broker::TopicPartition, broker::Position>, std::uint64_t>
      places_;  // positions are never used twice
};

}  // namespace headrace::crash
