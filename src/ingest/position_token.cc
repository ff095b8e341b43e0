// SPDX-License-Identifier: Apache-2.0
#include "ingest/position_token.h"

#include <algorithm>
#include <charconv>

namespace headrace::ingest {
namespace {

constexpr std::string_view kPrefix = "t1.";

// One entry's numbers, left to right, with the separator expected after each ('\0': the end of the
// entry).
class EntryReader {
 public:
  explicit EntryReader(std::string_view text, std::size_t at) : text_(text), at_(at) {}

  template <class T>
  bool number(T& out) {
    auto const* begin = text_.data() + at_;
    auto const* end = text_.data() + text_.size();
    auto const [stop, error] = std::from_chars(begin, end, out);
    if (error != std::errc{} || (stop - begin > 1 && *begin == '0')) return false;
    at_ += static_cast<std::size_t>(stop - begin);
    return true;
  }
  bool take(char separator) {
    if (at_ >= text_.size() || text_[at_] != separator) return false;
    ++at_;
    return true;
  }
  std::size_t at() const { return at_; }
  bool done() const { return at_ == text_.size(); }

 private:
  std::string_view text_;
  std::size_t at_;
};

base::Error broken(std::size_t at, std::string_view expected) {
  return {base::ErrorCode::kInvalidArgument,
          fmt::format("position token: byte {}: expected {}", at, expected)};
}

}  // namespace

void PositionToken::cover(broker::TopicPartition partition, broker::Position position) {
  auto const it =
      std::lower_bound(entries_.begin(), entries_.end(), partition,
                       [](Entry const& e, broker::TopicPartition p) { return e.partition < p; });
  if (it != entries_.end() && it->partition == partition) {
    it->position = std::max(it->position, position);
  } else {
    entries_.insert(it, {partition, position});
  }
}

void PositionToken::merge(PositionToken const& other) {
  for (auto const& entry : other.entries_) cover(entry.partition, entry.position);
}

std::string PositionToken::encode() const {
  std::string text(kPrefix);
  for (auto const& [partition, position] : entries_) {
    if (text.size() > kPrefix.size()) text += '~';
    fmt::format_to(std::back_inserter(text), "{}:{}:{}-{}", partition.topic, partition.partition,
                   position.hi, position.lo);
  }
  return text;
}

base::Result<PositionToken> PositionToken::decode(std::string_view text) {
  if (!text.starts_with(kPrefix)) return broken(0, "'t1.'");
  PositionToken token;
  EntryReader reader(text, kPrefix.size());
  while (!reader.done()) {
    if (token.entries_.size() == kEntriesMax)
      return broken(reader.at(), "the end: too many partitions");
    if (!token.entries_.empty() && !reader.take('~')) return broken(reader.at(), "'~'");
    Entry entry;
    if (!reader.number(entry.partition.topic)) return broken(reader.at(), "a topic number");
    if (!reader.take(':')) return broken(reader.at(), "':'");
    if (!reader.number(entry.partition.partition)) return broken(reader.at(), "a partition number");
    if (!reader.take(':')) return broken(reader.at(), "':'");
    if (!reader.number(entry.position.hi)) return broken(reader.at(), "a position");
    if (!reader.take('-')) return broken(reader.at(), "'-'");
    if (!reader.number(entry.position.lo)) return broken(reader.at(), "a position");
    // Only what encode() writes: ascending, each partition once. So a token costs no more than its
    // length.
    if (!token.entries_.empty() && !(token.entries_.back().partition < entry.partition))
      return broken(reader.at(), "partitions in ascending order");
    token.entries_.push_back(entry);
  }
  return token;
}

}  // namespace headrace::ingest
