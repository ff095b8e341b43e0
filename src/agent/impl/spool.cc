// SPDX-License-Identifier: Apache-2.0
#include "agent/impl/spool.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>

#include "agent/impl/segment_reader.h"
#include "base/assert.h"
#include "base/log.h"

namespace headrace::agent {
namespace {

constexpr std::uint64_t kReservedAtATime = 1024;
constexpr std::string_view kSuffix = ".spool";

std::optional<std::uint64_t> segment_number(std::string_view name) {
  if (name.size() != 16 + kSuffix.size() || !name.ends_with(kSuffix)) return std::nullopt;
  std::uint64_t number = 0;
  auto const [end, error] = std::from_chars(name.data(), name.data() + 16, number, 16);
  if (error != std::errc{} || end != name.data() + 16) return std::nullopt;
  return number;
}

base::OpenOptions for_writing(bool create) {
  base::OpenOptions options;
  options.create = create;
  options.write = true;
  return options;
}

}  // namespace

Spool::Spool(base::FileSystem& fs, base::Clock& clock, SpoolOptions options)
    : fs_(fs), clock_(clock), options_(std::move(options)), synced_at_(clock.steady()) {}

Spool::~Spool() {
  if (lock_fd_ >= 0) ::close(lock_fd_);
}

base::Result<std::unique_ptr<Spool>> Spool::open(base::FileSystem& fs, base::Clock& clock,
                                                 SpoolOptions options) {
  std::unique_ptr<Spool> spool(new Spool(fs, clock, std::move(options)));
  HEADRACE_TRY_VOID(fs.make_directories(spool->options_.directory));
  HEADRACE_TRY_VOID(spool->lock());
  HEADRACE_TRY_VOID(spool->load());
  return spool;
}

base::Result<void> Spool::lock() {
  auto const path = options_.directory + "/lock";
  lock_fd_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (lock_fd_ < 0) return base::system_error(errno, "open " + path);
  if (::flock(lock_fd_, LOCK_EX | LOCK_NB) == 0) return {};
  if (errno != EWOULDBLOCK) return base::system_error(errno, "flock " + path);
  return base::Error{base::ErrorCode::kAlreadyExists,
                     fmt::format("{}: another agent uses this spool directory", path)};
}

base::Result<void> Spool::load() {
  HEADRACE_TRY_VOID(load_head());
  HEADRACE_TRY(auto const names, fs_.list(options_.directory));
  std::vector<std::uint64_t> numbers;
  for (auto const& name : names) {
    if (auto const number = segment_number(name)) numbers.push_back(*number);
  }
  std::sort(numbers.begin(), numbers.end());
  for (auto const number : numbers) HEADRACE_TRY_VOID(load_segment(number));
  if (!segments_.empty()) next_ = std::max(next_, segments_.back().last + 1);
  forget(head_.acknowledged);
  if (counted_.damaged_bytes > 0) {
    base::log_warn("the agent's spool was damaged; what could not be read was cut",
                   {{"directory", options_.directory}, {"bytes", counted_.damaged_bytes}});
  }
  HEADRACE_TRY_VOID(begin_segment());
  return write_head(next_ - 1 + kReservedAtATime);
}

base::Result<void> Spool::load_head() {
  auto const path = options_.directory + "/head";
  auto const text = base::read_file(fs_, path, 4096);
  if (!text && text.error().code != base::ErrorCode::kNotFound) return text.error();
  auto const head = text ? decode_head(base::as_bytes(*text)) : std::nullopt;
  if (head) {
    head_ = *head;
    next_ = head_.reserved + 1;
    return {};
  }
  head_.session = base::uuid4();
  if (text) {
    counted_.damaged_bytes += text->size();
    base::log_warn("the head of the agent's spool is damaged: a new session is made",
                   {{"path", path}});
  }
  return {};
}

base::Result<void> Spool::load_segment(std::uint64_t number) {
  auto const path = path_of(number);
  HEADRACE_TRY(std::shared_ptr<base::File> const file, fs_.open(path, for_writing(false)));
  HEADRACE_TRY(auto const size, file->size());
  std::byte header[kSegmentHeaderBytes];
  HEADRACE_TRY(auto const got, file->read_at(0, header));
  if (got < sizeof header || decode_segment_header(header) != number) {
    counted_.damaged_bytes += size;
    return fs_.remove(path);
  }
  SegmentReader reader(*file, kSegmentHeaderBytes, size);
  std::uint64_t last = segments_.empty() ? 0 : segments_.back().last;
  for (;;) {
    HEADRACE_TRY(auto const entry, reader.next());
    if (!entry || entry->sequence <= last) break;
    last = entry->sequence;
    note(last);
  }
  if (reader.offset() < size) {
    counted_.damaged_bytes += size - reader.offset();
    HEADRACE_TRY_VOID(file->truncate(reader.offset()));
  }
  segments_.push_back({number, last, reader.offset(), nullptr});
  bytes_ += reader.offset();
  return {};
}

base::Result<void> Spool::write_head(std::uint64_t reserved) {
  auto head = head_;
  head.reserved = std::max(head.reserved, reserved);
  if (closed_) head.reserved = reserved;
  std::string bytes;
  encode_head(bytes, head);
  HEADRACE_TRY_VOID(base::replace_file(fs_, options_.directory + "/head", base::as_bytes(bytes)));
  head_ = head;
  return {};
}

base::Result<void> Spool::begin_segment() {
  Segment segment;
  segment.number = segments_.empty() ? 1 : segments_.back().number + 1;
  segment.last = segments_.empty() ? 0 : segments_.back().last;
  HEADRACE_TRY(segment.file, fs_.open(path_of(segment.number), for_writing(true)));
  HEADRACE_TRY_VOID(segment.file->truncate(0));  // of an attempt that failed half-way
  std::string header;
  encode_segment_header(header, segment.number);
  HEADRACE_TRY_VOID(segment.file->write_at(0, base::as_bytes(header)));
  if (!segments_.empty() && segments_.back().file) {
    if (options_.sync != SpoolSync::kNever) HEADRACE_TRY_VOID(segments_.back().file->sync_data());
    segments_.back().file.reset();
  }
  segment.bytes = header.size();
  bytes_ += header.size();
  segments_.push_back(std::move(segment));
  if (options_.sync != SpoolSync::kNever) HEADRACE_TRY_VOID(fs_.sync_directory(options_.directory));
  forget(head_.acknowledged);  // the segment before may be done with
  return {};
}

base::Result<std::uint64_t> Spool::append(std::string_view data_type, std::string_view source,
                                          base::Timestamp time, std::string_view body) {
  std::lock_guard const guard(mutex_);
  HEADRACE_ASSERT(!closed_, "append to a closed spool");
  std::string bytes;
  encode_entry(bytes, {next_, time.ns, data_type, source, body});
  if (bytes.size() + 2 * kSegmentHeaderBytes >
      std::min<std::uint64_t>(options_.bytes_max / 2, kEntryPayloadBytesMax)) {
    return base::Error{base::ErrorCode::kTooLarge,
                       fmt::format("a message of {} bytes does not fit in the spool", body.size())};
  }
  if (next_ > head_.reserved) HEADRACE_TRY_VOID(write_head(next_ - 1 + kReservedAtATime));
  bool const full = segments_.back().bytes + bytes.size() > segment_bytes_max();
  if (full && segments_.back().bytes > kSegmentHeaderBytes) HEADRACE_TRY_VOID(begin_segment());
  HEADRACE_TRY_VOID(make_room(bytes.size()));
  auto& segment = segments_.back();
  HEADRACE_TRY_VOID(segment.file->write_at(segment.bytes, base::as_bytes(bytes)));
  segment.bytes += bytes.size();
  segment.last = next_;
  bytes_ += bytes.size();
  note(next_);
  ++next_;
  if (auto const synced = sync_as_configured(); !synced) {
    base::log_warn("the agent's spool could not be synced",
                   {{"error", base::to_string(synced.error())}});
  }
  return next_ - 1;
}

base::Result<void> Spool::sync_as_configured() {
  if (options_.sync == SpoolSync::kNever) return {};
  auto const now = clock_.steady();
  if (options_.sync == SpoolSync::kSecond && now - synced_at_ < std::chrono::seconds(1)) return {};
  synced_at_ = now;
  return segments_.back().file->sync_data();
}

base::Result<void> Spool::make_room(std::uint64_t bytes) {
  while (bytes_ + bytes > options_.bytes_max && segments_.size() > 1) {
    auto const before = counted_.dropped;
    auto const last = segments_.front().last;
    HEADRACE_TRY_VOID(remove_front());
    counted_.dropped += forget(last);
    base::log_warn("the agent's spool is full: the oldest messages are dropped",
                   {{"messages", counted_.dropped - before}, {"dropped_in_all", counted_.dropped}});
  }
  return {};
}

base::Result<void> Spool::remove_front() {
  HEADRACE_TRY_VOID(fs_.remove(path_of(segments_.front().number)));
  bytes_ -= segments_.front().bytes;
  segments_.pop_front();
  return {};
}

void Spool::note(std::uint64_t sequence) {
  if (!runs_.empty() && runs_.back().last + 1 == sequence) {
    runs_.back().last = sequence;
  } else {
    runs_.push_back({sequence, sequence});
  }
}

std::uint64_t Spool::forget(std::uint64_t up_to) {
  std::uint64_t forgotten = 0;
  while (!runs_.empty() && runs_.front().first <= up_to) {
    auto& run = runs_.front();
    auto const end = std::min(run.last, up_to);
    forgotten += end - run.first + 1;
    if (end == run.last) {
      runs_.pop_front();
    } else {
      run.first = end + 1;
    }
  }
  while (segments_.size() > 1 && segments_.front().last <= up_to) {
    if (auto const removed = remove_front(); !removed) {
      base::log_warn("a segment of the agent's spool could not be removed",
                     {{"error", base::to_string(removed.error())}});
      break;
    }
  }
  return forgotten;
}

std::uint64_t Spool::acknowledge(std::uint64_t sequence) {
  std::lock_guard const guard(mutex_);
  sequence = std::min(sequence, next_ - 1);
  if (sequence <= head_.acknowledged) return 0;
  head_.acknowledged = sequence;
  return forget(sequence);
}

base::Result<std::vector<SpooledMessage>> Spool::read(std::uint64_t after, std::size_t messages_max,
                                                      std::size_t bytes_max) {
  std::lock_guard const guard(mutex_);
  after = std::max(after, head_.acknowledged);
  std::vector<SpooledMessage> messages;
  std::size_t bytes = 0;
  for (auto& segment : segments_) {
    if (segment.last <= after || segment.bytes <= kSegmentHeaderBytes) continue;
    std::shared_ptr<base::File> file = segment.file;
    if (!file) {
      HEADRACE_TRY(file, fs_.open(path_of(segment.number), {}));
    }
    bool const go_on = cursor_.segment == segment.number && cursor_.after <= after;
    SegmentReader reader(*file, go_on ? cursor_.offset : kSegmentHeaderBytes, segment.bytes);
    std::uint64_t last = 0;
    for (;;) {
      HEADRACE_TRY(auto const entry, reader.next());
      if (!entry) break;
      last = entry->sequence;
      if (last <= after) continue;
      auto const size = entry->body.size() + entry->data_type.size() + entry->source.size();
      bool const enough =
          messages.size() == messages_max || (!messages.empty() && bytes + size > bytes_max);
      if (enough) {
        cursor_ = {segment.number, messages.back().sequence, reader.offset()};
        return messages;
      }
      bytes += size;
      messages.push_back({entry->sequence,
                          {entry->time_ns},
                          std::string(entry->data_type),
                          std::string(entry->source),
                          std::string(entry->body)});
    }
    if (reader.offset() < segment.bytes) cut(segment, std::max(last, after), reader.offset());
    if (!messages.empty()) cursor_ = {segment.number, messages.back().sequence, reader.offset()};
  }
  return messages;
}

// The disk no longer gives what was written: what follows `last_good` in this segment is lost.
void Spool::cut(Segment& segment, std::uint64_t last_good, std::uint64_t offset) {
  std::deque<Run> kept;
  std::uint64_t lost = 0;
  for (auto const& run : runs_) {
    auto const first = std::max(run.first, last_good + 1), last = std::min(run.last, segment.last);
    if (first > last) {
      kept.push_back(run);
      continue;
    }
    lost += last - first + 1;
    if (run.first < first) kept.push_back({run.first, first - 1});
    if (last < run.last) kept.push_back({last + 1, run.last});
  }
  runs_ = std::move(kept);
  counted_.dropped += lost;
  counted_.damaged_bytes += segment.bytes - offset;
  base::log_error("a segment of the agent's spool is damaged; the messages behind it are lost",
                  {{"path", path_of(segment.number)}, {"offset", offset}, {"messages", lost}});
  bytes_ -= segment.bytes - offset;
  segment.bytes = offset;
}

base::Result<void> Spool::number_above(std::uint64_t sequence) {
  std::lock_guard const guard(mutex_);
  if (sequence < next_) return {};
  HEADRACE_TRY_VOID(write_head(sequence + kReservedAtATime));
  next_ = sequence + 1;
  return {};
}

base::Result<void> Spool::renew_session() {
  std::lock_guard const guard(mutex_);
  auto const before = head_;
  head_.session = base::uuid4();
  head_.epoch = 0;
  auto const written = write_head(head_.reserved);
  if (!written) head_ = before;
  return written;
}

base::Result<void> Spool::close() {
  std::lock_guard const guard(mutex_);
  if (closed_) return {};
  HEADRACE_TRY_VOID(segments_.back().file->sync_data());
  closed_ = true;
  return write_head(next_ - 1);
}

base::Uuid Spool::session() const {
  std::lock_guard const guard(mutex_);
  return head_.session;
}

std::uint32_t Spool::epoch() const {
  std::lock_guard const guard(mutex_);
  return head_.epoch;
}

SpoolStats Spool::stats() const {
  std::lock_guard const guard(mutex_);
  auto stats = counted_;
  stats.bytes = bytes_;
  for (auto const& run : runs_) stats.messages += run.last - run.first + 1;
  return stats;
}

std::string Spool::path_of(std::uint64_t number) const {
  return fmt::format("{}/{:016x}{}", options_.directory, number, kSuffix);
}

std::uint64_t Spool::segment_bytes_max() const {
  return std::clamp<std::uint64_t>(options_.bytes_max / 16, 64u << 10, 4u << 20);
}

}  // namespace headrace::agent
