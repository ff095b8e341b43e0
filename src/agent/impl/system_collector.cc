// SPDX-License-Identifier: Apache-2.0
#include "agent/impl/system_collector.h"

#include <sys/statvfs.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "agent/impl/json_object.h"
#include "base/log.h"

namespace headrace::agent {
namespace {

// Of two counters, what was counted between them; none when the counter began anew.
std::optional<double> rate(std::uint64_t before, std::uint64_t now, double seconds) {
  if (now < before || seconds <= 0) return std::nullopt;
  return static_cast<double>(now - before) / seconds;
}

void add_rate(JsonObject& to, std::string_view key, std::optional<double> value) {
  if (value) to.add(key, *value);
}

double percent(std::uint64_t part, std::uint64_t whole) {
  return whole == 0 ? 0 : 100.0 * static_cast<double>(part) / static_cast<double>(whole);
}

// Shares of the time between two samples. A counter of idle or iowait time may step back on some
// kernels: that counts as none.
void add_cpu_shares(JsonObject& to, CpuTimes const& before, CpuTimes const& now, bool all) {
  auto const d = [](std::uint64_t a, std::uint64_t b) { return b > a ? b - a : 0; };
  CpuTimes t{d(before.user, now.user),       d(before.nice, now.nice),
             d(before.system, now.system),   d(before.idle, now.idle),
             d(before.iowait, now.iowait),   d(before.irq, now.irq),
             d(before.softirq, now.softirq), d(before.steal, now.steal)};
  auto const total = t.total();
  if (total == 0) return;
  to.add("used_percent", percent(total - t.idle - t.iowait, total));
  if (!all) return;
  to.add("user_percent", percent(t.user + t.nice, total));
  to.add("system_percent", percent(t.system + t.irq + t.softirq, total));
  to.add("iowait_percent", percent(t.iowait, total));
  to.add("steal_percent", percent(t.steal, total));
}

std::optional<std::uint64_t> count_processes(std::string const& proc) {
  std::error_code error;
  std::uint64_t count = 0;
  for (std::filesystem::directory_iterator it(proc, error), end; !error && it != end;
       it.increment(error)) {
    auto const name = it->path().filename().string();
    if (std::all_of(name.begin(), name.end(), [](unsigned char c) { return std::isdigit(c) != 0; }))
      ++count;
  }
  if (error || count == 0) return std::nullopt;
  return count;
}

template <class T>
std::map<std::string, T> by_name(std::vector<T> items, std::string T::* name) {
  std::map<std::string, T> out;
  for (auto& item : items) {
    auto key = item.*name;
    out.insert_or_assign(std::move(key), std::move(item));
  }
  return out;
}

}  // namespace

base::Result<FileSystemUsage> ask_statvfs(std::string const& directory) {
  struct statvfs v{};
  if (statvfs(directory.c_str(), &v) != 0) return base::system_error(errno, "statvfs " + directory);
  std::uint64_t const unit = v.f_frsize;
  return FileSystemUsage{v.f_blocks * unit, v.f_bfree * unit, v.f_bavail * unit};
}

SystemCollector::SystemCollector(base::Clock& clock, std::string proc, AskUsage ask_usage)
    : clock_(clock), proc_(std::move(proc)), ask_usage_(std::move(ask_usage)) {}

std::optional<std::string> SystemCollector::read_text(std::string_view file) {
  std::ifstream in(proc_ + "/" + std::string(file), std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(in), {}};
  if (!in && text.empty()) {
    report_once(std::string(file),
                {base::ErrorCode::kIo, proc_ + "/" + std::string(file) + " cannot be read"});
    return std::nullopt;
  }
  return text;
}

template <class T>
std::optional<T> SystemCollector::read(std::string_view file,
                                       base::Result<T> (*parse)(std::string_view)) {
  auto const text = read_text(file);
  if (!text) return std::nullopt;
  auto parsed = parse(*text);
  if (parsed) return std::move(*parsed);
  report_once(std::string(file), parsed.error());
  return std::nullopt;
}

void SystemCollector::report_once(std::string const& part, base::Error const& error) {
  if (!reported_.insert(part).second) return;
  base::log_warn("a part of the system metrics is left out",
                 {{"part", part}, {"error", base::to_string(error)}});
}

base::Result<std::string> SystemCollector::collect(base::Timestamp) {
  Sample sample;
  sample.at = clock_.steady();
  sample.cpu = read("stat", parse_stat);
  if (auto disks = read("diskstats", parse_diskstats)) {
    sample.disks = by_name(whole_disks(std::move(*disks)), &DiskCounters::device);
  }
  if (auto interfaces = read("net/dev", parse_net_dev)) {
    sample.interfaces = by_name(std::move(*interfaces), &InterfaceCounters::name);
  }
  double const seconds = last_ ? std::chrono::duration<double>(sample.at - last_->at).count() : 0;
  std::string out;
  {
    JsonObject body(out);
    append_cpu(body, sample, seconds);
    append_load(body);
    append_memory(body);
    append_disk(body, sample, seconds);
    append_network(body, sample, seconds);
    if (auto const count = count_processes(proc_)) body.add("processes", *count);
    if (auto const uptime = read("uptime", parse_uptime))
      body.add("uptime_s", std::floor(*uptime), 0);
  }
  last_ = std::move(sample);
  if (out == "{}")
    return base::Error{base::ErrorCode::kUnavailable,
                       "nothing of the system could be read from " + proc_};
  return out;
}

void SystemCollector::append_cpu(JsonObject& body, Sample const& sample, double seconds) {
  if (!sample.cpu) return;
  auto cpu = body.object("cpu");
  cpu.add("count", std::uint64_t{sample.cpu->cores.empty() ? 1 : sample.cpu->cores.size()});
  if (seconds <= 0 || !last_->cpu) return;
  add_cpu_shares(cpu, last_->cpu->all, sample.cpu->all, true);
  cpu.array("cores", sample.cpu->cores, [&](JsonObject& element, CoreTimes const& core) {
    element.add("core", std::uint64_t{core.core});
    for (auto const& before : last_->cpu->cores) {
      if (before.core == core.core) add_cpu_shares(element, before.times, core.times, false);
    }
  });
}

void SystemCollector::append_memory(JsonObject& body) {
  auto const info = read("meminfo", parse_meminfo);
  if (!info) return;
  auto memory = body.object("memory");
  memory.add("total_bytes", info->total);
  memory.add("used_bytes", info->total - info->available);
  memory.add("available_bytes", info->available);
  memory.add("used_percent", percent(info->total - info->available, info->total));
  auto swap = memory.object("swap");
  swap.add("total_bytes", info->swap_total);
  swap.add("used_bytes", info->swap_total - info->swap_free);
  swap.add("used_percent", percent(info->swap_total - info->swap_free, info->swap_total));
}

void SystemCollector::append_load(JsonObject& body) {
  auto const load = read("loadavg", parse_loadavg);
  if (!load) return;
  auto to = body.object("load");
  to.add("one", load->one);
  to.add("five", load->five);
  to.add("fifteen", load->fifteen);
  to.add("running", load->running);
  to.add("threads", load->threads);
}

void SystemCollector::append_disk(JsonObject& body, Sample const& sample, double seconds) {
  auto const mounts = read_text("mounts");
  if (!mounts && sample.disks.empty()) return;
  auto disk = body.object("disk");
  if (mounts) append_file_systems(disk, *mounts);
  if (seconds <= 0 || sample.disks.empty()) return;
  using Field = std::uint64_t DiskCounters::*;
  static constexpr std::pair<std::string_view, Field> kRates[] = {
      {"read_bytes_per_s", &DiskCounters::read_bytes},
      {"written_bytes_per_s", &DiskCounters::written_bytes},
      {"reads_per_s", &DiskCounters::reads},
      {"writes_per_s", &DiskCounters::writes}};
  auto const rate_of = [&](DiskCounters const& now, Field field) -> std::optional<double> {
    auto const before = last_->disks.find(now.device);
    if (before == last_->disks.end()) return std::nullopt;
    return rate(before->second.*field, now.*field, seconds);
  };
  for (auto const& [key, field] : kRates) {
    double sum = 0;
    for (auto const& [name, now] : sample.disks) sum += rate_of(now, field).value_or(0);
    disk.add(key, sum);
  }
  disk.array("devices", sample.disks, [&](JsonObject& element, auto const& entry) {
    element.add("device", entry.first);
    for (auto const& [key, field] : kRates) add_rate(element, key, rate_of(entry.second, field));
    auto const busy_ms = rate_of(entry.second, &DiskCounters::busy_ms);
    if (busy_ms) element.add("busy_percent", std::min(100.0, *busy_ms / 10));
  });
}

void SystemCollector::append_file_systems(JsonObject& disk, std::string_view mounts) {
  struct Used {
    Mount mount;
    FileSystemUsage usage;
  };
  std::vector<Used> systems;
  for (auto& mount : real_file_systems(parse_mounts(mounts))) {
    auto const usage = ask_usage_(mount.directory);
    if (!usage)
      report_once("mount " + mount.directory, usage.error());
    else if (usage->total_bytes > 0)
      systems.push_back({std::move(mount), *usage});
  }
  disk.array("filesystems", systems, [](JsonObject& element, Used const& fs) {
    auto const used = fs.usage.total_bytes - std::min(fs.usage.free_bytes, fs.usage.total_bytes);
    element.add("mount", fs.mount.directory);
    element.add("device", fs.mount.device);
    element.add("type", fs.mount.type);
    element.add("total_bytes", fs.usage.total_bytes);
    element.add("used_bytes", used);
    element.add("available_bytes", fs.usage.available_bytes);
    element.add("used_percent", percent(used, used + fs.usage.available_bytes));  // as df says it
  });
}

void SystemCollector::append_network(JsonObject& body, Sample const& sample, double seconds) {
  if (sample.interfaces.empty() || seconds <= 0) return;
  using Field = std::uint64_t InterfaceCounters::*;
  static constexpr std::pair<std::string_view, Field> kRates[] = {
      {"received_bytes_per_s", &InterfaceCounters::received_bytes},
      {"sent_bytes_per_s", &InterfaceCounters::sent_bytes},
      {"received_packets_per_s", &InterfaceCounters::received_packets},
      {"sent_packets_per_s", &InterfaceCounters::sent_packets},
      {"received_errors_per_s", &InterfaceCounters::received_errors},
      {"sent_errors_per_s", &InterfaceCounters::sent_errors},
      {"received_drops_per_s", &InterfaceCounters::received_drops},
      {"sent_drops_per_s", &InterfaceCounters::sent_drops}};
  auto const rate_of = [&](InterfaceCounters const& now, Field field) -> std::optional<double> {
    auto const before = last_->interfaces.find(now.name);
    if (before == last_->interfaces.end()) return std::nullopt;
    return rate(before->second.*field, now.*field, seconds);
  };
  auto network = body.object("network");
  for (auto const& [key, field] : kRates) {  // of all but the loopback
    double sum = 0;
    for (auto const& [name, now] : sample.interfaces)
      sum += name == "lo" ? 0 : rate_of(now, field).value_or(0);
    network.add(key, sum);
  }
  auto const append = [&](JsonObject& element, auto const& entry) {
    element.add("name", entry.first);
    for (auto const& [key, field] : kRates) add_rate(element, key, rate_of(entry.second, field));
  };
  auto shown = sample.interfaces;
  auto const loopback = shown.extract("lo");
  std::erase_if(shown, [](auto const& e) {
    return e.second.received_packets == 0 && e.second.sent_packets == 0;
  });
  network.array("interfaces", shown, append);
  if (loopback) {
    auto element = network.object("loopback");
    append(element, std::pair<std::string const&, InterfaceCounters const&>(loopback.key(),
                                                                            loopback.mapped()));
  }
}

}  // namespace headrace::agent
