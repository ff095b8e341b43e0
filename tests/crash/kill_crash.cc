// SPDX-License-Identifier: Apache-2.0
// kill_crash --rounds N --seed S: a child process appends to a log from several threads and
// reports each acknowledgement
// through a pipe; it is killed at a random moment; then every acknowledged record must be there,
// once, in order, where it was
// acknowledged. The log of one round is opened again by the next, so that damage would add up.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <mutex>
#include <string_view>
#include <thread>

#include "base/log.h"
#include "base/random.h"
#include "broker/log/log_broker.h"
#include "crash_ledger.h"

namespace headrace::crash {
namespace {

constexpr int kThreads = 3;
constexpr std::uint32_t kPartitions = 4;
constexpr int kRoundsPerLog = 10;

// What goes through the pipe: smaller than PIPE_BUF, so that it comes whole or not at all.
struct Report {
  enum Kind : std::uint32_t { kAppended, kSettled } kind = kAppended;
  std::uint32_t partition = 0;
  std::uint64_t number = 0, appender = 0, body_bytes = 0;
  broker::Position after;
};

broker::log::LogOptions options_for(std::string const& directory, std::uint64_t seed) {
  broker::log::LogOptions o;
  o.directory = directory;
  o.segment_bytes = (256u << 10) << seed % 4;
  o.disk_budget_bytes = 0;
  o.reserve_bytes = 64u << 10;
  o.unsettled_bytes_max = 256u << 10;
  o.idle_mark_after = std::chrono::milliseconds(1);
  o.direct_io = seed % 2 == 0;
  return o;
}

base::Result<std::vector<broker::TopicPartition>> open_topics(broker::Broker& broker) {
  model::DataType type;
  type.name = model::DataTypeName::trusted("kept");
  type.partition_count = kPartitions;
  type.retention = std::chrono::hours(24 * 365 * 100);
  HEADRACE_TRY(auto const state, broker.open_topic(type));
  std::vector<broker::TopicPartition> out;
  for (std::uint32_t p = 0; p < kPartitions; ++p) out.push_back({state.id, p});
  return out;
}

void send(int pipe, Report const& report) {
  if (::write(pipe, &report, sizeof report) != static_cast<ssize_t>(sizeof report)) ::_exit(3);
}

// Appends until it is killed.
void append_for_ever(broker::Broker& broker, std::vector<broker::TopicPartition> const& partitions,
                     int pipe, std::uint64_t appender_id, std::uint64_t seed) {
  std::mutex mutex;
  std::condition_variable woken;
  bool rung = false;
  auto const appender = broker.make_appender([&] {
    std::lock_guard const lock(mutex);
    rung = true;
    woken.notify_one();
  });
  base::Random random(seed);
  std::map<broker::Ticket, Report> open;
  std::uint64_t number = appender_id << 32;
  for (;;) {
    for (auto n = random.below(30); n > 0; --n) {
      Report r{Report::kAppended,  static_cast<std::uint32_t>(random.below(kPartitions)),
               ++number,           appender_id,
               random.below(3000), {}};
      send(pipe, r);
      auto const ticket = appender->append(partitions[r.partition],
                                           make_record(r.number, r.appender, r.body_bytes));
      if (ticket) open[*ticket] = r;
      if (!ticket) break;
    }
    {
      std::unique_lock lock(mutex);
      woken.wait_for(lock, std::chrono::milliseconds(1), [&] { return rung; });
      rung = false;
    }
    auto const progress = appender->poll();
    if (!progress.failed.empty()) ::_exit(4);
    while (!open.empty() && open.begin()->first <= progress.settled) {
      auto r = open.begin()->second;
      r.kind = Report::kSettled;
      r.after = appender->position_after(open.begin()->first);
      send(pipe, r);
      open.erase(open.begin());
    }
  }
}

[[noreturn]] void child(std::string const& directory, std::uint64_t seed,
                        std::uint64_t first_appender, int pipe) {
  auto broker = broker::log::make_log_broker(options_for(directory, seed), base::real_file_system(),
                                             base::system_clock());
  if (!broker) ::_exit(5);
  auto const partitions = open_topics(**broker);
  if (!partitions) ::_exit(6);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back(append_for_ever, std::ref(**broker), std::cref(*partitions), pipe,
                         first_appender + static_cast<std::uint64_t>(t),
                         seed * 31 + static_cast<std::uint64_t>(t));
  }
  for (auto& t : threads) t.join();
  ::_exit(0);
}

struct Log {
  std::string directory;
  Ledger ledger;
  std::uint64_t appenders = 1;
};

// Reads the reports until the child's end of the pipe is closed.
std::uint64_t collect(int pipe, Log& log, broker::TopicId topic) {
  std::uint64_t settled = 0;
  Report r;
  while (::read(pipe, &r, sizeof r) == static_cast<ssize_t>(sizeof r)) {
    auto& k = log.ledger.records[r.number];
    k.to = {topic, r.partition};
    k.appender = r.appender;
    k.body_bytes = r.body_bytes;
    if (r.kind != Report::kSettled) continue;
    k.promised = true;
    k.after = r.after;
    ++settled;
  }
  return settled;
}

std::string round(Log& log, std::uint64_t seed, std::uint64_t& settled) {
  base::Random random(seed);
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return "no pipe";
  auto const pid = ::fork();
  if (pid == 0) {
    ::close(ends[0]);
    child(log.directory, seed, log.appenders, ends[1]);
  }
  ::close(ends[1]);
  log.appenders += kThreads;
  // Sometimes while it is still opening.
  auto const life = std::chrono::microseconds(random.below(5) == 0 ? random.below(15'000)
                                                                   : random.below(250'000));
  std::thread killer([pid, life] {
    std::this_thread::sleep_for(life);
    ::kill(pid, SIGKILL);
  });
  settled = collect(ends[0], log, 1);
  killer.join();
  int status = 0;
  ::waitpid(pid, &status, 0);
  ::close(ends[0]);
  if (!WIFSIGNALED(status))
    return fmt::format("the child ended by itself with {}", WEXITSTATUS(status));
  auto broker = broker::log::make_log_broker(options_for(log.directory, seed),
                                             base::real_file_system(), base::system_clock());
  if (!broker) return "open: " + base::to_string(broker.error());
  auto const partitions = open_topics(**broker);
  if (!partitions) return "topics: " + base::to_string(partitions.error());
  return log.ledger.check(**broker, *partitions);
}

int run(std::uint64_t rounds, std::uint64_t seed) {
  Log log;
  std::uint64_t total = 0;
  for (std::uint64_t i = 0; i < rounds; ++i) {
    if (i % kRoundsPerLog == 0) {
      if (!log.directory.empty()) std::filesystem::remove_all(log.directory);
      log = {};
      char name[] = "/tmp/headrace-kill-XXXXXX";
      log.directory = ::mkdtemp(name);
    }
    std::uint64_t settled = 0;
    auto const wrong = round(log, seed + i, settled);
    total += settled;
    if (!wrong.empty()) {
      fmt::print("kill_crash: seed {}, round {}: {}\nkept: {}\n", seed, i, wrong, log.directory);
      return 1;
    }
  }
  std::filesystem::remove_all(log.directory);
  fmt::print(
      "kill_crash: {} kills from seed {}, {} acknowledged records: all there, once, in order\n",
      rounds, seed, total);
  return total == 0 ? 1 : 0;
}

}  // namespace
}  // namespace headrace::crash

int main(int argc, char** argv) {
  std::uint64_t rounds = 20, seed = 1;
  for (int i = 1; i + 1 < argc; i += 2) {
    std::string_view const name = argv[i];
    auto const value = std::strtoull(argv[i + 1], nullptr, 10);
    if (name == "--rounds") rounds = value;
    if (name == "--seed") seed = value;
  }
  headrace::base::configure_log(headrace::base::LogLevel::kOff, headrace::base::LogFormat::kText);
  return headrace::crash::run(rounds, seed);
}
