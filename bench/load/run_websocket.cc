// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <vector>

#include "load/agent_connection.h"
#include "load/options.h"
#include "load/poller.h"
#include "load/process_usage.h"
#include "load/schedule.h"

namespace headrace::bench {
namespace {

constexpr std::size_t kWriteBytes = 256u << 10;

class WebsocketRun {
 public:
  explicit WebsocketRun(Options const& options) : options_(options), schedule_(Steady::now(), 0) {
    for (int i = 0; i < options.connections; ++i) {
      agents_.push_back(std::make_unique<AgentConnection>(options, i));
      agents_.back()->tcp().set_nonblocking();
      poller_.add(agents_.back()->tcp().fd(), agents_.size() - 1);
    }
  }

  Report run() {
    auto const start = Steady::now();
    auto const measured = start + seconds(options_.warmup_s);
    auto const end = measured + seconds(options_.seconds);
    schedule_ = Schedule(start, options_.rate / options_.batch);
    drive_until(measured);
    report_ = {};
    auto const cpu = cpu_seconds(options_.pid);
    auto const began = Steady::now();
    drive_until(end);
    report_.seconds = std::chrono::duration<double>(Steady::now() - began).count();
    report_.server_cpu_s = cpu_seconds(options_.pid) - cpu;
    drain();
    for (auto const& agent : agents_) report_.refused += agent->nacked();
    return std::move(report_);
  }

 private:
  static Steady::duration seconds(double s) {
    return std::chrono::duration_cast<Steady::duration>(std::chrono::duration<double>(s));
  }

  void drive_until(Steady::time_point end) {
    for (;;) {
      auto const now = Steady::now();
      if (now >= end) return;
      send_due(now);
      receive(schedule_.paced() ? std::min(end, schedule_.due()) : end);
    }
  }

  void send_due(Steady::time_point now) {
    if (!schedule_.paced()) {
      for (auto& agent : agents_) fill(*agent, now);
      return;
    }
    while (schedule_.due() <= now) {
      auto& agent = *agents_[schedule_.next() % agents_.size()];
      agent.report(options_.batch, schedule_.due());
      agent.tcp().flush();
      schedule_.advance();
    }
  }

  // Frames that may leave now leave in one write, as a sender that is behind its work does it.
  void fill(AgentConnection& agent, Steady::time_point now) {
    if (agent.tcp().wants_to_write()) return;
    auto const room = std::max(options_.window, options_.batch);
    while (agent.tcp().queued_bytes() < kWriteBytes && agent.outstanding() + options_.batch <= room)
      agent.report(options_.batch, now);
    agent.tcp().flush();
  }

  void receive(Steady::time_point until) {
    for (auto const& event : poller_.wait_until(until)) {
      auto& agent = *agents_[event.data.u64];
      if ((event.events & EPOLLOUT) != 0) agent.tcp().flush();
      if ((event.events & EPOLLIN) != 0) {
        auto const now = Steady::now();
        agent.receive([&](int count, Steady::time_point due) {
          report_.messages += static_cast<std::uint64_t>(count);
          report_.latency.record(now - due, static_cast<std::uint64_t>(count));
        });
      }
    }
  }

  // So that the next run does not pay for this one's messages. What arrives here is not counted.
  void drain() {
    auto const kept = report_;
    auto const deadline = Steady::now() + std::chrono::seconds(10);
    auto const open = [this] {
      return std::any_of(agents_.begin(), agents_.end(),
                         [](auto const& a) { return a->outstanding() > 0; });
    };
    while (open() && Steady::now() < deadline)
      receive(Steady::now() + std::chrono::milliseconds(20));
    if (open()) fail("some messages were not acknowledged within 10 s of the end");
    report_ = kept;
  }

  Options const& options_;
  Poller poller_;
  std::vector<std::unique_ptr<AgentConnection>> agents_;
  Schedule schedule_;
  Report report_;
};

}  // namespace

Report run_websocket(Options const& options) {
  return std::make_unique<WebsocketRun>(options)->run();
}

}  // namespace headrace::bench
