// SPDX-License-Identifier: Apache-2.0
// headrace_load: loads a server as agents or HTTP clients would and prints one JSON object about
// it. `--help` has the options.
#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "load/options.h"

namespace headrace::bench {
namespace {

void print(Report const& r) {
  auto const messages = static_cast<double>(r.messages);
  fmt::print(
      R"({{"messages":{},"refused":{},"seconds":{:.3f},"messages_per_s":{:.0f},"server_cpu_s":{:.3f},)"
      R"("cpu_s_per_million":{:.3f},"p50_ms":{:.3f},"p99_ms":{:.3f},"p999_ms":{:.3f}}})"
      "\n",
      r.messages, r.refused, r.seconds, messages / r.seconds, r.server_cpu_s,
      r.messages == 0 ? 0 : r.server_cpu_s / messages * 1e6, r.latency.quantile_ms(0.5),
      r.latency.quantile_ms(0.99), r.latency.quantile_ms(0.999));
}

int run(int argc, char** argv) {
  Options options;
  CLI::App app{
      "Loads a Headrace server (or a peer that speaks as much of its protocol) and measures it."};
  app.add_option("--host", options.host, "IPv4 address")->capture_default_str();
  app.add_option("--port", options.port)->required();
  app.add_option("--mode", options.mode)
      ->check(CLI::IsMember({"websocket", "http", "idle"}))
      ->capture_default_str();
  app.add_option("--connections", options.connections)
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--batch", options.batch, "messages per frame or request")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--rate", options.rate, "messages/s in all; 0: flat out")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--window", options.window, "unacknowledged messages per connection, flat out")
      ->capture_default_str();
  app.add_option("--message-bytes", options.message_bytes)->capture_default_str();
  app.add_option("--warmup", options.warmup_s, "seconds")->capture_default_str();
  app.add_option("--seconds", options.seconds)->capture_default_str();
  app.add_option("--pid", options.pid, "the server's process, for its CPU time and memory");
  app.add_option("--type", options.data_type, "data type")->capture_default_str();
  app.add_option("--token", options.token, "credentials");
  CLI11_PARSE(app, argc, argv);
  if (options.mode == "idle") {
    run_idle(options);
  } else {
    print(options.mode == "http" ? run_http(options) : run_websocket(options));
  }
  return 0;
}

}  // namespace
}  // namespace headrace::bench

int main(int argc, char** argv) { return headrace::bench::run(argc, argv); }
