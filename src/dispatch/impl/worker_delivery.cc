// SPDX-License-Identifier: Apache-2.0
// The part of Worker that hands batches to the receiver and commits what came of them.
#include <fmt/format.h>

#include "base/log.h"
#include "codec/record/record_writer.h"
#include "dispatch/impl/guarded.h"
#include "dispatch/impl/worker.h"

namespace headrace::dispatch::impl {

using base::Error;
using base::ErrorCode;
using base::Result;
using codec::record::MessageView;
using codec::record::RecordView;

namespace {

// The message's record, cut down to it.
std::string single_record(RecordView record, MessageView message) {
  codec::record::RecordWriter writer;
  codec::record::RecordHeader header;
  header.kind = record.kind();
  header.flags = record.flags() | codec::record::kFlagRedelivered;
  header.principal = record.principal();
  header.source = record.source();
  header.producer = record.producer();
  header.epoch = record.epoch();
  header.received = record.received();
  writer.begin(header);
  writer.add({record.first_sequence() + message.sequence_delta(), message.time(), message.id_kind(),
              message.id_bytes(), message.encoding(), message.body()});
  return std::string(base::as_text(writer.finish()));
}

Result<void> check(Outcome const& outcome, std::size_t messages) {
  auto const wrong = [](std::string what) {
    return Error{ErrorCode::kInternal,
                 "the receiver's outcome does not fit its batch: " + std::move(what)};
  };
  if (outcome.fates.empty() ? !outcome.rejected.empty() : outcome.fates.size() != messages)
    return wrong(fmt::format("{} fates for {} messages", outcome.fates.size(), messages));
  std::size_t next = 0;
  for (std::size_t i = 0; i < outcome.fates.size(); ++i) {
    if (outcome.fates[i] != Fate::kRejected) continue;
    if (next == outcome.rejected.size() || outcome.rejected[next].index != i)
      return wrong(fmt::format("message {} is rejected without a reason", i));
    ++next;
  }
  if (next != outcome.rejected.size())
    return wrong(fmt::format("{} reasons for {} rejected messages", outcome.rejected.size(), next));
  return {};
}

Fate fate_of(Outcome const& outcome, std::size_t index) {
  return outcome.fates.empty() ? Fate::kStored : outcome.fates[index];
}

Tally& tally_of(Account& account, Fate fate) {
  switch (fate) {
    case Fate::kStored: return account.stored;
    case Fate::kFiltered: return account.filtered;
    case Fate::kDuplicate: return account.duplicate;
    case Fate::kRejected: return account.dead;
  }
  return account.dead;
}

}  // namespace

Result<Outcome> Worker::call(Gathered const& gathered, Commit const& commit) {
  base::Timestamp const now = clock_.now();
  for (auto const& [received, count] : gathered.received)
    log_to_receiver_.record(now - received, count);
  auto const began = clock_.steady();
  board_.call_began();
  auto outcome = guarded("consume", [&] { return receiver_->consume(gathered.batch(), commit); });
  board_.call_ended();
  receiver_to_store_.record(clock_.steady() - began);
  return outcome;
}

NewDeadLetter Worker::make_letter(Delivery const& delivery, Origin const& origin,
                                  Error const& reason) const {
  NewDeadLetter letter;
  letter.index_in_record = origin.index_in_record;
  DeadLetter& d = letter.letter;
  d.data_type = delivery.data_type;
  d.source = delivery.record.source();
  d.message_id = codec::record::message_id(delivery.record, delivery.message);
  d.partition = origin.at.partition;
  d.position = origin.position;
  d.reason = reason;
  d.attempts = 1;
  d.first_refused = d.last_refused = clock_.now();
  d.record = single_record(delivery.record, delivery.message);
  return letter;
}

Result<Worker::Settlement> Worker::settle(Gathered const& gathered, Outcome const& outcome) const {
  HEADRACE_TRY_VOID(check(outcome, gathered.deliveries.size()));
  Settlement settlement{gathered.pending, {}, {}};
  for (std::size_t i = 0; i < gathered.deliveries.size(); ++i) {
    Account& account = settlement.pending.accounts[gathered.origins[i].at.topic];
    tally_of(account, fate_of(outcome, i)) += {1, points_of(gathered.deliveries[i].message)};
  }
  for (Rejected const& rejected : outcome.rejected)
    settlement.letters.push_back(make_letter(gathered.deliveries[rejected.index],
                                             gathered.origins[rejected.index], rejected.reason));
  return settlement;
}

Result<void> Worker::deliver(Gathered const& gathered) {
  if (gathered.deliveries.empty() && gathered.events.empty() && gathered.pending.empty()) return {};
  if (keeps_state_) {
    std::optional<Settlement> settlement;
    auto const outcome =
        call(gathered, [&](Outcome const& said) -> Result<std::vector<StateChange>> {
          HEADRACE_TRY(settlement, settle(gathered, said));
          if (!settlement->letters.empty() || file_->has_unconfirmed())
            HEADRACE_TRY_VOID(file_->put_unconfirmed(settlement->letters));
          std::vector<StateChange> changes = removals_;
          for (StateChange& change : tracker_.changes(settlement->pending))
            changes.push_back(std::move(change));
          return changes;
        });
    if (!outcome) return outcome.error();
    if (!settlement)
      return Error{ErrorCode::kInternal,
                   "the receiver keeps its state but did not ask for what to commit"};
    HEADRACE_TRY_VOID(commit_stored(gathered, *settlement));
  } else {
    Outcome outcome;
    if (!gathered.deliveries.empty() || !gathered.events.empty()) {
      Commit const none = [](Outcome const&) -> Result<std::vector<StateChange>> {
        return std::vector<StateChange>();
      };
      HEADRACE_TRY(outcome, call(gathered, none));
    }
    HEADRACE_TRY(Settlement const settlement, settle(gathered, outcome));
    HEADRACE_TRY_VOID(commit_own(gathered, settlement));
  }
  return finish_delivery(gathered);
}

// The receiver has committed data and state.
Result<void> Worker::commit_stored(Gathered const& gathered, Settlement const& settlement) {
  tracker_.apply(settlement.pending);
  tracker_.forget_settled_retries();
  removals_.clear();
  if (!settlement.letters.empty()) HEADRACE_TRY_VOID(file_->confirm());
  if (!gathered.erased.empty()) HEADRACE_TRY_VOID(file_->write({{}, {}, {}, gathered.erased}));
  return {};
}

// The receiver has consumed; dispatch keeps the state.
Result<void> Worker::commit_own(Gathered const& gathered, Settlement const& settlement) {
  for (StateChange& change : removals_) unwritten_[std::move(change.key)] = std::move(change.value);
  removals_.clear();
  for (StateChange& change : tracker_.changes(settlement.pending))
    unwritten_[std::move(change.key)] = std::move(change.value);
  tracker_.apply(settlement.pending);
  unwritten_letters_.insert(unwritten_letters_.end(), settlement.letters.begin(),
                            settlement.letters.end());
  unwritten_erased_.insert(unwritten_erased_.end(), gathered.erased.begin(), gathered.erased.end());
  bool const due =
      options_.required || clock_.steady() - last_write_ >= options_.checkpoint_interval;
  bool const must = options_.required || !unwritten_letters_.empty() || !unwritten_erased_.empty();
  if (!due && !must) return {};
  auto const written = write_unwritten();
  if (written || must) return written;
  base::log_warn("receiver state not written; it is kept for the next time",
                 {{"receiver", name_}, {"error", base::to_string(written.error())}});
  return {};
}

Result<void> Worker::write_unwritten() {
  if (unwritten_.empty() && unwritten_letters_.empty() && unwritten_erased_.empty()) return {};
  std::vector<StateChange> state;
  state.reserve(unwritten_.size());
  for (auto const& [key, value] : unwritten_) state.push_back({key, value});
  HEADRACE_TRY_VOID(file_->write({state, unwritten_letters_, {}, unwritten_erased_}));
  unwritten_.clear();
  unwritten_letters_.clear();
  unwritten_erased_.clear();
  last_write_ = clock_.steady();
  return {};
}

Result<void> Worker::finish_delivery(Gathered const& gathered) {
  if (failures_ > 0)
    base::log_info("receiver works again", {{"receiver", name_}, {"failures", failures_}});
  failures_ = 0;
  board_.set_state(ReceiverState::kRunning);
  board_.publish(tracker_, gathered.deliveries.size());
  hold();
  removals_ = tracker_.expire_producers(clock_.now());
  return {};
}

// True: some were sent again, there may be more.
Result<bool> Worker::retry_dead_letters() {
  HEADRACE_TRY(auto const letters,
               file_->begin_retry(options_.batch_messages_max, options_.batch_bytes_max));
  if (letters.empty()) return false;
  auto const sent = resend(letters);
  file_->end_retry();
  if (!sent) return sent.error();
  board_.publish(tracker_, 0);
  return true;
}

// The letters stay, with the reason.
Result<void> Worker::give_back(std::vector<DeadLetter> const& letters, Error const& reason) {
  std::vector<Retried> retried;
  for (DeadLetter const& letter : letters)
    retried.push_back({letter.id, false, reason, clock_.now()});
  retries_refused_.add(letters.size());
  return file_->write({{}, {}, retried, {}});
}

Worker::Settlement Worker::settle_retry(Gathered const& gathered, Outcome const& outcome,
                                        std::vector<std::uint64_t> const& ids,
                                        std::vector<std::uint64_t>& settled) const {
  Settlement settlement;
  settled.clear();
  for (std::size_t i = 0, refused = 0; i < ids.size(); ++i) {
    Fate const fate = fate_of(outcome, i);
    if (fate == Fate::kRejected) {
      settlement.retried.push_back(
          {ids[i], false, outcome.rejected[refused++].reason, clock_.now()});
      continue;
    }
    Tally const tally{1, points_of(gathered.deliveries[i].message)};
    Account& account = settlement.pending.accounts[gathered.origins[i].at.topic];
    account.dead -= tally;  // added to what is there: wraps around and back
    tally_of(account, fate) += tally;
    settlement.retried.push_back({ids[i], true, {}, {}});
    settled.push_back(ids[i]);
  }
  return settlement;
}

Result<void> Worker::resend(std::vector<DeadLetter> const& letters) {
  Gathered gathered;
  std::vector<DeadLetter> homeless;
  std::vector<std::uint64_t> ids, settled;
  for (DeadLetter const& letter : letters) {
    Tracker::Topic const* const topic = tracker_.find_topic(letter.data_type);
    auto const record = RecordView::open(base::as_bytes(letter.record));
    if (topic == nullptr || !record || record->count() != 1) {
      homeless.push_back(letter);
      continue;
    }
    gathered.deliveries.push_back({topic->data_type, *record, record->first(), true});
    gathered.origins.push_back({{topic->id, letter.partition}, letter.position, 0});
    ids.push_back(letter.id);
  }
  if (!homeless.empty())
    HEADRACE_TRY_VOID(give_back(
        homeless,
        {ErrorCode::kNotFound,
         "the receiver no longer subscribes to this data type, or the record is damaged"}));
  if (ids.empty()) return {};

  std::optional<Settlement> settlement;
  Commit const commit = [&](Outcome const& outcome) -> Result<std::vector<StateChange>> {
    HEADRACE_TRY_VOID(check(outcome, ids.size()));
    settlement = settle_retry(gathered, outcome, ids, settled);
    return tracker_.changes(settlement->pending, settled);
  };
  auto outcome = call(gathered, commit);
  if (outcome && keeps_state_ && !settlement)
    outcome = Error{ErrorCode::kInternal,
                    "the receiver keeps its state but did not ask for what to commit"};
  std::vector<StateChange> changes;
  if (outcome && !keeps_state_) {
    if (auto own = commit(*outcome))
      changes = std::move(*own);
    else
      outcome = own.error();
  }
  if (!outcome) {
    bool const unclear =
        keeps_state_ && settlement.has_value();  // it may have committed: its state will tell
    HEADRACE_TRY_VOID(give_back(letters, outcome.error()));
    if (unclear) return outcome.error();
    return {};
  }
  if (!keeps_state_) {
    HEADRACE_TRY_VOID(write_unwritten());
    std::erase_if(changes,
                  [](StateChange const& change) { return change.key.starts_with("retried/"); });
    HEADRACE_TRY_VOID(file_->write({changes, {}, settlement->retried, {}}));
  }
  tracker_.apply(settlement->pending);
  retries_settled_.add(settled.size());
  retries_refused_.add(ids.size() - settled.size());
  if (!keeps_state_) return {};
  tracker_.forget_settled_retries();
  for (std::uint64_t const id : settled) tracker_.settle_retry(id);
  return file_->write({{}, {}, settlement->retried, {}});
}

}  // namespace headrace::dispatch::impl
