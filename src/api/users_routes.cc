// SPDX-License-Identifier: Apache-2.0
#include "api/users_routes.h"

#include <fmt/format.h>

#include <charconv>

#include "api/impl/pool.h"
#include "codec/json/json.h"
#include "codec/json/json_write.h"

namespace headrace::api {
namespace {

using base::Error;
using base::ErrorCode;
using codec::json::JsonWriter;
using codec::tape::Value;
using net::Method;

constexpr std::string_view kUsers = "/api/v1/users";
constexpr std::size_t kSourcesShown = 10'000;
constexpr std::size_t kAuditMax = 10'000;

struct Shared {
  explicit Shared(identity::Authenticator& a) : authenticator(a), pool("users", 1, 256) {
    pool.start();
  }
  identity::Authenticator& authenticator;
  Pool pool;
};

// What a request names below /api/v1/users, decoded.
struct Place {
  std::string user, part, item;  // part: "", "tokens" or "sources"
};

struct Call {
  identity::Identity& identity;
  std::string actor;
  Place place;
  std::string body;
};
using Answer = base::Result<net::Response> (*)(Call const&);

Error wrong(std::string text) { return {ErrorCode::kInvalidArgument, std::move(text)}; }

void write(JsonWriter& w, identity::User const& user) {
  w.begin_object()
      .member("name", user.name)
      .member("role", identity::name(user.role))
      .member("created", user.created);
  w.member("active", user.active).member("tokens", user.token_count).end_object();
}

void write(JsonWriter& w, identity::Token const& token) {
  w.begin_object()
      .member("id", token.id)
      .member("user", token.user)
      .member("created", token.created)
      .key("expires");
  if (token.expires)
    w.value(*token.expires);
  else
    w.null();
  w.member("revoked", token.revoked).end_object();
}

net::Response user_response(int status, identity::User const& user) {
  std::string json;
  JsonWriter w(json);
  write(w, user);
  return net::json_response(status, std::move(json));
}

net::Response no_content() {
  net::Response response;
  response.status = 204;
  return response;
}

// The members of a JSON object body: known ones once. An empty body reads as {}.
class Fields {
 public:
  static base::Result<Fields> read(std::string_view body,
                                   std::initializer_list<std::string_view> known) {
    Fields fields;
    HEADRACE_TRY(auto root, fields.parser_->parse(body.empty() ? std::string_view("{}") : body));
    if (!root.is_object()) return wrong("expected a JSON object");
    if (codec::tape::find_duplicate_key(root)) return wrong("a key is there twice");
    std::string scratch;
    for (auto const [key, value] : root.members()) {
      auto const text = key.text(scratch);
      if (std::find(known.begin(), known.end(), text) == known.end())
        return wrong(fmt::format("unknown key '{}'; known are {}", text.substr(0, 64),
                                 fmt::join(known, ", ")));
    }
    fields.root_ = root;
    return fields;
  }
  base::Result<std::optional<std::string>> text(std::string_view key) const {
    auto const value = root_->find(key);
    if (!value) return std::optional<std::string>();
    std::string scratch;
    auto const found = value->as_string(scratch);
    if (!found) return wrong(fmt::format("{}: expected a string", key));
    return std::optional(std::string(*found));
  }
  base::Result<std::optional<bool>> flag(std::string_view key) const {
    auto const value = root_->find(key);
    if (!value) return std::optional<bool>();
    if (!value->as_bool()) return wrong(fmt::format("{}: expected true or false", key));
    return value->as_bool();
  }

 private:
  std::unique_ptr<codec::json::Parser> parser_ = std::make_unique<codec::json::Parser>();
  std::optional<Value> root_;
};

base::Result<std::optional<identity::Role>> role_of(Fields const& fields) {
  HEADRACE_TRY(auto const text, fields.text("role"));
  if (!text) return std::optional<identity::Role>();
  auto const role = identity::parse_role(*text);
  if (!role)
    return wrong(fmt::format("role: '{}', expected admin, agent or viewer", text->substr(0, 64)));
  return role;
}

// ---- answers

base::Result<net::Response> list_users(Call const& call) {
  std::string json;
  JsonWriter w(json);
  w.begin_object().key("users").begin_array();
  for (auto const& user : call.identity.users()) write(w, user);
  w.end_array().end_object();
  return net::json_response(200, std::move(json));
}

base::Result<net::Response> add_user(Call const& call) {
  HEADRACE_TRY(auto const fields, Fields::read(call.body, {"name", "role"}));
  HEADRACE_TRY(auto const name, fields.text("name"));
  HEADRACE_TRY(auto const role, role_of(fields));
  if (!name || !role) return wrong(fmt::format("{}: missing", name ? "role" : "name"));
  HEADRACE_TRY(auto const user, call.identity.add_user(call.actor, *name, *role));
  return user_response(201, user);
}

base::Result<net::Response> show_user(Call const& call) {
  HEADRACE_TRY(auto const user, call.identity.get_user(call.place.user));
  return user_response(200, user);
}

base::Result<net::Response> change_user(Call const& call) {
  HEADRACE_TRY(auto const fields, Fields::read(call.body, {"active", "role"}));
  HEADRACE_TRY(auto const active, fields.flag("active"));
  HEADRACE_TRY(auto const role, role_of(fields));
  if (!active && !role) return wrong("nothing to change: expected active or role");
  if (role) HEADRACE_TRY_VOID(call.identity.set_role(call.actor, call.place.user, *role));
  if (active) HEADRACE_TRY_VOID(call.identity.set_active(call.actor, call.place.user, *active));
  return show_user(call);
}

base::Result<net::Response> remove_user(Call const& call) {
  HEADRACE_TRY_VOID(call.identity.remove_user(call.actor, call.place.user));
  return no_content();
}

base::Result<net::Response> list_tokens(Call const& call) {
  HEADRACE_TRY(auto const tokens, call.identity.tokens(call.place.user));
  std::string json;
  JsonWriter w(json);
  w.begin_object().key("tokens").begin_array();
  for (auto const& token : tokens) write(w, token);
  w.end_array().end_object();
  return net::json_response(200, std::move(json));
}

base::Result<net::Response> add_token(Call const& call) {
  HEADRACE_TRY(auto const fields, Fields::read(call.body, {"lifetime"}));
  HEADRACE_TRY(auto const text, fields.text("lifetime"));
  std::optional<std::chrono::nanoseconds> lifetime;
  if (text) {
    HEADRACE_TRY(lifetime, base::parse_duration(*text));
    if (lifetime->count() == 0) return wrong("lifetime: expected more than 0");
  }
  HEADRACE_TRY(auto const made, call.identity.add_token(call.actor, call.place.user, lifetime));
  std::string json;
  JsonWriter w(json);
  w.begin_object().key("token");
  write(w, made.token);
  w.member("secret", made.secret).end_object();
  auto response = net::json_response(201, std::move(json));
  response.headers.emplace_back("Cache-Control", "no-store");
  return response;
}

base::Result<net::Response> revoke_token(Call const& call) {
  HEADRACE_TRY(auto const tokens, call.identity.tokens(call.place.user));
  auto const is_it = [&](identity::Token const& t) { return t.id == call.place.item; };
  if (std::find_if(tokens.begin(), tokens.end(), is_it) == tokens.end())
    return Error{ErrorCode::kNotFound,
                 fmt::format("user '{}' has no token '{}'", call.place.user, call.place.item)};
  HEADRACE_TRY_VOID(call.identity.revoke_token(call.actor, call.place.item));
  return no_content();
}

base::Result<net::Response> list_sources(Call const& call) {
  HEADRACE_TRY_VOID(call.identity.get_user(call.place.user));
  std::string json;
  JsonWriter w(json);
  w.begin_object().key("sources").begin_array();
  for (auto const& claim : call.identity.claims(call.place.user, kSourcesShown))
    w.begin_object().member("source", claim.source).member("since", claim.since).end_object();
  w.end_array().end_object();
  return net::json_response(200, std::move(json));
}

base::Result<net::Response> assign_source(Call const& call) {
  HEADRACE_TRY_VOID(call.identity.assign_claim(call.actor, call.place.item, call.place.user));
  return no_content();
}

base::Result<net::Response> release_source(Call const& call) {
  if (!call.identity.owns(call.place.user, call.place.item))
    return Error{ErrorCode::kNotFound, fmt::format("source '{}' is not one of user '{}'",
                                                   call.place.item, call.place.user)};
  HEADRACE_TRY_VOID(call.identity.release_claim(call.actor, call.place.item));
  return no_content();
}

base::Result<net::Response> show_audit(Call const& call) {
  auto const& text = call.body;  // the parameter, see add_users_routes
  std::size_t limit = 100;
  if (!text.empty()) {
    auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), limit);
    if (error != std::errc{} || end != text.data() + text.size() || limit == 0 || limit > kAuditMax)
      return wrong(fmt::format("limit: expected a number from 1 to {}", kAuditMax));
  }
  HEADRACE_TRY(auto const entries, call.identity.audit(limit));
  std::string json;
  JsonWriter w(json);
  w.begin_object().key("entries").begin_array();
  for (auto const& entry : entries)
    w.begin_object()
        .member("time", entry.time)
        .member("actor", entry.actor)
        .member("action", entry.action)
        .member("subject", entry.subject)
        .end_object();
  w.end_array().end_object();
  return net::json_response(200, std::move(json));
}

// ---- from requests to answers

// NAME, NAME/tokens, NAME/tokens/ID, NAME/sources/SOURCE; each part percent-decoded after the path
// was split.
base::Result<Place> read_place(std::string_view raw_path) {
  raw_path.remove_prefix(std::min(raw_path.size(), kUsers.size()));
  Place place;
  std::string* const parts[] = {&place.user, &place.part, &place.item};
  for (auto* part : parts) {
    if (raw_path.empty()) break;
    raw_path.remove_prefix(1);
    auto const end = std::min(raw_path.find('/'), raw_path.size());
    auto decoded = net::percent_decode(raw_path.substr(0, end), false);
    if (!decoded || decoded->empty()) return wrong("the path has an empty part or a broken escape");
    *part = std::move(*decoded);
    raw_path.remove_prefix(end);
  }
  if (!raw_path.empty()) return Error{ErrorCode::kNotFound, "the path has too many parts"};
  return place;
}

struct Row {
  Method method;
  std::string_view part;
  bool item;
  Answer answer;
};
constexpr Row kRows[] = {
    {Method::kGet, "", false, show_user},
    {Method::kPatch, "", false, change_user},
    {Method::kDelete, "", false, remove_user},
    {Method::kGet, "tokens", false, list_tokens},
    {Method::kPost, "tokens", false, add_token},
    {Method::kDelete, "tokens", true, revoke_token},
    {Method::kGet, "sources", false, list_sources},
    {Method::kPut, "sources", true, assign_source},
    {Method::kDelete, "sources", true, release_source},
};

base::Result<Answer> answer_for(Method method, Place const& place) {
  bool const item = !place.item.empty();
  for (auto const& row : kRows)
    if (row.method == method && row.part == place.part && row.item == item) return row.answer;
  return Error{ErrorCode::kNotFound,
               "expected /api/v1/users/NAME, NAME/tokens[/ID] or NAME/sources[/SOURCE], with a "
               "method that they take"};
}

// Runs on the pool; the reply leaves on the connection's thread.
void answer(std::shared_ptr<Shared> const& shared, net::Responder responder, Call call,
            Answer make) {
  auto reply = std::make_shared<net::Responder>(std::move(responder));
  auto& thread = reply->thread();
  auto const taken = shared->pool.run([reply, &thread, call = std::move(call), make]() mutable {
    auto made = make(call);
    auto response = std::make_shared<net::Response>(made ? std::move(*made)
                                                         : net::error_response(made.error()));
    thread.post([reply = std::move(reply), response] { reply->send(std::move(*response)); });
  });
  if (!taken) reply->send(net::error_response(taken.error()));
}

// The administrator's name; without one the refusal has been sent.
std::optional<std::string> admin(Shared& shared, net::Request const& request,
                                 net::Responder& responder) {
  auto const who = shared.authenticator.authenticate(request, identity::Need::kAdmin);
  if (who) return (*who)->id.text();
  responder.send(identity::refusal(who.error()));
  return std::nullopt;
}

net::Handler below(std::shared_ptr<Shared> shared, Method method) {
  return [shared, method](net::Request const& request, net::Responder responder) {
    auto actor = admin(*shared, request, responder);
    if (!actor) return;
    auto place = read_place(request.raw_path);
    if (!place) return responder.send(net::error_response(place.error()));
    auto const make = answer_for(method, *place);
    if (!make) return responder.send(net::error_response(make.error()));
    Call call{shared->authenticator.identity(), std::move(*actor), std::move(*place),
              std::string(request.text())};
    answer(shared, std::move(responder), std::move(call), *make);
  };
}

net::Handler fixed(std::shared_ptr<Shared> shared, Answer make) {
  return [shared, make](net::Request const& request, net::Responder responder) {
    auto actor = admin(*shared, request, responder);
    if (!actor) return;
    auto body =
        make == show_audit ? request.parameter("limit").value_or("") : std::string(request.text());
    answer(shared, std::move(responder),
           {shared->authenticator.identity(), std::move(*actor), {}, std::move(body)}, make);
  };
}

}  // namespace

void add_users_routes(net::HttpServer& server, identity::Authenticator& authenticator) {
  auto shared = std::make_shared<Shared>(authenticator);
  server.route(Method::kGet, std::string(kUsers), fixed(shared, list_users));
  server.route(Method::kPost, std::string(kUsers), fixed(shared, add_user));
  server.route(Method::kGet, "/api/v1/audit", fixed(shared, show_audit));
  for (auto const method :
       {Method::kGet, Method::kPost, Method::kPut, Method::kPatch, Method::kDelete})
    server.route(method, std::string(kUsers) + "/*", below(shared, method));
}

}  // namespace headrace::api
