// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <charconv>

#include "api/impl/parameters.h"
#include "api/impl/render.h"
#include "api/impl/state_routes.h"
#include "codec/json/json_write.h"

namespace headrace::api {
namespace {

constexpr std::string_view kPrefix = "/api/v1/deadletters/";

base::Error wrong(std::string what) { return {base::ErrorCode::kInvalidArgument, std::move(what)}; }

// What stands after the prefix: RECEIVER [ / ID ] [ / retry ]
struct Place {
  std::string receiver;
  std::optional<std::uint64_t> id;
  bool retry = false;
};

std::optional<std::uint64_t> whole(std::string_view text) {
  std::uint64_t id = 0;
  auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return id;
}

base::Result<Place> read_place(std::string_view path) {
  path.remove_prefix(kPrefix.size());
  Place place;
  place.receiver = path.substr(0, path.find('/'));
  path.remove_prefix(std::min(place.receiver.size() + 1, path.size()));
  if (path == "retry" || path.ends_with("/retry")) {
    place.retry = true;
    path.remove_suffix(std::min<std::size_t>(path.size(), 6));
  }
  if (path.empty() && !place.receiver.empty()) return place;
  place.id = whole(path);
  if (!place.id || place.receiver.empty())
    return base::Error{base::ErrorCode::kNotFound,
                       "expected /api/v1/deadletters/RECEIVER/ID, ID a whole number"};
  return place;
}

base::Result<std::optional<base::ErrorCode>> read_code(Parameters const& parameters) {
  HEADRACE_TRY(auto const text, parameters.one("code"));
  if (!text) return std::optional<base::ErrorCode>();
  for (int code = 0; code <= static_cast<int>(base::ErrorCode::kInternal); ++code)
    if (base::name(static_cast<base::ErrorCode>(code)) == *text)
      return std::optional(static_cast<base::ErrorCode>(code));
  return wrong(fmt::format("code: '{}': expected an error code, as invalid_argument", *text));
}

base::Result<dispatch::DeadLetterFilter> read_filter(Parameters const& parameters) {
  dispatch::DeadLetterFilter filter;
  HEADRACE_TRY(filter.data_type, parameters.text("type"));
  HEADRACE_TRY(filter.source, parameters.text("source"));
  HEADRACE_TRY(filter.code, read_code(parameters));
  return filter;
}

struct ListQuestion {
  std::vector<std::string> receivers;  // to look through, in order
  std::uint64_t after = 0;             // in the first of them
  std::size_t limit = 100;
  dispatch::DeadLetterFilter filter;
};

base::Result<ListQuestion> read_list(net::RequestHead const& head, Context const& context) {
  HEADRACE_TRY(auto const parameters,
               Parameters::read(head, {"receiver", "limit", "cursor", "type", "source", "code"}));
  ListQuestion question;
  HEADRACE_TRY(question.limit, parameters.number("limit", 100, 1, 1000));
  HEADRACE_TRY(question.filter, read_filter(parameters));
  HEADRACE_TRY(auto const receiver, parameters.text("receiver"));
  for (auto const& [name, type] : context.deps.receiver_types)
    if (receiver.empty() || receiver == name) question.receivers.push_back(name);
  if (question.receivers.empty())
    return base::Error{base::ErrorCode::kNotFound,
                       fmt::format("there is no receiver '{}'", receiver)};
  HEADRACE_TRY(auto const cursor, parameters.text("cursor"));
  if (cursor.empty()) return question;
  auto const dot = cursor.rfind('.');
  auto const after =
      dot == std::string::npos ? std::nullopt : whole(std::string_view(cursor).substr(dot + 1));
  auto const from =
      std::find(question.receivers.begin(), question.receivers.end(), cursor.substr(0, dot));
  if (!after || from == question.receivers.end())
    return wrong("cursor: expected the `next` of the page before");
  question.receivers.erase(question.receivers.begin(), from);
  question.after = *after;
  return question;
}

base::Result<std::string> list_json(Context const& context, ListQuestion question) {
  std::string out = "{\"dead_letters\":[";
  std::string next = "null";
  std::size_t left = question.limit;
  for (std::size_t i = 0; i < question.receivers.size(); ++i) {
    auto const& receiver = question.receivers[i];
    auto const after = i == 0 ? question.after : 0;
    HEADRACE_TRY(auto const page,
                 context.deps.dispatcher.list_dead_letters(receiver, question.filter, after, left));
    for (auto const& letter : page.letters) {
      if (out.back() != '[') out += ',';
      append_dead_letter(out, receiver, letter);
    }
    left -= std::min(left, page.letters.size());
    bool const more_here = page.next_after.has_value();
    if (left > 0 && !more_here) continue;
    if (!more_here && i + 1 == question.receivers.size()) break;
    next = more_here ? fmt::format("\"{}.{}\"", receiver, *page.next_after)
                     : fmt::format("\"{}.0\"", question.receivers[i + 1]);
    break;
  }
  return out + "],\"next\":" + next + "}";
}

base::Result<std::string> show_json(Context const& context, Place const& place) {
  HEADRACE_TRY(auto const letter,
               context.deps.dispatcher.show_dead_letter(place.receiver, *place.id));
  std::string out;
  append_dead_letter(out, place.receiver, letter);
  return out;
}

base::Result<std::string> change(Context const& context, Place const& place,
                                 dispatch::DeadLetterFilter filter) {
  filter.id = place.id;
  auto& dispatcher = context.deps.dispatcher;
  if (place.id) HEADRACE_TRY_VOID(dispatcher.show_dead_letter(place.receiver, *place.id));
  HEADRACE_TRY(auto const count, place.retry
                                     ? dispatcher.retry_dead_letters(place.receiver, filter)
                                     : dispatcher.drop_dead_letters(place.receiver, filter));
  return fmt::format("{{\"{}\":{}}}", place.retry ? "retried" : "dropped", count);
}

void answer_json(Context& context, net::Responder responder,
                 std::function<base::Result<std::string>()> make) {
  answer_from_pool(context, std::move(responder), [make = std::move(make)] {
    auto json = make();
    return json ? net::json_response(200, std::move(*json)) : net::error_response(json.error());
  });
}

void answer_list(Context& context, net::Request const& request, net::Responder responder) {
  auto question = read_list(request, context);
  if (!question) return responder.send(net::error_response(question.error()));
  answer_json(context, std::move(responder),
              [&context, q = std::move(*question)] { return list_json(context, q); });
}

void answer_change(Context& context, net::Request const& request, net::Responder responder,
                   bool retry) {
  auto place = read_place(request.path);
  if (!place) return responder.send(net::error_response(place.error()));
  if (place->retry != retry)
    return responder.send(net::error_response(
        {base::ErrorCode::kNotFound, "to send dead letters again: POST .../retry"}));
  auto const parameters = Parameters::read(request, {"type", "source", "code"});
  if (!parameters) return responder.send(net::error_response(parameters.error()));
  auto filter = read_filter(*parameters);
  if (!filter) return responder.send(net::error_response(filter.error()));
  answer_json(
      context, std::move(responder),
      [&context, p = std::move(*place), f = std::move(*filter)] { return change(context, p, f); });
}

}  // namespace

void add_dead_letter_routes(net::HttpServer& server, Context& context) {
  using net::Method;
  server.route(Method::kGet, "/api/v1/deadletters",
               [&context](net::Request const& request, net::Responder responder) {
                 answer_list(context, request, std::move(responder));
               });
  server.route(Method::kGet, "/api/v1/deadletters/*",
               [&context](net::Request const& request, net::Responder responder) {
                 auto place = read_place(request.path);
                 if (place && (!place->id || place->retry))
                   place = base::Error{base::ErrorCode::kNotFound,
                                       "expected /api/v1/deadletters/RECEIVER/ID; lists are at "
                                       "/api/v1/deadletters?receiver="};
                 if (!place) return responder.send(net::error_response(place.error()));
                 answer_json(context, std::move(responder),
                             [&context, p = std::move(*place)] { return show_json(context, p); });
               });
  server.route(Method::kPost, "/api/v1/deadletters/*",
               [&context](net::Request const& request, net::Responder responder) {
                 answer_change(context, request, std::move(responder), true);
               });
  server.route(Method::kDelete, "/api/v1/deadletters/*",
               [&context](net::Request const& request, net::Responder responder) {
                 answer_change(context, request, std::move(responder), false);
               });
}

}  // namespace headrace::api
