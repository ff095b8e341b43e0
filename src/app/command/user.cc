// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "app/command/commands.h"
#include "app/command/remote.h"
#include "codec/json/json_write.h"

namespace headrace::app {
namespace {

constexpr std::string_view kUsers = "/api/v1/users";

std::string user_path(CommandLine const& line) {
  return fmt::format("{}/{}", kUsers, net::percent_encode(line.user));
}

std::string text_of(codec::json::Value object, std::string_view key) {
  auto const value = object.find(key);
  if (!value) return {};
  std::string scratch;
  if (auto const text = value->as_string(scratch)) return std::string(*text);
  return std::string(base::as_text(value->raw()));
}

// Prints the token: on standard output alone, so that it can be kept by a script.
base::Result<void> make_token(CommandLine const& line, Remote& remote) {
  std::string body;
  codec::json::JsonWriter w(body);
  w.begin_object();
  if (!line.expires.empty()) w.member("lifetime", line.expires);
  w.end_object();
  HEADRACE_TRY(auto const reply, remote.request("POST", user_path(line) + "/tokens", body));
  codec::json::Parser parser;
  HEADRACE_TRY(auto const root, parser.parse(reply));
  fmt::print("{}\n", text_of(root, "secret"));
  fmt::print(stderr, "This is the token of '{}'. It is not shown again.\n", line.user);
  return {};
}

base::Result<void> add(CommandLine const& line, Remote& remote) {
  std::string body;
  codec::json::JsonWriter(body)
      .begin_object()
      .member("name", line.user)
      .member("role", line.role)
      .end_object();
  HEADRACE_TRY_VOID(remote.request("POST", kUsers, body));
  return make_token(line, remote);
}

base::Result<void> list(CommandLine const& line, Remote& remote) {
  auto const tokens = line.user.empty() ? std::string() : user_path(line) + "/tokens";
  if (line.json) {
    HEADRACE_TRY(auto const body, remote.request("GET", tokens.empty() ? kUsers : tokens));
    fmt::print("{}\n", body);
    return {};
  }
  if (!tokens.empty())
    return remote.each(tokens, "tokens", 0, [](codec::json::Value token) {
      auto const expires = text_of(token, "expires");
      fmt::print("{:<16} {:<7}  since {}{}\n", text_of(token, "id"),
                 text_of(token, "revoked") == "true" ? "revoked" : "good",
                 text_of(token, "created"), expires == "null" ? "" : "  until " + expires);
    });
  return remote.each(std::string(kUsers), "users", 0, [](codec::json::Value user) {
    fmt::print("{:<24} {:<7} {:<7} {:>3} tokens  since {}\n", text_of(user, "name"),
               text_of(user, "role"), text_of(user, "active") == "true" ? "active" : "banned",
               text_of(user, "tokens"), text_of(user, "created"));
  });
}

base::Result<void> change(CommandLine const& line, Remote& remote) {
  auto const path = user_path(line);
  switch (line.verb) {
    case Verb::kUserBan:
      HEADRACE_TRY_VOID(remote.request("PATCH", path, R"({"active":false})"));
      break;
    case Verb::kUserUnban:
      HEADRACE_TRY_VOID(remote.request("PATCH", path, R"({"active":true})"));
      break;
    case Verb::kUserRemove: HEADRACE_TRY_VOID(remote.request("DELETE", path)); break;
    default:
      HEADRACE_TRY_VOID(remote.request(
          "DELETE", fmt::format("{}/tokens/{}", path, net::percent_encode(line.token_id))));
  }
  fmt::print(stderr, "done\n");
  return {};
}

}  // namespace

int run_user(CommandLine const& line) {
  return with_remote(line, Remote::Offline::kUsers, [&](Remote& remote) {
    switch (line.verb) {
      case Verb::kUserAdd: return add(line, remote);
      case Verb::kUserList: return list(line, remote);
      case Verb::kUserToken: return make_token(line, remote);
      default: return change(line, remote);
    }
  });
}

}  // namespace headrace::app
