// SPDX-License-Identifier: Apache-2.0
#include "ingest/http_messages/impl/reply.h"

#include "base/error_map.h"
#include "codec/json/json_write.h"
#include "codec/msgpack/msgpack_write.h"

namespace headrace::ingest::http_messages {
namespace {

using codec::json::JsonWriter;
using codec::msgpack::MsgpackWriter;
using codec::tape::Encoding;

// Header fields may carry the token only when proxies would take the line.
constexpr std::size_t kTokenHeaderBytesMax = 1024;

net::Response with_body(int status, Encoding encoding, std::string body) {
  net::Response response;
  response.status = status;
  response.body = std::move(body);
  response.headers.emplace_back(
      "Content-Type", encoding == Encoding::kJson ? "application/json" : "application/msgpack");
  return response;
}

void write(JsonWriter& w, std::vector<Refused> const& refused) {
  w.begin_array();
  for (auto const& r : refused)
    w.begin_object()
        .member("index", r.index)
        .member("code", base::name(r.error.code))
        .member("message", r.error.context)
        .end_object();
  w.end_array();
}

void write(MsgpackWriter& w, std::vector<Refused> const& refused) {
  w.array(static_cast<std::uint32_t>(refused.size()));
  for (auto const& r : refused)
    w.map(3)
        .member("index", r.index)
        .member("code", base::name(r.error.code))
        .member("message", r.error.context);
}

// What a sender should do differs by status, so several kinds of refusal take the first one's.
int status_of(base::Error const& error) {
  return error.code == base::ErrorCode::kNotFound ? 400 : base::http_status(error.code);
}

}  // namespace

net::Response accepted_response(Encoding encoding, Accepted const& accepted) {
  std::string body;
  if (encoding == Encoding::kJson) {
    JsonWriter w(body);
    w.begin_object()
        .member("accepted", accepted.accepted)
        .member("durability", model::name(accepted.durability));
    w.member("token", accepted.token).key("refused");
    write(w, accepted.refused);
    w.end_object();
  } else {
    MsgpackWriter w(body);
    w.map(4)
        .member("accepted", accepted.accepted)
        .member("durability", model::name(accepted.durability));
    w.member("token", accepted.token).value("refused");
    write(w, accepted.refused);
  }
  auto response = with_body(200, encoding, std::move(body));
  response.headers.emplace_back("Headrace-Durability", model::name(accepted.durability));
  if (accepted.token.size() <= kTokenHeaderBytesMax)
    response.headers.emplace_back("Headrace-Token", accepted.token);
  return response;
}

net::Response refused_response(Encoding encoding, std::vector<Refused> const& refused,
                               std::size_t refused_count) {
  auto const& first = refused.front();
  auto const message = refused_count == 1 ? first.error.context
                                          : fmt::format("{} (and {} more messages are refused)",
                                                        first.error.context, refused_count - 1);
  std::string body;
  if (encoding == Encoding::kJson) {
    JsonWriter w(body);
    w.begin_object().key("error").begin_object();
    w.member("code", base::name(first.error.code))
        .member("message", message)
        .end_object()
        .key("refused");
    write(w, refused);
    w.end_object();
  } else {
    MsgpackWriter w(body);
    w.map(2)
        .value("error")
        .map(2)
        .member("code", base::name(first.error.code))
        .member("message", message);
    w.value("refused");
    write(w, refused);
  }
  auto response = with_body(status_of(first.error), encoding, std::move(body));
  if (base::retryable(first.error.code)) response.headers.emplace_back("Retry-After", "1");
  return response;
}

}  // namespace headrace::ingest::http_messages
