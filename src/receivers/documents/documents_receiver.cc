// SPDX-License-Identifier: Apache-2.0
#include "receivers/documents/documents_receiver.h"

#include <fmt/format.h>

namespace headrace::receivers::documents {

using base::Error;
using base::ErrorCode;
using base::Result;
using codec::record::Kind;
using dispatch::Delivery;
using dispatch::Fate;
using headrace::documents::Inserted;
using headrace::documents::NewMessage;
using headrace::documents::Transaction;

namespace {

bool says_nothing(codec::record::MessageView message) {
  std::string_view const body = base::as_text(message.body());
  switch (message.encoding()) {
    case model::BodyEncoding::kNone: return true;
    case model::BodyEncoding::kJson: return body == "{}" || body == "null" || body.empty();
    case model::BodyEncoding::kMsgpack: return body == "\x80" || body == "\xC0";
    case model::BodyEncoding::kPoints: return false;
  }
  return false;
}

class DocumentsReceiver final : public dispatch::Receiver {
 public:
  DocumentsReceiver(std::string name, headrace::documents::Documents& store,
                    DocumentsReceiverOptions const& options)
      : name_(std::move(name)), store_(store), options_(options) {}

  Result<void> start() override { return {}; }
  bool keeps_state() const override { return true; }
  void stop() override {}

  Result<std::vector<dispatch::StateChange>> load_state() override {
    HEADRACE_TRY(auto entries, store_.load_state(name_));
    std::vector<dispatch::StateChange> state;
    state.reserve(entries.size());
    for (auto& entry : entries) state.push_back({std::move(entry.key), std::move(entry.value)});
    return state;
  }

  Result<dispatch::Outcome> consume(dispatch::Batch const& batch,
                                    dispatch::Commit const& commit) override {
    HEADRACE_TRY(auto const transaction, store_.begin());
    dispatch::Outcome outcome;
    outcome.fates.reserve(batch.messages.size());
    prepare_ids(batch.messages);
    std::size_t at = 0;
    while (at < batch.messages.size()) {
      std::size_t end = at;
      while (end < batch.messages.size() && batch.messages[end].record.kind() == Kind::kMessages)
        ++end;
      HEADRACE_TRY_VOID(insert(*transaction, batch.messages, at, end, outcome));
      if (end < batch.messages.size())
        HEADRACE_TRY_VOID(apply(*transaction, batch.messages[end], end, outcome));
      at = end + 1;
    }
    HEADRACE_TRY(auto const changes, commit(outcome));
    for (dispatch::StateChange const& change : changes)
      HEADRACE_TRY_VOID(transaction->set_state(name_, change.key, change.value));
    HEADRACE_TRY_VOID(transaction->commit());
    return outcome;
  }

 private:
  // All ids of the batch in one text, so that the views hold while more are added.
  void prepare_ids(std::span<Delivery const> messages) {
    ids_.clear();
    id_ends_.clear();
    for (Delivery const& d : messages) {
      codec::record::append_message_id(ids_, d.record, d.message);
      id_ends_.push_back(ids_.size());
    }
  }
  std::string_view id(std::size_t index) const {
    std::size_t const begin = index == 0 ? 0 : id_ends_[index - 1];
    return std::string_view(ids_).substr(begin, id_ends_[index] - begin);
  }

  Result<void> insert(Transaction& transaction, std::span<Delivery const> messages,
                      std::size_t begin, std::size_t end, dispatch::Outcome& outcome) {
    rows_.clear();
    for (std::size_t i = begin; i < end; ++i) {
      Delivery const& d = messages[i];
      if (d.message.body().size() > options_.body_bytes_max) continue;
      rows_.push_back({d.data_type, d.record.source(), d.record.principal(), id(i),
                       d.message.time(), d.record.received(), d.message.encoding(),
                       d.message.body()});
    }
    inserted_.clear();
    HEADRACE_TRY_VOID(transaction.insert(rows_, inserted_));
    auto result = inserted_.begin();
    for (std::size_t i = begin; i < end; ++i) {
      std::size_t const size = messages[i].message.body().size();
      if (size > options_.body_bytes_max) {
        outcome.fates.push_back(Fate::kRejected);
        outcome.rejected.push_back({i, too_large(size)});
      } else {
        outcome.fates.push_back(*result++ == Inserted::kStored ? Fate::kStored : Fate::kDuplicate);
      }
    }
    return {};
  }

  Error too_large(std::size_t size) const {
    return {ErrorCode::kTooLarge,
            fmt::format("the body has {} bytes; this archive takes at most {} "
                        "(receivers.{}.body_bytes_max)",
                        size, options_.body_bytes_max, name_)};
  }

  static Result<void> apply(Transaction& transaction, Delivery const& d, std::size_t index,
                            dispatch::Outcome& outcome) {
    if (d.record.kind() != Kind::kErase) {
      outcome.fates.push_back(Fate::kFiltered);
      return {};
    }
    if (!says_nothing(d.message)) {
      outcome.fates.push_back(Fate::kRejected);
      outcome.rejected.push_back({index,
                                  {ErrorCode::kInvalidArgument,
                                   "erase: conditions are not supported; expected an empty object, "
                                   "which erases the whole source"}});
      return {};
    }
    HEADRACE_TRY_VOID(transaction.erase(d.record.source(), d.data_type));
    outcome.fates.push_back(Fate::kStored);
    return {};
  }

  std::string const name_;
  headrace::documents::Documents& store_;
  DocumentsReceiverOptions const options_;
  std::string ids_;
  std::vector<std::size_t> id_ends_;
  std::vector<NewMessage> rows_;
  std::vector<Inserted> inserted_;
};

}  // namespace

std::unique_ptr<dispatch::Receiver> make_documents_receiver(
    std::string name, headrace::documents::Documents& store,
    DocumentsReceiverOptions const& options) {
  return std::make_unique<DocumentsReceiver>(std::move(name), store, options);
}

}  // namespace headrace::receivers::documents
