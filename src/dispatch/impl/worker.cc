// SPDX-License-Identifier: Apache-2.0
#include "dispatch/impl/worker.h"

#include <fmt/format.h>
#include <pthread.h>

#include "base/assert.h"
#include "base/log.h"
#include "dispatch/impl/guarded.h"

namespace headrace::dispatch::impl {

using base::Error;
using base::ErrorCode;
using base::Result;
using broker::TopicPartition;

namespace {

std::vector<Tracker::Topic> topics_of(Route const& route) {
  std::vector<Tracker::Topic> topics;
  for (Subscription const& s : route.subscriptions)
    topics.push_back({s.topic.id, s.topic.name, s.topic.partition_count, s.type.retention});
  return topics;
}

base::Labels labels_of(std::string const& receiver) { return {{"receiver", receiver}}; }

}  // namespace

Worker::Worker(Dispatcher::Dependencies const& d, Route route)
    : broker_(d.broker),
      clock_(d.clock),
      name_(route.name),
      path_(d.directory + "/" + route.name + ".db"),
      options_(route.options),
      receiver_(std::move(route.receiver)),
      keeps_state_(receiver_->keeps_state()),
      log_to_receiver_(d.metrics.histogram("headrace_dispatch_log_to_receiver_seconds",
                                           "From a message's arrival to its receiver's turn",
                                           labels_of(name_))),
      receiver_to_store_(d.metrics.histogram(
          "headrace_dispatch_receiver_to_store_seconds",
          "How long receivers take for a batch, until it is applied", labels_of(name_))),
      errors_(d.metrics.counter("headrace_dispatch_errors_total",
                                "Calls of receivers that failed and are tried again",
                                labels_of(name_))),
      retries_settled_(d.metrics.counter("headrace_dispatch_dead_letter_retries_total",
                                         "Dead letters sent again, by result",
                                         {{"receiver", name_}, {"result", "settled"}})),
      retries_refused_(d.metrics.counter("headrace_dispatch_dead_letter_retries_total",
                                         "Dead letters sent again, by result",
                                         {{"receiver", name_}, {"result", "refused"}})),
      board_(d.clock),
      tracker_(topics_of(route), route.options.producers_max),
      random_(d.seed ^ std::hash<std::string>()(name_)) {}

Worker::~Worker() { HEADRACE_ASSERT(!thread_.joinable(), "join() before destruction"); }

void Worker::start() {
  for (Tracker::Topic const& topic : topics())
    for (std::uint32_t p = 0; p < topic.partition_count; ++p)
      ends_at_start_[{topic.id, p}] = broker_.end({topic.id, p});
  // Until its cursors are known, a required receiver needs everything.
  if (options_.required) {
    std::vector<broker::Assignment> all;
    for (Tracker::Topic const& topic : topics())
      for (std::uint32_t p = 0; p < topic.partition_count; ++p) all.push_back({{topic.id, p}, {}});
    broker_.hold(name_, all);
  }
  thread_ = std::thread([this] { run(); });
  ::pthread_setname_np(thread_.native_handle(), ("rcv " + name_).substr(0, 15).c_str());
}

void Worker::join() {
  if (thread_.joinable()) thread_.join();
}

void Worker::run() {
  while (!board_.stopping()) {
    auto const ended = session();
    gatherer_.reset();
    if (ended) break;
    if (given_up_) {
      base::log_error("receiver given up",
                      {{"receiver", name_}, {"error", base::to_string(ended.error())}});
      board_.set_state(ReceiverState::kFailed, ended.error());
      while (!board_.stopping()) board_.wait_for_command();
      break;
    }
    back_off(ended.error());
  }
  gatherer_.reset();
  if (file_) {
    if (auto const written = write_unwritten(); !written)
      base::log_error("receiver state not written",
                      {{"receiver", name_}, {"error", base::to_string(written.error())}});
  }
  if (started_)
    (void)guarded("stop", [&]() -> Result<void> {
      receiver_->stop();
      return {};
    });
  board_.finish();
}

void Worker::back_off(Error const& error) {
  errors_.add();
  if (failures_++ == 0)
    base::log_warn("receiver failed; it is tried again",
                   {{"receiver", name_}, {"error", base::to_string(error)}});
  std::uint32_t const doublings = std::min(failures_ - 1, 30u);
  auto const wait = std::min<std::chrono::nanoseconds>(
      options_.retry_max, options_.retry_min * (std::int64_t{1} << doublings));
  auto const jittered = wait / 2 + std::chrono::nanoseconds(static_cast<std::int64_t>(
                                       random_.unit() * static_cast<double>(wait.count()) / 2));
  board_.set_state(ReceiverState::kRetrying, error, failures_, clock_.now() + jittered);
  board_.sleep_until(clock_.steady() + jittered);
}

bool Worker::blocked() {
  DeadLetterTotals const totals = file_->totals();
  if (totals.count < options_.dead_letters_max && totals.bytes < options_.dead_letter_bytes_max)
    return false;
  board_.set_state(
      ReceiverState::kBlocked,
      Error{
          ErrorCode::kOverloaded,
          fmt::format("{} dead letters with {} bytes; the bounds are {} and {}: retry or drop some",
                      totals.count, totals.bytes, options_.dead_letters_max,
                      options_.dead_letter_bytes_max)});
  return true;
}

Result<void> Worker::session() {
  HEADRACE_TRY_VOID(open_session());
  while (!board_.stopping()) {
    HEADRACE_TRY(bool const retried, retry_dead_letters());
    if (retried) continue;
    if (blocked()) {
      board_.wait_for_command();
      continue;
    }
    HEADRACE_TRY(bool const more, gatherer_->gather(gathered_, board_.take_wake()));
    if (more) {
      HEADRACE_TRY_VOID(deliver(gathered_));
      continue;
    }
    HEADRACE_TRY_VOID(write_unwritten());
    board_.set_state(ReceiverState::kRunning);
    board_.wait_for_work();
  }
  return {};
}

Result<void> Worker::open_session() {
  if (!file_) {
    // What a receiver without a store may see again after a power failure is its own business,
    // unless it is required.
    bool const full = keeps_state_ || options_.required;
    HEADRACE_TRY(file_, StateFile::open(path_, full ? sqlite::Synchronous::kFull
                                                    : sqlite::Synchronous::kNormal));
    file_view_.store(file_.get(), std::memory_order_release);
  }
  if (!started_) HEADRACE_TRY_VOID(start_receiver());
  bool const first = !loaded_;
  if (keeps_state_ || first)
    HEADRACE_TRY_VOID(load_state());
  else
    HEADRACE_TRY_VOID(write_unwritten());
  if (first) {
    Gathered changes;
    HEADRACE_TRY_VOID(begin_cursors(changes));
    HEADRACE_TRY_VOID(deliver(changes));
    loaded_ = true;
  }
  board_.publish(tracker_, 0);
  hold();
  HEADRACE_TRY(gatherer_, open_reader());
  return {};
}

Result<void> Worker::start_receiver() {
  auto const started = guarded("start", [&] { return receiver_->start(); });
  if (!started) {
    given_up_ = started.error().code == ErrorCode::kInvalidArgument;
    return started;
  }
  started_ = true;
  return {};
}

Result<void> Worker::load_state() {
  HEADRACE_TRY(auto const state,
               keeps_state_ ? guarded("load_state", [&] { return receiver_->load_state(); })
                            : file_->load_state());
  HEADRACE_TRY_VOID(tracker_.load(state));
  removals_.clear();
  HEADRACE_TRY_VOID(file_->settle_unconfirmed(
      [&](std::string const& data_type, std::uint32_t partition, broker::Position position) {
        Tracker::Topic const* const topic = tracker_.find_topic(data_type);
        auto const cursor =
            topic != nullptr ? tracker_.cursor({topic->id, partition}) : std::nullopt;
        return cursor && position < *cursor;
      }));
  if (tracker_.settled_retries().empty()) return {};
  std::vector<Retried> settled;
  for (std::uint64_t const id : tracker_.settled_retries()) settled.push_back({id, true, {}, {}});
  return file_->write({{}, {}, settled, {}});
}

// Where the receiver has no cursor yet, or one that is of no use. Of another log (or one that a
// repair cut) no cursor is: reading it from its beginning loses nothing, repeats are dropped.
Result<void> Worker::begin_cursors(Gathered& changes) {
  auto const log = broker_.incarnation();
  bool const another = tracker_.log() && *tracker_.log() != log;
  if (another) {
    base::log_warn("the log is another one than the cursors are of; reading from its beginning",
                   {{"receiver", name_}});
    tracker_.forget_cursors();
  }
  if (!tracker_.log() || another) changes.pending.log = log;
  for (Tracker::Topic const& topic : topics()) {
    for (std::uint32_t p = 0; p < topic.partition_count; ++p) {
      TopicPartition const at{topic.id, p};
      auto const cursor = tracker_.cursor(at);
      broker::Position const end = ends_at_start_.at(at);
      if (!cursor) {
        bool const all =
            another ? options_.from != From::kAlwaysEnd : options_.from == From::kBegin;
        changes.pending.cursors[at] = all ? broker_.begin(at) : end;
      } else if (*cursor > end) {
        // Another log, or one that lost what was not synced. Reading again from its beginning loses
        // nothing: repeats are dropped. Also when it is empty: else what comes next would stand
        // before the cursor.
        base::log_warn("cursor is beyond the log's end; reading from its beginning",
                       {{"receiver", name_},
                        {"data_type", topic.data_type},
                        {"partition", p},
                        {"cursor", broker::to_string(*cursor)},
                        {"end", broker::to_string(end)}});
        changes.pending.cursors[at] = broker_.begin(at);
      } else if (options_.from == From::kAlwaysEnd && *cursor < end) {
        changes.pending.accounts[topic.id].expired += count_between(at, *cursor, end);
        changes.pending.cursors[at] = end;
      }
    }
  }
  return {};
}

// The log may grow between the two counts; then they are taken again.
std::uint64_t Worker::count_between(TopicPartition at, broker::Position from,
                                    broker::Position to) const {
  for (int tries = 0;; ++tries) {
    std::uint64_t const before = broker_.count_after(at, to);
    std::uint64_t const all = broker_.count_after(at, from);
    if (tries == 100 || broker_.count_after(at, to) == before) return all - std::min(all, before);
  }
}

Result<std::unique_ptr<Gatherer>> Worker::open_reader() {
  std::vector<broker::Assignment> assignments;
  for (auto const& [at, position] : tracker_.cursors()) assignments.push_back({at, position});
  (void)board_.take_wake();  // of the reader before
  auto reader = broker_.make_reader(std::move(assignments), [this] { board_.wake(); });
  return std::make_unique<Gatherer>(tracker_, std::move(reader), options_.batch_messages_max,
                                    options_.batch_bytes_max);
}

void Worker::hold() const {
  if (!options_.required) return;
  std::vector<broker::Assignment> positions;
  for (auto const& [at, position] : tracker_.cursors()) positions.push_back({at, position});
  broker_.hold(name_, positions);
}

}  // namespace headrace::dispatch::impl
