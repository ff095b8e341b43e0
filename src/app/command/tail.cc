// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <cstdio>
#include <future>

#include "app/command/commands.h"
#include "app/command/remote.h"
#include "net/io_threads.h"
#include "net/websocket_client.h"

namespace headrace::app {
namespace {

// Prints messages; ends by its promise.
class TailHandler final : public net::WebSocketHandler {
 public:
  TailHandler(std::uint64_t count_max, std::promise<base::Result<void>>& ended)
      : left_(count_max), ended_(ended) {}

  void on_open(net::WebSocket& socket) override { socket_ = &socket; }

  void on_message(net::MessageKind, std::span<char> payload) override {
    auto const root = parser_.parse(std::string_view(payload.data(), payload.size()));
    if (!root || done_) return;
    if (auto const messages = root->find("messages"))
      for (auto const message : messages->elements()) print(message);
    if (auto const dropped = root->find("dropped"))
      fmt::print(stderr, "{} messages were dropped: too slow\n", base::as_text(dropped->raw()));
    if (std::fflush(stdout) != 0) end({});
  }

  void on_closed(net::CloseCode code, std::string_view reason) override {
    end(base::Error{base::ErrorCode::kUnavailable,
                    fmt::format("the server ended the feed ({}{}{})", static_cast<int>(code),
                                reason.empty() ? "" : ": ", reason)});
  }

 private:
  void print(codec::json::Value message) {
    if (done_) return;
    fmt::print("{}\n", base::as_text(message.raw()));
    if (left_ != 0 && --left_ == 0) end({});
  }
  void end(base::Result<void> how) {
    if (std::exchange(done_, true)) return;
    ended_.set_value(std::move(how));
    if (socket_) socket_->close(net::CloseCode::kNormal, "");
  }

  std::uint64_t left_;
  std::promise<base::Result<void>>& ended_;
  net::WebSocket* socket_ = nullptr;
  codec::json::Parser parser_{{.nesting_max = 1024}};
  bool done_ = false;
};

std::string live_url(RemoteAddress const& address, CommandLine const& line) {
  auto url =
      (address.url.starts_with("https") ? "wss" : "ws") + address.url.substr(address.url.find(':'));
  while (url.ends_with('/')) url.pop_back();
  url += "/live";
  char separator = '?';
  auto const add = [&](std::string_view name, std::vector<std::string> const& values) {
    for (auto const& value : values)
      url +=
          fmt::format("{}{}={}", std::exchange(separator, '&'), name, net::percent_encode(value));
  };
  add("type", line.types);
  add("source", line.sources);
  return url;
}

}  // namespace

int run_tail(CommandLine const& line) {
  auto const loaded = load_or_complain(line.config);
  if (!loaded) return kExitUsage;
  auto const address = Remote::find(line, loaded->config);
  if (!address) {
    complain("tail", address.error());
    return kExitUnreachable;
  }
  net::WebSocketClientOptions options;
  options.url = live_url(*address, line);
  options.tls.verify = !address->local;
  options.socket.message_bytes_max = 128u << 20;
  options.socket.validate_utf8 = false;  // the parser does
  if (!address->token.empty())
    options.headers.emplace_back("Authorization", "Bearer " + address->token);

  std::promise<base::Result<void>> ended;
  auto result = ended.get_future();
  net::IoThreads threads(1);
  threads.start();
  std::unique_ptr<net::WebSocketClient> client;
  threads.run_on(0, [&] {
    client = std::make_unique<net::WebSocketClient>(
        threads.at(0), std::move(options), std::make_unique<TailHandler>(line.count, ended),
        [&ended](base::Error const& error) { ended.set_value(error); });
  });
  auto const how = result.get();
  threads.run_on(0, [&] { client.reset(); });
  threads.stop();
  if (how) return kExitOk;
  complain("tail", how.error());
  switch (how.error().code) {
    case base::ErrorCode::kInvalidArgument: return kExitUsage;
    case base::ErrorCode::kUnauthenticated:  // it was reached, and said no
    case base::ErrorCode::kDenied: return kExitFailed;
    default: return kExitUnreachable;
  }
}

}  // namespace headrace::app
