// SPDX-License-Identifier: Apache-2.0
// sim_crash --rounds N --seed S: the log on a simulated disk. Each round is wholly decided by its
// seed: several lives of one
// log, each ended by a power failure, the end of the process, or a clean stop; with failing syncs
// and full disks between.
#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

#include "base/faulty_file_system.h"
#include "base/log.h"
#include "base/random.h"
#include "broker/log/impl/log_engine.h"
#include "broker/log/log_check.h"
#include "crash_ledger.h"

namespace headrace::crash {
namespace {

using broker::log::LogBroker;
using broker::log::LogOptions;

struct Writer {
  std::uint64_t id = 0;
  std::unique_ptr<broker::Appender> appender;
  std::map<broker::Ticket, std::uint64_t> numbers;  // unsettled
};

class Round {
 public:
  explicit Round(std::uint64_t seed) : random_(seed), fs_(seed * 7919 + 1) {
    options_.directory = "/log";
    options_.segment_bytes = (64u << 10) << random_.below(3);
    options_.group_bytes_max = 8192u << random_.below(4);
    options_.group_bytes_large = 4096u << random_.below(4);
    options_.disk_budget_bytes = 0;
    options_.reserve_bytes = 16u << 10;
    options_.cache_bytes_max = 64u << 10;
    options_.idle_mark_after = std::chrono::milliseconds(100);
    options_.direct_io = random_.below(2) == 0;
  }

  // What went wrong; empty when nothing.
  std::string run() {
    auto const lives = 2 + random_.below(5);
    for (std::uint64_t life = 0; life <= lives; ++life) {
      if (auto wrong = live(life == lives); !wrong.empty())
        return fmt::format("life {}: {}", life, wrong);
    }
    return {};
  }

 private:
  std::string live(bool last) {
    if (!last && random_.below(4) == 0)
      fs_.lose_power_at(fs_.operations() + 1 + random_.below(25));  // while opening
    auto broker = open();
    while (!broker && fs_.power_lost()) {
      power_failure();
      broker = open();
    }
    if (!broker) return "open: " + base::to_string(broker.error());
    if (!fs_.power_lost()) {
      if (auto wrong = ledger_.check(**broker, partitions_); !wrong.empty()) {
        auto const report = broker::log::verify_log(options_.directory, fs_);
        fmt::print("{}", report ? to_string(*report) : base::to_string(report.error()));
        return wrong;
      }
    }
    if (!last) {
      if (random_.below(2) == 0) fs_.lose_power_at(fs_.operations() + 1 + random_.below(300));
      if (random_.below(5) == 0) fs_.fail_sync_in(1 + random_.below(60));
      if (random_.below(8) == 0) fs_.fail_write_in(1 + random_.below(60));
      work(**broker);
    }
    return end(std::move(*broker), last);
  }

  base::Result<std::unique_ptr<LogBroker>> open() {
    HEADRACE_TRY(auto broker, LogBroker::open(options_, fs_, clock_, false));
    partitions_.clear();
    for (int t = 0; t < 3; ++t) {
      model::DataType type;
      type.name = model::DataTypeName::trusted(std::string(1, static_cast<char>('a' + t)));
      type.durability = static_cast<model::Durability>(t);
      type.partition_count = 3;
      auto const state = broker->open_topic(type);
      if (!state) {
        broker->abandon();
        return state.error();
      }
      for (std::uint32_t p = 0; p < 3; ++p) partitions_.push_back({state->id, p});
    }
    return broker;
  }

  void work(LogBroker& broker) {
    for (std::uint64_t i = 1 + random_.below(3); i > 0; --i)
      writers_.push_back({++appenders_, broker.make_appender(nullptr), {}});
    for (std::uint64_t i = 50 + random_.below(500); i > 0 && !fs_.power_lost(); --i) {
      auto const what = random_.below(100);
      if (what < 60) {
        append(writers_[random_.below(writers_.size())]);
      } else if (what < 90) {
        broker.step();
      } else if (what < 96) {
        clock_.advance(std::chrono::milliseconds(random_.below(300)));
      } else if (what < 98) {
        fs_.set_disk_bytes(fs_.used_bytes() + random_.below(40'000));
      } else {
        fs_.set_disk_bytes(1ull << 40);
      }
      if (random_.below(4) == 0) poll();
    }
    fs_.set_disk_bytes(1ull << 40);
  }

  void append(Writer& w) {
    auto const to = partitions_[random_.below(partitions_.size())];
    auto const body = random_.below(20) == 0 ? random_.below(60'000) : random_.below(2'000);
    auto const number = ++numbers_;
    auto const ticket = w.appender->append(to, make_record(number, w.id, body));
    if (!ticket) return;
    ledger_.records[number] = {to, w.id, body, false, false, {}};
    w.numbers[*ticket] = number;
  }

  void poll() {
    for (auto& w : writers_) {
      auto const progress = w.appender->poll();
      for (auto const& f : progress.failed) {
        for (auto t = f.first; t <= f.last; ++t) w.numbers.erase(t);
      }
      while (!w.numbers.empty() && w.numbers.begin()->first <= progress.settled) {
        auto& k = ledger_.records[w.numbers.begin()->second];
        k.promised = true;
        k.survives_power = k.to.topic == 3;
        k.after = w.appender->position_after(w.numbers.begin()->first);
        w.numbers.erase(w.numbers.begin());
      }
    }
  }

  std::string end(std::unique_ptr<LogBroker> broker, bool last) {
    auto const how = last ? 2 : fs_.power_lost() ? 0 : random_.below(3);
    if (how == 2) broker->stop();
    poll();
    bool const all = how == 2 && !broker->stats().fenced && !fs_.power_lost();
    for (auto const& w : writers_) {
      if (all && !w.numbers.empty())
        return fmt::format("stop left {} records unsettled", w.numbers.size());
    }
    writers_.clear();
    if (how != 2) broker->abandon();
    broker.reset();
    if (how == 0 || fs_.power_lost()) {
      power_failure();
    } else {
      fs_.process_end();
    }
    return {};
  }

  void power_failure() {
    fs_.power_failure();
    for (auto& [number, k] : ledger_.records) {
      if (!k.survives_power) k.promised = false;
    }
  }

  base::Random random_;
  base::FaultyFileSystem fs_;
  base::ManualClock clock_{base::Timestamp{0}};
  LogOptions options_;
  Ledger ledger_;
  std::vector<broker::TopicPartition> partitions_;
  std::vector<Writer> writers_;
  std::uint64_t appenders_ = 0, numbers_ = 0;
};

}  // namespace
}  // namespace headrace::crash

int main(int argc, char** argv) {
  std::uint64_t rounds = 60, seed = 1;
  for (int i = 1; i + 1 < argc; i += 2) {
    std::string_view const name = argv[i];
    auto const value = std::strtoull(argv[i + 1], nullptr, 10);
    if (name == "--rounds" || name == "--seeds") rounds = value;
    if (name == "--seed" || name == "--from") seed = value;
  }
  headrace::base::configure_log(headrace::base::LogLevel::kOff, headrace::base::LogFormat::kText);
  for (auto s = seed; s < seed + rounds; ++s) {
    if (auto const wrong = headrace::crash::Round(s).run(); !wrong.empty()) {
      fmt::print("sim_crash: seed {}: {}\nagain with: sim_crash --rounds 1 --seed {}\n", s, wrong,
                 s);
      return 1;
    }
  }
  fmt::print("sim_crash: {} rounds from seed {}: every promise kept\n", rounds, seed);
  return 0;
}
