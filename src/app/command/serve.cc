// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <malloc.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>

#include "app/command/commands.h"
#include "app/command/signals.h"
#include "app/wiring/make_agent.h"
#include "app/wiring/service.h"
#include "base/file_system.h"
#include "base/log.h"

namespace headrace::app {
namespace {

void raise_file_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

// {"http":8080}, further listeners as "http2", "http3"...; in place at once, never half.
base::Result<void> write_ports(std::string const& file, std::vector<std::uint16_t> const& ports) {
  std::string json = "{";
  for (std::size_t i = 0; i < ports.size(); ++i)
    json += fmt::format("{}\"http{}\":{}", i ? "," : "", i ? std::to_string(i + 1) : "", ports[i]);
  auto const half = file + ".tmp";
  std::ofstream(half) << json << "}\n";
  return base::real_file_system().rename(half, file);
}

void greet(Service const& service, bool demo) {
  base::log_info("serving", {{"url", service.url()}, {"version", version()}});
  if (::isatty(STDOUT_FILENO) == 0) return;
  fmt::print("\n  Headrace {} is running{}.\n  Open  {}\n  Stop  Ctrl-C\n\n", version(),
             demo ? " and reports this machine" : "", service.url());
  std::fflush(stdout);
}

void wait_for_end(Signals& signals, Service& service) {
  for (;;) {
    int const number = signals.wait();
    if (number != SIGHUP) {
      base::log_info("stopping", {{"signal", number == SIGINT ? "SIGINT" : "SIGTERM"}});
      return;
    }
    if (auto const done = service.reload_tls(); !done)
      base::log_error("certificates were not read again",
                      {{"error", base::to_string(done.error())}});
    else
      base::log_info("certificates were read again");
  }
}

}  // namespace

int run_serve(CommandLine const& line) {
  auto loaded = load_or_complain(line.config);
  if (!loaded) return kExitUsage;
  auto const& config = loaded->config;
  base::configure_log(config.log_level, config.log_format);
  raise_file_limit();
  ::mallopt(M_ARENA_MAX, 4);  // one arena a thread would keep what bursts left behind
  Signals signals;
  auto service = Service::start(config, {.demo = line.demo});
  if (!service) {
    base::log_error("cannot serve", {{"error", base::to_string(service.error())}});
    return service.error().code == base::ErrorCode::kInvalidArgument ? kExitUsage : kExitFailed;
  }
  if (!line.ports_file.empty())
    if (auto const done = write_ports(line.ports_file, (*service)->ports()); !done)
      return complain("--print-ports", done.error());
  greet(**service, line.demo);
  wait_for_end(signals, **service);
  signals.exit_on_second(config.stop_deadline + std::chrono::seconds(2));
  auto const stopped = (*service)->stop(config.stop_deadline);
  if (!stopped) {
    base::log_warn("stopped at the deadline", {{"error", base::to_string(stopped.error())}});
    ::_exit(kExitFailed);  // something hangs: destroying would wait for it
  }
  base::log_info("stopped");
  return kExitOk;
}

int run_agent(CommandLine const& line) {
  auto loaded = load_or_complain(line.config);
  if (!loaded) return kExitUsage;
  base::configure_log(loaded->config.log_level, loaded->config.log_format);
  Signals signals;
  auto agent = make_agent(loaded->config);
  if (!agent) return complain("agent", agent.error());
  if (auto const started = (*agent)->start(); !started) return complain("agent", started.error());
  base::log_info("reporting", {{"server", loaded->config.agent.server}});
  while (signals.wait() == SIGHUP) continue;
  base::log_info("stopping");
  signals.exit_on_second(loaded->config.stop_deadline);
  (*agent)->stop();
  auto const stats = (*agent)->stats();
  base::log_info("stopped", {{"acknowledged", stats.acknowledged}, {"spooled", stats.spooled}});
  return kExitOk;
}

}  // namespace headrace::app
