// SPDX-License-Identifier: Apache-2.0
#include "receivers/live/impl/session.h"

#include <fmt/format.h>

#include <algorithm>

#include "codec/json/json_write.h"

namespace headrace::receivers::live {
namespace {

std::string error_frame(base::Error const& error) {
  std::string out;
  codec::json::JsonWriter(out)
      .begin_object()
      .key("error")
      .begin_object()
      .member("code", base::name(error.code))
      .member("message", error.context)
      .end_object()
      .end_object();
  return out;
}

}  // namespace

Session::Session(SessionDeps const& deps, Shard& shard, Filter filter,
                 identity::PrincipalPtr principal)
    : deps_(deps),
      shard_(shard),
      first_filter_(std::move(filter)),
      principal_(std::move(principal)) {
  deps_.readers.fetch_add(1, std::memory_order_relaxed);
}

Session::~Session() {
  if (group_) deps_.frames.leave(group_);
  std::erase(shard_.sessions, this);
  deps_.readers.fetch_sub(1, std::memory_order_relaxed);
}

void Session::on_open(net::WebSocket& socket) {
  socket_ = &socket;
  generation_ = deps_.identity.generation();
  shard_.sessions.push_back(this);
  set_filter(first_filter_);
  deps_.on_reader();
}

void Session::set_filter(Filter const& filter) {
  if (group_) deps_.frames.leave(group_);
  group_ = deps_.frames.join(filter, next_number_);
}

void Session::on_message(net::MessageKind kind, std::span<char> payload) {
  if (kind != net::MessageKind::kText) {
    socket_->send_text(error_frame(
        {base::ErrorCode::kInvalidArgument, "expected a text frame, got a binary one"}));
    return;
  }
  auto const filter = filter_of_frame({payload.data(), payload.size()}, deps_.data_types);
  if (filter)
    set_filter(*filter);
  else
    socket_->send_text(error_frame(filter.error()));
}

bool Session::has_room(std::size_t bytes) const {
  auto const pending = socket_->pending_bytes();
  return pending == 0 || pending + bytes <= deps_.queue_bytes;
}

void Session::deliver(Frame const& frame) {
  if (socket_ == nullptr || frame.end <= next_number_) return;
  auto lost =
      (frame.begin > next_number_ ? frame.begin - next_number_ : 0) + (frame.next - frame.end);
  next_number_ = frame.next;
  bool sent = has_room(frame.text.size());
  if (sent && dropped_ + lost == 0) {
    sent = socket_->send_text(frame.text);
  } else if (sent) {
    auto const body = std::string_view(frame.text).substr(0, frame.text.size() - 1);
    sent = socket_->send_text(fmt::format("{},\"dropped\":{}}}", body, dropped_ + lost));
  }
  if (!sent) lost += frame.end - frame.begin;
  if (lost != 0) deps_.dropped.add(lost);
  dropped_ = sent ? 0 : dropped_ + lost;
  if (sent) deps_.frames_sent.add();
}

void Session::tell(std::string const& status, std::string const& changed_sources,
                   std::string const& all_sources) {
  if (socket_ == nullptr) return;
  if (auto const now = deps_.identity.generation(); now != generation_) {
    generation_ = now;
    if (!deps_.identity.valid(*principal_)) {
      socket_->close(net::CloseCode::kPolicyViolation, "the credential is not valid any more");
      return;
    }
  }
  if (!status.empty() && has_room(status.size())) {
    if (dropped_ != 0 && socket_->send_text(fmt::format("{{\"dropped\":{}}}", dropped_)))
      dropped_ = 0;
    socket_->send_text(status);
  }
  auto const& sources = needs_sources_ ? all_sources : changed_sources;
  if (sources.empty()) return;
  needs_sources_ = !has_room(sources.size()) || !socket_->send_text(sources);
}

void Session::on_closed(net::CloseCode, std::string_view) { socket_ = nullptr; }

}  // namespace headrace::receivers::live
