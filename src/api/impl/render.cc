// SPDX-License-Identifier: Apache-2.0
#include "api/impl/render.h"

#include "codec/json/json_write.h"
#include "codec/record/record_view.h"
#include "receivers/live/message_json.h"

namespace headrace::api {
namespace {

using codec::json::JsonWriter;

double seconds(std::chrono::nanoseconds span) {
  return std::chrono::duration<double>(span).count();
}

std::string_view type_of(Context const& context, std::string_view receiver) {
  for (auto const& [name, type] : context.deps.receiver_types)
    if (name == receiver) return type;
  return "";
}

void member_seconds(JsonWriter& w, std::string_view name,
                    std::optional<std::chrono::nanoseconds> span) {
  w.key(name);
  if (span)
    w.value(seconds(*span));
  else
    w.null();
}

void member_error(JsonWriter& w, std::optional<base::Error> const& error) {
  w.key("last_error");
  if (!error) {
    w.null();
    return;
  }
  w.begin_object()
      .member("code", base::name(error->code))
      .member("message", error->context)
      .end_object();
}

void brief_members(JsonWriter& w, Context const& context, dispatch::ReceiverStatus const& s) {
  w.member("name", s.name)
      .member("type", type_of(context, s.name))
      .member("state", dispatch::name(s.state))
      .member("lag_messages", s.lag_messages)
      .member("dead_letters", s.dead_letters.count)
      .member("messages_per_second", s.messages_per_second);
  member_seconds(w, "expires_in_s", s.falls_off_in);
  member_error(w, s.error);
}

void append_ledger_entry(JsonWriter& w, dispatch::LedgerEntry const& e) {
  w.begin_object()
      .member("data_type", e.data_type)
      .member("accepted", e.accepted.messages)
      .member("stored", e.stored.messages)
      .member("filtered", e.filtered.messages)
      .member("duplicate", e.duplicate.messages)
      .member("dead", e.dead.messages)
      .member("expired", e.expired)
      .member("in_flight", e.in_flight)
      .key("points")
      .begin_object()
      .member("accepted", e.accepted.points)
      .member("stored", e.stored.points)
      .member("filtered", e.filtered.points)
      .member("duplicate", e.duplicate.points)
      .member("dead", e.dead.points)
      .end_object()
      .end_object();
}

void append_receiver(JsonWriter& w, Context const& context, dispatch::ReceiverStatus const& s) {
  w.begin_object();
  brief_members(w, context, s);
  w.member("required", s.required).member("failures", s.failures);
  w.key("next_try");
  if (s.next_try)
    w.value(*s.next_try);
  else
    w.null();
  member_seconds(w, "oldest_unread_age_s", s.oldest_unread_age);
  w.member("dead_letter_bytes", s.dead_letters.bytes)
      .member("dead_letters_retry_pending", s.dead_letters.retry_pending)
      .member("dead_letters_dropped_total", s.dead_letters.dropped_total)
      .key("data_types")
      .begin_array();
  for (auto const& type : s.data_types) w.value(type);
  w.end_array().key("ledger").begin_array();
  for (auto const& entry : s.ledger) append_ledger_entry(w, entry);
  w.end_array().end_object();
}

}  // namespace

void append_receivers_brief(std::string& out, Context const& context) {
  JsonWriter w(out);
  w.begin_array();
  for (auto const& s : context.deps.dispatcher.status()) {
    w.begin_object();
    brief_members(w, context, s);
    w.end_object();
  }
  w.end_array();
}

void append_receivers(std::string& out, Context const& context) {
  JsonWriter w(out);
  w.begin_object().key("receivers").begin_array();
  for (auto const& s : context.deps.dispatcher.status()) append_receiver(w, context, s);
  w.end_array().end_object();
}

base::Result<std::string> receiver_json(Context const& context, std::string_view receiver) {
  HEADRACE_TRY(auto const status, context.deps.dispatcher.status(receiver));
  std::string out;
  JsonWriter w(out);
  append_receiver(w, context, status);
  return out;
}

void append_dead_letter(std::string& out, std::string_view receiver,
                        dispatch::DeadLetter const& letter) {
  JsonWriter w(out);
  w.begin_object()
      .member("id", letter.id)
      .member("receiver", receiver)
      .member("type", letter.data_type)
      .member("source", letter.source)
      .member("message_id", letter.message_id)
      .member("partition", letter.partition)
      .member("position", broker::to_string(letter.position))
      .key("reason")
      .begin_object()
      .member("code", base::name(letter.reason.code))
      .member("message", letter.reason.context)
      .end_object()
      .member("attempts", letter.attempts)
      .member("first_refused", letter.first_refused)
      .member("last_refused", letter.last_refused)
      .member("retry_pending", letter.retry_pending);
  auto const record = codec::record::RecordView::open(base::as_bytes(letter.record));
  if (record && record->count() > 0) {
    auto const message = record->first();
    std::string json;
    receivers::live::append_message_json(json, {.id = letter.message_id,
                                                .type = letter.data_type,
                                                .source = letter.source,
                                                .time = message.time(),
                                                .received = record->received(),
                                                .encoding = message.encoding(),
                                                .body = message.body()});
    w.key("message").raw(json);
  }
  w.end_object();
}

void append_source(std::string& out, ingest::SourceInfo const& source) {
  JsonWriter w(out);
  w.begin_object()
      .member("source", source.id)
      .member("state", source.active ? "active" : "inactive")
      .member("principal", source.principal)
      .key("types")
      .begin_array();
  for (auto const& type : source.data_types) w.value(type);
  w.end_array()
      .member("first_seen", source.first_seen)
      .member("last_seen", source.last_seen)
      .member("messages_total", source.messages)
      .member("bytes_total", source.bytes)
      .member("connections", source.connections)
      .member("protocol", ingest::name(source.protocol))
      .end_object();
}

void append_broker(std::string& out, Context const& context) {
  auto const stats = context.deps.broker.stats();
  JsonWriter(out)
      .begin_object()
      .member("type", context.options.broker_type)
      .member("state", stats.state)
      .member("stored_bytes", stats.stored_bytes)
      .member("disk_budget_bytes", stats.disk_budget_bytes)
      .member("unsettled_bytes", stats.unsettled_bytes)
      .member("groups_total", stats.groups_total)
      .member("records_total", stats.records_total)
      .member("bytes_total", stats.bytes_total)
      .member("syncs_total", stats.syncs_total)
      .member("fenced", stats.fenced)
      .member("disk_full", stats.disk_full)
      .end_object();
}

}  // namespace headrace::api
