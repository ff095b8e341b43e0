// SPDX-License-Identifier: Apache-2.0
#include "dispatch/dispatcher.h"

#include <fmt/format.h>

#include <mutex>

#include "base/file_system.h"
#include "dispatch/impl/worker.h"

namespace headrace::dispatch {

using base::Error;
using base::ErrorCode;
using base::Result;
using impl::Board;
using impl::StateFile;
using impl::Worker;

namespace {

// What metrics are rendered from; outlives the dispatcher, because the registry does.
struct Gate {
  std::mutex mutex;
  Dispatcher const* dispatcher = nullptr;
};

}  // namespace

struct Dispatcher::Impl {
  explicit Impl(Dependencies d) : dependencies(std::move(d)) {}

  Dependencies dependencies;
  std::vector<std::unique_ptr<Worker>> workers;
  std::shared_ptr<Gate> gate = std::make_shared<Gate>();
  bool started = false;

  Result<Worker*> find(std::string_view receiver) const {
    for (auto const& worker : workers)
      if (worker->name() == receiver) return worker.get();
    return Error{ErrorCode::kNotFound, fmt::format("no receiver '{}'", receiver)};
  }
  Result<StateFile*> file(std::string_view receiver) const {
    HEADRACE_TRY(Worker const* const worker, find(receiver));
    if (StateFile* const file = worker->file()) return file;
    return Error{ErrorCode::kUnavailable,
                 fmt::format("receiver '{}': its state is not open yet", receiver)};
  }
  ReceiverStatus status(Worker& worker) const;
  std::vector<LedgerEntry> ledger(Worker const& worker, Board::View const& view) const;
  void add_unread(ReceiverStatus& status, Worker const& worker, Board::View const& view) const;
  void register_metrics() const;
};

Dispatcher::Dispatcher(Dependencies dependencies, std::vector<Route> routes)
    : impl_(new Impl(std::move(dependencies))) {
  for (Route& route : routes)
    impl_->workers.push_back(std::make_unique<Worker>(impl_->dependencies, std::move(route)));
  impl_->gate->dispatcher = this;
  impl_->register_metrics();
}

Dispatcher::~Dispatcher() {
  {
    std::lock_guard const lock(impl_->gate->mutex);
    impl_->gate->dispatcher = nullptr;
  }
  for (auto const& worker : impl_->workers) worker->board().request_stop();
  for (auto const& worker : impl_->workers) worker->join();
}

Result<void> Dispatcher::start() {
  if (impl_->started) return {};
  HEADRACE_TRY_VOID(base::real_file_system().make_directories(impl_->dependencies.directory));
  impl_->started = true;
  for (auto const& worker : impl_->workers) worker->start();
  return {};
}

Result<void> Dispatcher::stop(std::chrono::steady_clock::time_point deadline) {
  if (!impl_->started) return {};
  for (auto const& worker : impl_->workers) worker->board().request_stop();
  std::string late;
  for (auto const& worker : impl_->workers) {
    if (worker->board().wait_finished(deadline))
      worker->join();
    else
      late += fmt::format("{}{}", late.empty() ? "" : ", ", worker->name());
  }
  if (late.empty()) return {};
  return Error{ErrorCode::kTimedOut, fmt::format("receivers that did not stop in time: {}", late)};
}

std::vector<LedgerEntry> Dispatcher::Impl::ledger(Worker const& worker,
                                                  Board::View const& view) const {
  std::vector<LedgerEntry> entries;
  for (auto const& topic : worker.topics()) {
    LedgerEntry& entry = entries.emplace_back();
    entry.data_type = topic.data_type;
    if (auto const at = view.accounts.find(topic.id); at != view.accounts.end()) {
      impl::Account const& account = at->second;
      entry.accepted = account.read;
      entry.stored = account.stored;
      entry.filtered = account.filtered;
      entry.duplicate = account.duplicate;
      entry.dead = account.dead;
      entry.expired = account.expired;
    }
    for (std::uint32_t p = 0; p < topic.partition_count; ++p)
      if (auto const at = view.cursors.find({topic.id, p}); at != view.cursors.end())
        entry.in_flight += dependencies.broker.count_after(at->first, at->second);
    entry.accepted.messages += entry.expired + entry.in_flight;
  }
  return entries;
}

void Dispatcher::Impl::add_unread(ReceiverStatus& status, Worker const& worker,
                                  Board::View const& view) const {
  base::Timestamp const now = dependencies.clock.now();
  for (auto const& [at, position] : view.cursors) {
    auto const oldest = dependencies.broker.time_at(at, position);
    if (!oldest) continue;
    auto const age = std::max(now - *oldest, std::chrono::nanoseconds(0));
    status.oldest_unread_age = std::max(status.oldest_unread_age.value_or(age), age);
    if (worker.options().required) continue;
    auto const topic = std::find_if(worker.topics().begin(), worker.topics().end(),
                                    [&](auto const& t) { return t.id == at.topic; });
    if (topic == worker.topics().end() || topic->retention.count() == 0) continue;
    auto const left = std::max(topic->retention - age, std::chrono::nanoseconds(0));
    status.falls_off_in = std::min(status.falls_off_in.value_or(left), left);
  }
}

ReceiverStatus Dispatcher::Impl::status(Worker& worker) const {
  Board::View const view = worker.board().view();
  RouteOptions const& options = worker.options();
  ReceiverStatus status;
  status.name = worker.name();
  status.required = options.required;
  status.state = view.state;
  status.error = view.error;
  status.failures = view.failures;
  status.next_try = view.next_try;
  status.messages_per_second = view.messages_per_second;
  for (auto const& topic : worker.topics()) status.data_types.push_back(topic.data_type);
  status.ledger = ledger(worker, view);
  for (LedgerEntry const& entry : status.ledger) status.lag_messages += entry.in_flight;
  if (StateFile const* const file = worker.file()) status.dead_letters = file->totals();
  add_unread(status, worker, view);
  if (view.in_call && *view.in_call > options.hang_after) {
    status.state = ReceiverState::kHung;
    status.error =
        Error{ErrorCode::kTimedOut,
              fmt::format("the call that runs now has lasted {} s",
                          std::chrono::duration_cast<std::chrono::seconds>(*view.in_call).count())};
  } else if (status.state == ReceiverState::kRunning &&
             status.oldest_unread_age.value_or(std::chrono::nanoseconds(0)) >
                 options.behind_after) {
    status.state = ReceiverState::kCatchingUp;
  }
  return status;
}

std::vector<ReceiverStatus> Dispatcher::status() const {
  std::vector<ReceiverStatus> all;
  for (auto const& worker : impl_->workers) all.push_back(impl_->status(*worker));
  return all;
}

Result<ReceiverStatus> Dispatcher::status(std::string_view receiver) const {
  HEADRACE_TRY(Worker* const worker, impl_->find(receiver));
  return impl_->status(*worker);
}

Result<std::vector<LedgerEntry>> Dispatcher::ledger(std::string_view receiver) const {
  HEADRACE_TRY(Worker* const worker, impl_->find(receiver));
  return impl_->ledger(*worker, worker->board().view());
}

broker::Position Dispatcher::applied(std::string_view receiver,
                                     broker::TopicPartition partition) const {
  auto const worker = impl_->find(receiver);
  return worker ? (*worker)->board().applied(partition) : broker::Position{};
}

Result<std::vector<broker::Assignment>> Dispatcher::ends(std::string_view receiver) const {
  HEADRACE_TRY(Worker const* const worker, impl_->find(receiver));
  std::vector<broker::Assignment> ends;
  for (auto const& topic : worker->topics())
    for (std::uint32_t p = 0; p < topic.partition_count; ++p)
      ends.push_back({{topic.id, p}, impl_->dependencies.broker.end({topic.id, p})});
  return ends;
}

namespace {

std::vector<broker::Assignment> only_read(Worker const& worker,
                                          std::span<broker::Assignment const> positions) {
  std::vector<broker::Assignment> wanted;
  for (broker::Assignment const& position : positions)
    for (auto const& topic : worker.topics())
      if (topic.id == position.partition.topic &&
          position.partition.partition < topic.partition_count)
        wanted.push_back(position);
  return wanted;
}

}  // namespace

Result<bool> Dispatcher::wait_applied(std::string_view receiver,
                                      std::span<broker::Assignment const> positions,
                                      std::chrono::steady_clock::time_point deadline) const {
  HEADRACE_TRY(Worker* const worker, impl_->find(receiver));
  return worker->board().wait_applied(only_read(*worker, positions), deadline);
}

Result<void> Dispatcher::when_applied(std::string_view receiver,
                                      std::vector<broker::Assignment> positions,
                                      std::function<void(bool)> done) {
  HEADRACE_TRY(Worker* const worker, impl_->find(receiver));
  return worker->board().when_applied(only_read(*worker, positions), std::move(done));
}

Result<DeadLetterPage> Dispatcher::list_dead_letters(std::string_view receiver,
                                                     DeadLetterFilter const& filter,
                                                     std::uint64_t after, std::size_t limit) const {
  HEADRACE_TRY(StateFile* const file, impl_->file(receiver));
  return file->list(filter, after, limit);
}

Result<DeadLetter> Dispatcher::show_dead_letter(std::string_view receiver, std::uint64_t id) const {
  HEADRACE_TRY(StateFile* const file, impl_->file(receiver));
  return file->show(id);
}

Result<std::uint64_t> Dispatcher::retry_dead_letters(std::string_view receiver,
                                                     DeadLetterFilter const& filter) {
  HEADRACE_TRY(StateFile* const file, impl_->file(receiver));
  HEADRACE_TRY(std::uint64_t const count, file->mark_for_retry(filter));
  (*impl_->find(receiver))->board().command();
  return count;
}

Result<std::uint64_t> Dispatcher::drop_dead_letters(std::string_view receiver,
                                                    DeadLetterFilter const& filter) {
  HEADRACE_TRY(StateFile* const file, impl_->file(receiver));
  HEADRACE_TRY(std::uint64_t const count, file->drop(filter));
  (*impl_->find(receiver))->board().command();
  return count;
}

void Dispatcher::poke() {
  for (auto const& worker : impl_->workers) worker->board().poke();
}

void Dispatcher::Impl::register_metrics() const {
  using Each = std::function<void(ReceiverStatus const&, base::Registry::Emit const&)>;
  auto const add = [this](std::string_view name, std::string_view help, std::string_view kind,
                          Each each) {
    dependencies.metrics.collector(
        name, help, kind, [held = gate, each = std::move(each)](base::Registry::Emit const& emit) {
          std::lock_guard const lock(held->mutex);
          if (held->dispatcher == nullptr) return;
          for (ReceiverStatus const& status : held->dispatcher->status()) each(status, emit);
        });
  };
  add("headrace_dispatch_messages_total", "Messages by receiver, data type and fate", "counter",
      [](ReceiverStatus const& s, auto const& emit) {
        for (LedgerEntry const& e : s.ledger) {
          std::pair<char const*, std::uint64_t> const fates[] = {
              {"accepted", e.accepted.messages}, {"stored", e.stored.messages},
              {"filtered", e.filtered.messages}, {"duplicate", e.duplicate.messages},
              {"dead", e.dead.messages},         {"expired", e.expired}};
          for (auto const& [fate, count] : fates)
            emit({{"receiver", s.name}, {"data_type", e.data_type}, {"fate", fate}},
                 static_cast<double>(count));
        }
      });
  add("headrace_dispatch_points_total", "Points by receiver, data type and fate", "counter",
      [](ReceiverStatus const& s, auto const& emit) {
        for (LedgerEntry const& e : s.ledger)
          for (auto const& [fate, tally] : {std::pair("stored", e.stored),
                                            {"filtered", e.filtered},
                                            {"duplicate", e.duplicate},
                                            {"dead", e.dead}})
            if (tally.points > 0)
              emit({{"receiver", s.name}, {"data_type", e.data_type}, {"fate", fate}},
                   static_cast<double>(tally.points));
      });
  add("headrace_dispatch_lag_messages", "Messages in the log that the receiver has not consumed",
      "gauge", [](ReceiverStatus const& s, auto const& emit) {
        for (LedgerEntry const& e : s.ledger)
          emit({{"receiver", s.name}, {"data_type", e.data_type}},
               static_cast<double>(e.in_flight));
      });
  add("headrace_dispatch_oldest_unread_seconds",
      "Age of the oldest message that the receiver has not consumed", "gauge",
      [](ReceiverStatus const& s, auto const& emit) {
        emit({{"receiver", s.name}}, std::chrono::duration<double>(
                                         s.oldest_unread_age.value_or(std::chrono::nanoseconds(0)))
                                         .count());
      });
  add("headrace_dispatch_dead_letters", "Dead letters kept", "gauge",
      [](ReceiverStatus const& s, auto const& emit) {
        emit({{"receiver", s.name}}, static_cast<double>(s.dead_letters.count));
      });
  add("headrace_dispatch_dead_letter_bytes", "Bytes of the dead letters kept", "gauge",
      [](ReceiverStatus const& s, auto const& emit) {
        emit({{"receiver", s.name}}, static_cast<double>(s.dead_letters.bytes));
      });
  add("headrace_dispatch_receiver_state", "1 for the state that the receiver is in", "gauge",
      [](ReceiverStatus const& s, auto const& emit) {
        emit({{"receiver", s.name}, {"state", std::string(name(s.state))}}, 1);
      });
}

}  // namespace headrace::dispatch
