// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <vector>

#include "load/http_connection.h"
#include "load/options.h"
#include "load/poller.h"
#include "load/process_usage.h"

namespace headrace::bench {
namespace {

// Each connection has one request under way; the next leaves when the reply is there.
class HttpRun {
 public:
  explicit HttpRun(Options const& options) : options_(options) {
    for (int i = 0; i < options.connections; ++i) {
      clients_.push_back(std::make_unique<HttpConnection>(options, i));
      clients_.back()->tcp().set_nonblocking();
      poller_.add(clients_.back()->tcp().fd(), clients_.size() - 1);
    }
  }

  Report run() {
    for (auto& client : clients_) client->post(options_.batch, Steady::now());
    drive_for(options_.warmup_s, true);
    report_ = {};
    auto const cpu = cpu_seconds(options_.pid);
    auto const began = Steady::now();
    drive_for(options_.seconds, true);
    report_.seconds = std::chrono::duration<double>(Steady::now() - began).count();
    report_.server_cpu_s = cpu_seconds(options_.pid) - cpu;
    auto report = report_;
    drive_for(0.5, false);
    return report;
  }

 private:
  void drive_for(double seconds, bool go_on) {
    auto const end = Steady::now() + std::chrono::duration_cast<Steady::duration>(
                                         std::chrono::duration<double>(seconds));
    while (Steady::now() < end) {
      for (auto const& event : poller_.wait_until(end)) handle(event, go_on);
    }
  }

  void handle(epoll_event const& event, bool go_on) {
    auto& client = *clients_[event.data.u64];
    if ((event.events & EPOLLOUT) != 0) client.tcp().flush();
    if ((event.events & EPOLLIN) == 0 || !client.busy() || !client.receive()) return;
    auto const now = Steady::now();
    auto const count = static_cast<std::uint64_t>(client.count());
    if (client.status() < 300) {
      report_.messages += count;
      report_.latency.record(now - client.due(), count);
    } else {
      report_.refused += count;
    }
    if (go_on) client.post(options_.batch, now);
  }

  Options const& options_;
  Poller poller_;
  std::vector<std::unique_ptr<HttpConnection>> clients_;
  Report report_;
};

}  // namespace

Report run_http(Options const& options) { return std::make_unique<HttpRun>(options)->run(); }

}  // namespace headrace::bench
