// SPDX-License-Identifier: Apache-2.0
#include "agent/agent.h"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <set>
#include <thread>

#include "agent/impl/spool.h"
#include "agent/impl/transfer.h"
#include "base/assert.h"
#include "base/log.h"
#include "model/names.h"
#include "net/io_threads.h"
#include "net/url.h"

namespace headrace::agent {
namespace {

std::string host_name() {
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0 || name[0] == '\0') return "unnamed";
  return name.data();
}

base::Error invalid(std::string text) {
  return {base::ErrorCode::kInvalidArgument, std::move(text)};
}

base::Result<void> check(AgentOptions const& o) {
  HEADRACE_TRY(auto const url, net::parse_url(o.server));
  static_cast<void>(url);
  if (!o.server.starts_with("ws://") && !o.server.starts_with("wss://")) {
    return invalid(
        fmt::format("server '{}': expected ws://host:port/path or wss://host:port/path", o.server));
  }
  HEADRACE_TRY_VOID(model::check_source(o.source, {}));
  HEADRACE_TRY_VOID(model::check_data_type(o.data_type, {}));
  if (o.period < std::chrono::milliseconds(10))
    return invalid("period: expected 10ms or more, got " + base::to_string(o.period));
  if (o.spool_bytes_max < 1u << 20)
    return invalid(
        fmt::format("spool size: expected 1 MiB or more, got {} bytes", o.spool_bytes_max));
  if (o.spool_directory.empty()) return invalid("spool directory: expected a path, got nothing");
  return {};
}

}  // namespace

struct Agent::Impl {
  Impl(AgentOptions o, std::vector<std::unique_ptr<Collector>> c)
      : options(std::move(o)), collectors(std::move(c)) {}

  void collect_until_stopped();
  void collect_once();
  void append(Collector& collector);
  void drain();

  AgentOptions options;
  std::vector<std::unique_ptr<Collector>> collectors;
  std::unique_ptr<Spool> spool;
  std::unique_ptr<net::IoThreads> threads;
  std::unique_ptr<Transfer> transfer;
  TransferCounts last_counts;  // when it is gone
  std::thread collecting;
  std::mutex mutex;
  std::condition_variable wake;
  bool stopping = false;
  bool started = false;
  std::atomic<std::uint64_t> collected{0};
  std::atomic<bool> posted{false};
  std::set<std::string, std::less<>> failing;  // collectors; of the collecting thread
};

Agent::Agent(AgentOptions options, std::vector<std::unique_ptr<Collector>> collectors)
    : impl_(std::make_unique<Impl>(std::move(options), std::move(collectors))) {
  if (impl_->options.source.empty()) impl_->options.source = host_name();
}

Agent::~Agent() { stop(); }

base::Result<void> Agent::start() {
  auto& a = *impl_;
  HEADRACE_ASSERT(!a.started, "an agent is started once");
  HEADRACE_TRY_VOID(check(a.options));
  auto& o = a.options;
  HEADRACE_TRY(a.spool, Spool::open(base::real_file_system(), base::system_clock(),
                                    {o.spool_directory, o.spool_bytes_max, o.spool_sync}));
  a.started = true;
  a.threads = std::make_unique<net::IoThreads>(net::IoThreadsOptions{.count = 1, .name = "agent"});
  a.threads->start();
  a.transfer = std::make_unique<Transfer>(a.threads->at(0), *a.spool, o);
  a.threads->at(0).post([&a] { a.transfer->start(); });
  a.collecting = std::thread([&a] { a.collect_until_stopped(); });
  return {};
}

// At start() + n * period, however long collecting takes; what is late is left out.
void Agent::Impl::collect_until_stopped() {
  auto due = std::chrono::steady_clock::now();
  auto const period =
      std::chrono::duration_cast<std::chrono::steady_clock::duration>(options.period);
  std::unique_lock lock(mutex);
  while (!wake.wait_until(lock, due, [this] { return stopping; })) {
    lock.unlock();
    collect_once();
    auto const now = std::chrono::steady_clock::now();
    due += period * (now > due ? (now - due) / period + 1 : 1);
    lock.lock();
  }
}

void Agent::Impl::collect_once() {
  for (auto const& collector : collectors) append(*collector);
  if (!posted.exchange(true)) {
    threads->at(0).post([this] {
      posted = false;
      transfer->more_spooled();
    });
  }
}

void Agent::Impl::append(Collector& collector) {
  auto const now = base::system_clock().now();
  auto const body = collector.collect(now);
  base::Result<std::uint64_t> const taken =
      body ? spool->append(options.data_type, options.source, now, *body)
           : base::Result<std::uint64_t>(body.error());
  if (taken) {
    ++collected;
    failing.erase(std::string(collector.name()));
  } else if (failing.emplace(collector.name()).second) {
    base::log_warn("a collector's message was lost",
                   {{"collector", collector.name()}, {"error", base::to_string(taken.error())}});
  }
}

void Agent::Impl::drain() {
  struct Done {
    std::mutex mutex;
    std::condition_variable wake;
    bool done = false;
  };
  auto const done = std::make_shared<Done>();
  threads->at(0).post([this, done] {
    transfer->drain([done] {
      std::lock_guard const guard(done->mutex);
      done->done = true;
      done->wake.notify_all();
    });
  });
  std::unique_lock lock(done->mutex);
  done->wake.wait_for(lock, options.stop_timeout, [&] { return done->done; });
}

void Agent::stop() {
  auto& a = *impl_;
  if (!a.started || a.stopping) return;  // only this thread sets it
  {
    std::lock_guard const guard(a.mutex);
    a.stopping = true;
  }
  a.wake.notify_all();
  a.collecting.join();
  a.drain();
  a.threads->run_on(0, [&a] {
    a.last_counts = a.transfer->counts();
    a.last_counts.connected = false;
    a.transfer.reset();
  });
  a.threads->stop();
  if (auto const closed = a.spool->close(); !closed) {
    base::log_warn("the agent's spool has no clean end",
                   {{"error", base::to_string(closed.error())}});
  }
}

AgentStats Agent::stats() const {
  auto const& a = *impl_;
  AgentStats s;
  if (!a.started) return s;
  auto const spool = a.spool->stats();
  s.collected = a.collected;
  s.dropped = spool.dropped;
  s.damaged_bytes = spool.damaged_bytes;
  s.spooled = spool.messages;
  s.spooled_bytes = spool.bytes;
  auto counts = a.transfer ? a.transfer->counts() : a.last_counts;
  s.connected = counts.connected;
  s.sent = counts.sent;
  s.acknowledged = counts.acknowledged;
  s.refused = counts.refused;
  s.connects = counts.connects;
  s.last_error = std::move(counts.last_error);
  return s;
}

}  // namespace headrace::agent
