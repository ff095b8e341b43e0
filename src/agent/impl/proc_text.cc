// SPDX-License-Identifier: Apache-2.0
#include "agent/impl/proc_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace headrace::agent {
namespace {

base::Error not_as_expected(std::string_view file, std::string_view expected,
                            std::string_view got) {
  return {base::ErrorCode::kInvalidArgument,
          fmt::format("{}: expected {}, got '{}'", file, expected, got.substr(0, 80))};
}

// Takes the text up to the next '\n' off `text`.
std::string_view take_line(std::string_view& text) {
  auto const end = text.find('\n');
  auto const line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return line;
}

// Takes the next word off `line`; empty at its end.
std::string_view take_word(std::string_view& line) {
  auto const begin = line.find_first_not_of(" \t\r");
  if (begin == std::string_view::npos) return line = {};
  auto const end = std::min(line.find_first_of(" \t\r", begin), line.size());
  auto const word = line.substr(begin, end - begin);
  line.remove_prefix(end);
  return word;
}

template <class T>
std::optional<T> to_number(std::string_view word) {
  T value{};
  auto const [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (error != std::errc{} || end != word.data() + word.size()) return std::nullopt;
  return value;
}

// The next word as a number; 0 when the line has ended (older kernels) or the word is none.
std::uint64_t take_count(std::string_view& line) {
  return to_number<std::uint64_t>(take_word(line)).value_or(0);
}

CpuTimes take_cpu_times(std::string_view& line) {
  CpuTimes t;
  for (auto* field :
       {&t.user, &t.nice, &t.system, &t.idle, &t.iowait, &t.irq, &t.softirq, &t.steal})
    *field = take_count(line);
  return t;
}

bool digits_only(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// sda1 of sda; nvme0n1p2 of nvme0n1.
bool is_partition_of(std::string_view device, std::string_view disk) {
  if (device.size() <= disk.size() || !device.starts_with(disk)) return false;
  auto rest = device.substr(disk.size());
  if (is_digit(disk.back())) {
    if (rest.front() != 'p') return false;
    rest.remove_prefix(1);
  }
  return digits_only(rest);
}

bool starts_with_any(std::string_view text, std::initializer_list<std::string_view> prefixes) {
  return std::any_of(prefixes.begin(), prefixes.end(), [&](auto p) { return text.starts_with(p); });
}

// Mount tables write blank, tab, newline and backslash as \040 and the like.
std::string unescape(std::string_view word) {
  std::string out;
  for (std::size_t i = 0; i < word.size(); ++i) {
    bool const octal = word[i] == '\\' && i + 3 < word.size() && is_digit(word[i + 1]) &&
                       is_digit(word[i + 2]) && is_digit(word[i + 3]);
    if (octal) {
      out += static_cast<char>((word[i + 1] - '0') * 64 + (word[i + 2] - '0') * 8 +
                               (word[i + 3] - '0'));
      i += 3;
    } else {
      out += word[i];
    }
  }
  return out;
}

bool is_real(Mount const& mount) {
  static constexpr std::array<std::string_view, 4> kImages{"squashfs", "iso9660", "erofs", "udf"};
  static constexpr std::array<std::string_view, 8> kNetwork{
      "nfs", "nfs4", "cifs", "smb3", "ceph", "9p", "fuse.sshfs", "glusterfs"};
  auto const is_in = [&](auto const& list) {
    return std::find(list.begin(), list.end(), mount.type) != list.end();
  };
  if (is_in(kImages) || is_in(kNetwork)) return false;
  if (mount.directory == "/") return true;  // of a container too, where it is an overlay
  return mount.device.starts_with("/") || mount.type == "zfs";
}

}  // namespace

base::Result<CpuStat> parse_stat(std::string_view text) {
  CpuStat stat;
  bool have_all = false;
  for (auto rest = text; !rest.empty();) {
    auto line = take_line(rest);
    auto const word = take_word(line);
    if (word == "cpu") {
      stat.all = take_cpu_times(line);
      have_all = true;
    } else if (word.starts_with("cpu")) {
      auto const core = to_number<std::uint32_t>(word.substr(3));
      if (core) stat.cores.push_back({*core, take_cpu_times(line)});
    }
  }
  if (!have_all || stat.all.total() == 0)
    return not_as_expected("/proc/stat", "a line 'cpu' with times", text);
  return stat;
}

base::Result<MemoryInfo> parse_meminfo(std::string_view text) {
  MemoryInfo info;
  std::uint64_t free = 0, buffers = 0, cached = 0;
  std::optional<std::uint64_t> available;
  for (auto rest = text; !rest.empty();) {
    auto line = take_line(rest);
    auto const word = take_word(line);
    auto const bytes = take_count(line) * 1024;
    if (word == "MemTotal:") info.total = bytes;
    if (word == "MemFree:") free = bytes;
    if (word == "MemAvailable:") available = bytes;
    if (word == "Buffers:") buffers = bytes;
    if (word == "Cached:") cached = bytes;
    if (word == "SwapTotal:") info.swap_total = bytes;
    if (word == "SwapFree:") info.swap_free = bytes;
  }
  if (info.total == 0) return not_as_expected("/proc/meminfo", "a line 'MemTotal:'", text);
  info.available = std::min(available.value_or(free + buffers + cached), info.total);
  info.swap_free = std::min(info.swap_free, info.swap_total);
  return info;
}

base::Result<LoadAverage> parse_loadavg(std::string_view text) {
  auto line = text;
  auto const one = to_number<double>(take_word(line));
  auto const five = to_number<double>(take_word(line));
  auto const fifteen = to_number<double>(take_word(line));
  if (!one || !five || !fifteen) return not_as_expected("/proc/loadavg", "three numbers", text);
  LoadAverage load{*one, *five, *fifteen, 0, 0};
  auto const tasks = take_word(line);
  auto const slash = tasks.find('/');
  if (slash != std::string_view::npos) {
    load.running = to_number<std::uint64_t>(tasks.substr(0, slash)).value_or(0);
    load.threads = to_number<std::uint64_t>(tasks.substr(slash + 1)).value_or(0);
  }
  return load;
}

base::Result<double> parse_uptime(std::string_view text) {
  auto line = text;
  auto const seconds = to_number<double>(take_word(line));
  if (!seconds || !(*seconds >= 0))
    return not_as_expected("/proc/uptime", "seconds since start", text);
  return *seconds;
}

base::Result<std::vector<DiskCounters>> parse_diskstats(std::string_view text) {
  static constexpr std::uint64_t kSectorBytes = 512;  // whatever the disk's own sectors are
  std::vector<DiskCounters> disks;
  for (auto rest = text; !rest.empty();) {
    auto line = take_line(rest);
    auto const whole = line;
    auto const major = take_word(line);
    if (major.empty()) continue;
    take_word(line);  // minor
    DiskCounters disk;
    disk.device = take_word(line);
    if (!digits_only(major) || disk.device.empty())
      return not_as_expected("/proc/diskstats", "major minor name counts", whole);
    std::array<std::uint64_t, 10> field{};
    for (auto& f : field) f = take_count(line);
    disk.reads = field[0];
    disk.read_bytes = field[2] * kSectorBytes;
    disk.writes = field[4];
    disk.written_bytes = field[6] * kSectorBytes;
    disk.busy_ms = field[9];
    disks.push_back(std::move(disk));
  }
  return disks;
}

std::vector<DiskCounters> whole_disks(std::vector<DiskCounters> all) {
  std::erase_if(all, [](auto const& d) {
    return starts_with_any(d.device, {"loop", "ram", "zram", "fd", "sr"});
  });
  std::vector<DiskCounters> whole;
  for (auto const& d : all) {
    bool const part = std::any_of(
        all.begin(), all.end(), [&](auto const& o) { return is_partition_of(d.device, o.device); });
    if (!part) whole.push_back(d);
  }
  auto const stacked = [](auto const& d) { return starts_with_any(d.device, {"dm-", "md"}); };
  if (!std::all_of(whole.begin(), whole.end(), stacked)) std::erase_if(whole, stacked);
  return whole;
}

base::Result<std::vector<InterfaceCounters>> parse_net_dev(std::string_view text) {
  std::vector<InterfaceCounters> interfaces;
  bool have_header = false;
  for (auto rest = text; !rest.empty();) {
    auto line = take_line(rest);
    if (line.find('|') != std::string_view::npos) have_header = true;
    auto const colon = line.rfind(':');  // "eth0:1234" on old kernels; aliases are "eth0:1:"
    if (colon == std::string_view::npos) continue;
    auto name = line.substr(0, colon);
    InterfaceCounters i;
    i.name = take_word(name);
    line.remove_prefix(colon + 1);
    std::array<std::uint64_t, 12> field{};
    for (auto& f : field) f = take_count(line);
    i.received_bytes = field[0];
    i.received_packets = field[1];
    i.received_errors = field[2];
    i.received_drops = field[3];
    i.sent_bytes = field[8];
    i.sent_packets = field[9];
    i.sent_errors = field[10];
    i.sent_drops = field[11];
    if (!i.name.empty()) interfaces.push_back(std::move(i));
  }
  if (!have_header && interfaces.empty())
    return not_as_expected("/proc/net/dev", "a table of interfaces", text);
  return interfaces;
}

std::vector<Mount> parse_mounts(std::string_view text) {
  std::vector<Mount> mounts;
  for (auto rest = text; !rest.empty();) {
    auto line = take_line(rest);
    Mount m;
    m.device = unescape(take_word(line));
    m.directory = unescape(take_word(line));
    m.type = take_word(line);
    if (!m.type.empty()) mounts.push_back(std::move(m));
  }
  return mounts;
}

std::vector<Mount> real_file_systems(std::vector<Mount> all) {
  std::vector<Mount> real;
  for (auto& mount : all) {
    if (!is_real(mount)) continue;
    auto const same = std::find_if(real.begin(), real.end(),
                                   [&](auto const& r) { return r.device == mount.device; });
    if (same == real.end()) {
      real.push_back(std::move(mount));
    } else if (mount.directory.size() < same->directory.size()) {
      *same = std::move(mount);
    }
  }
  return real;
}

}  // namespace headrace::agent
