// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <iostream>

#include "app/command/commands.h"
#include "app/command/remote.h"

namespace headrace::app {
namespace {

constexpr std::string_view kPath = "/api/v1/deadletters";

std::string text_of(codec::json::Value object, std::string_view key) {
  auto const value = object.find(key);
  if (!value) return {};
  std::string scratch;
  if (auto const text = value->as_string(scratch)) return std::string(*text);
  return std::string(base::as_text(value->raw()));
}

void print_line(codec::json::Value letter) {
  auto const reason = letter.find("reason");
  fmt::print("{:<12} {:>8}  {}  {:<20} {:<20} {:>3}x  {}: {}\n", text_of(letter, "receiver"),
             text_of(letter, "id"), text_of(letter, "last_refused"), text_of(letter, "type"),
             text_of(letter, "source"), text_of(letter, "attempts"),
             reason ? text_of(*reason, "code") : "", reason ? text_of(*reason, "message") : "");
}

base::Result<void> list(CommandLine const& line, Remote& remote) {
  auto target = std::string(kPath);
  if (!line.receiver.empty()) target += "?receiver=" + net::percent_encode(line.receiver);
  std::uint64_t count = 0;
  HEADRACE_TRY_VOID(remote.each(target, "dead_letters", line.count, [&](codec::json::Value letter) {
    ++count;
    if (line.json)
      fmt::print("{}\n", base::as_text(letter.raw()));
    else
      print_line(letter);
  }));
  if (!line.json) fmt::print(stderr, "{} dead letter{}\n", count, count == 1 ? "" : "s");
  return {};
}

base::Result<void> show(CommandLine const& line, Remote& remote) {
  for (auto const& id : line.ids) {
    HEADRACE_TRY(
        auto const body,
        remote.request("GET", fmt::format("{}/{}/{}", kPath, net::percent_encode(line.receiver),
                                          net::percent_encode(id))));
    fmt::print("{}\n", body);
  }
  return {};
}

base::Result<void> change(CommandLine const& line, Remote& remote) {
  bool const retry = line.verb == Verb::kDeadLettersRetry;
  if (line.ids.empty() && !line.all)
    return base::Error{base::ErrorCode::kInvalidArgument, "which ones? Give their ids, or --all"};
  auto const at = fmt::format("{}/{}", kPath, net::percent_encode(line.receiver));
  auto const one = [&](std::string const& target) -> base::Result<void> {
    HEADRACE_TRY(auto const body,
                 remote.request(retry ? "POST" : "DELETE", target + (retry ? "/retry" : "")));
    fmt::print("{}\n", body);
    return {};
  };
  if (line.all) return one(at);
  for (auto const& id : line.ids) HEADRACE_TRY_VOID(one(at + "/" + net::percent_encode(id)));
  return {};
}

}  // namespace

int run_dead_letters(CommandLine const& line) {
  return with_remote(line, Remote::Offline::kEverything, [&](Remote& remote) {
    if (line.verb == Verb::kDeadLettersList) return list(line, remote);
    if (line.verb == Verb::kDeadLettersShow) return show(line, remote);
    return change(line, remote);
  });
}

}  // namespace headrace::app
