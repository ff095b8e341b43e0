// SPDX-License-Identifier: Apache-2.0
#include "app/command/remote.h"

#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <thread>

#include "app/command/commands.h"
#include "app/wiring/data_dir.h"
#include "base/file_system.h"
#include "base/log.h"

namespace headrace::app {
namespace {

base::Result<std::string> read_token(std::string const& file) {
  HEADRACE_TRY(auto text, base::read_file(base::real_file_system(), file, 4096));
  text.erase(text.find_last_not_of(" \t\r\n") + 1);
  return text;
}

base::ErrorCode code_of(int status) {
  using enum base::ErrorCode;
  switch (status) {
    case 400: return kInvalidArgument;
    case 401: return kUnauthenticated;
    case 403: return kDenied;
    case 404: return kNotFound;
    case 409: return kAlreadyExists;
    case 413: return kTooLarge;
    case 503: return kUnavailable;
    case 504: return kTimedOut;
    default: return kInternal;
  }
}

// {"error":{"code","message"}}
base::Error error_of(net::HttpReply const& reply) {
  codec::json::Parser parser;
  std::string scratch, message;
  if (auto const root = parser.parse(reply.body)) {
    auto const error = root->find("error");
    auto const text = error && error->is_object() ? error->find("message") : std::nullopt;
    if (text) message = text->text(scratch);
  }
  if (message.empty()) message = fmt::format("the server answered {}", reply.status);
  return {code_of(reply.status), message};
}

base::Result<net::HttpClient> connect(RemoteAddress const& address) {
  net::HttpClientOptions options;
  options.timeout = std::chrono::seconds(60);
  options.tls.verify = !address.local;
  return net::HttpClient::open(address.url, std::move(options));
}

}  // namespace

base::Result<RemoteAddress> Remote::find(CommandLine const& line, Config const& config) {
  if (!line.server.empty()) {
    RemoteAddress address{.url = line.server, .token = {}, .local = false};
    if (!line.token_file.empty()) {
      HEADRACE_TRY(address.token, read_token(line.token_file));
    } else if (auto const* token = std::getenv("HEADRACE_TOKEN")) {
      address.token = token;
    }
    return address;
  }
  auto const holder = DataDir::holder(config.data_dir);
  if (!holder || holder->url.empty())
    return base::Error{
        base::ErrorCode::kUnavailable,
        fmt::format("no server runs on the data directory {}; name one with --server URL",
                    config.data_dir)};
  HEADRACE_TRY(auto token, read_token(config.data_dir + "/admin.token"));
  return RemoteAddress{.url = holder->url, .token = std::move(token), .local = true};
}

base::Result<Remote> Remote::open(CommandLine const& line, Config const& config, Offline offline) {
  auto address = find(line, config);
  std::unique_ptr<Service> service;
  if (!address) {
    if (!line.server.empty() || DataDir::holder(config.data_dir)) return address.error();
    bool const users = offline == Offline::kUsers;
    if (!users && !std::filesystem::exists(config.data_dir + "/FORMAT"))
      return base::Error{base::ErrorCode::kNotFound,
                         fmt::format("there is no data directory at {}", config.data_dir)};
    base::configure_log(base::LogLevel::kError, base::LogFormat::kAuto);
    HEADRACE_TRY(service,
                 Service::start(config, {.demo = false, .commands = true, .users_only = users}));
    HEADRACE_TRY(auto token, read_token(service->admin_token_path()));
    address = RemoteAddress{.url = service->url(), .token = std::move(token), .local = true};
  }
  HEADRACE_TRY(auto client, connect(*address));
  Remote remote(std::move(client), address->token);
  remote.service_ = std::move(service);
  return remote;
}

base::Result<std::string> Remote::request(std::string_view method, std::string_view target,
                                          std::string_view json) {
  net::HeaderFields headers;
  if (!token_.empty()) headers.emplace_back("Authorization", "Bearer " + token_);
  if (!json.empty()) headers.emplace_back("Content-Type", "application/json");
  // 503 says "again later": a receiver that has just been started, for one.
  for (int attempt = 0;; ++attempt) {
    HEADRACE_TRY(auto reply, client_.request(method, target, headers, json));
    if (reply.status / 100 == 2) return std::move(reply.body);
    if (reply.status != 503 || attempt == 25) return error_of(reply);
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
  }
}

base::Result<void> Remote::each(std::string target, std::string_view member,
                                std::uint64_t count_max,
                                std::function<void(codec::json::Value)> const& each) {
  std::uint64_t count = 0;
  std::string cursor;
  for (;;) {
    auto const page = cursor.empty()
                          ? target
                          : fmt::format("{}{}cursor={}", target,
                                        target.find('?') == std::string::npos ? '?' : '&',
                                        net::percent_encode(cursor));
    HEADRACE_TRY(auto const body, request("GET", page));
    codec::json::Parser parser;
    HEADRACE_TRY(auto const root, parser.parse(body));
    auto const list = root.find(member);
    if (!list)
      return base::Error{base::ErrorCode::kInternal,
                         fmt::format("the server's answer has no '{}'", member)};
    for (auto const element : list->elements()) {
      each(element);
      if (++count == count_max) return {};
    }
    auto const next = root.find("next");
    std::string scratch;
    cursor = next ? std::string(next->text(scratch)) : std::string();
    if (cursor.empty()) return {};
  }
}

int with_remote(CommandLine const& line, Remote::Offline offline,
                std::function<base::Result<void>(Remote&)> const& command) {
  auto const loaded = load_or_complain(line.config);
  if (!loaded) return kExitUsage;
  auto remote = Remote::open(line, loaded->config, offline);
  base::Result<void> done;
  if (remote)
    done = command(*remote);
  else
    done = remote.error();
  if (done) return kExitOk;
  auto const unreachable = done.error().code == base::ErrorCode::kUnavailable;
  int const code = complain("it did not work", done.error());
  return unreachable ? kExitUnreachable : code;
}

}  // namespace headrace::app
