// SPDX-License-Identifier: Apache-2.0
#include "agent/impl/proc_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace headrace::agent {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<std::string> devices(std::vector<DiskCounters> const& disks) {
  std::vector<std::string> names;
  for (auto const& d : disks) names.push_back(d.device);
  return names;
}

TEST(ParseStat, ReadsAllAndEachCore) {
  auto const stat = parse_stat(
      "cpu  4798 7 3048 303020 355 1 70 11 0 0\ncpu0 2026 0 1221 152297 26 0 12 3 0 0\ncpu3 1 2 3 "
      "4 5 6 7 8 9 10\n"
      "intr 251077 0 0\nctxt 508137\nbtime 1\nprocesses 3\n");
  ASSERT_TRUE(stat);
  EXPECT_EQ(stat->all, (CpuTimes{4798, 7, 3048, 303020, 355, 1, 70, 11}));
  ASSERT_EQ(stat->cores.size(), 2u);
  EXPECT_EQ(stat->cores[1].core, 3u);
  EXPECT_EQ(stat->cores[1].times, (CpuTimes{1, 2, 3, 4, 5, 6, 7, 8}));
}

TEST(ParseStat, OldKernelsHaveFewerColumns) {
  auto const stat = parse_stat("cpu 100 0 50 850\n");
  ASSERT_TRUE(stat);
  EXPECT_EQ(stat->all, (CpuTimes{100, 0, 50, 850, 0, 0, 0, 0}));
}

TEST(ParseStat, RefusesWhatIsNotTheFile) {
  for (auto const* text : {"", "\n\n", "hello", "cpu\n", "cpux 1 2\n", "intr 5\n"}) {
    SCOPED_TRACE(text);
    auto const stat = parse_stat(text);
    ASSERT_FALSE(stat);
    EXPECT_THAT(stat.error().context, HasSubstr("/proc/stat: expected a line 'cpu'"));
  }
}

TEST(ParseMeminfo, Table) {
  struct Case {
    char const* name;
    char const* text;
    std::optional<MemoryInfo> want;
  };
  Case const cases[] = {
      {"usual",
       "MemTotal: 1000 kB\nMemFree: 100 kB\nMemAvailable: 400 kB\nSwapTotal: 50 kB\nSwapFree: 20 "
       "kB\n",
       MemoryInfo{1'024'000, 409'600, 51'200, 20'480}},
      {"before 3.14", "MemTotal: 1000 kB\nMemFree: 100 kB\nBuffers: 10 kB\nCached: 90 kB\n",
       MemoryInfo{1'024'000, 204'800, 0, 0}},
      {"more available than there is (some containers)", "MemTotal: 10 kB\nMemAvailable: 40 kB\n",
       MemoryInfo{10'240, 10'240, 0, 0}},
      {"swap taken away", "MemTotal: 10 kB\nMemAvailable: 1 kB\nSwapTotal: 0 kB\nSwapFree: 4 kB\n",
       MemoryInfo{10'240, 1'024, 0, 0}},
      {"empty", "", {}},
      {"other file", "cpu 1 2 3\n", {}},
  };
  for (auto const& c : cases) {
    SCOPED_TRACE(c.name);
    auto const got = parse_meminfo(c.text);
    ASSERT_EQ(got.has_value(), c.want.has_value());
    if (!c.want) continue;
    EXPECT_EQ(got->total, c.want->total);
    EXPECT_EQ(got->available, c.want->available);
    EXPECT_EQ(got->swap_total, c.want->swap_total);
    EXPECT_EQ(got->swap_free, c.want->swap_free);
  }
}

TEST(ParseLoadavg, Table) {
  auto const load = parse_loadavg("0.13 1.5 12.04 2/94 7627\n");
  ASSERT_TRUE(load);
  EXPECT_DOUBLE_EQ(load->one, 0.13);
  EXPECT_DOUBLE_EQ(load->fifteen, 12.04);
  EXPECT_EQ(load->running, 2u);
  EXPECT_EQ(load->threads, 94u);
  EXPECT_TRUE(parse_loadavg("1 2 3"));
  EXPECT_FALSE(parse_loadavg("1 2"));
  EXPECT_FALSE(parse_loadavg("a b c 1/2 3"));
}

TEST(ParseUptime, Table) {
  ASSERT_TRUE(parse_uptime("1559.77 3030.21\n"));
  EXPECT_DOUBLE_EQ(*parse_uptime("1559.77 3030.21\n"), 1559.77);
  EXPECT_FALSE(parse_uptime(""));
  EXPECT_FALSE(parse_uptime("nan 1"));
  EXPECT_FALSE(parse_uptime("-1 1"));
}

TEST(ParseDiskstats, SectorsAre512Bytes) {
  auto const disks = parse_diskstats(
      "   7       0 loop0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n 254       0 vda 54637 10091 3650802 "
      "11443 31851 9626 3093320 5223 0 6152 17123 5903\n");
  ASSERT_TRUE(disks);
  ASSERT_EQ(disks->size(), 2u);
  auto const& vda = (*disks)[1];
  EXPECT_EQ(vda.reads, 54637u);
  EXPECT_EQ(vda.read_bytes, 3650802u * 512);
  EXPECT_EQ(vda.writes, 31851u);
  EXPECT_EQ(vda.written_bytes, 3093320u * 512);
  EXPECT_EQ(vda.busy_ms, 6152u);
}

TEST(ParseDiskstats, EmptyIsNoDisksAndOtherTextIsRefused) {
  ASSERT_TRUE(parse_diskstats(""));
  EXPECT_TRUE(parse_diskstats("")->empty());
  EXPECT_FALSE(parse_diskstats("no such file\n"));
  EXPECT_FALSE(parse_diskstats("8 0\n"));
}

TEST(WholeDisks, LeavesOutPartitionsAndWhatIsNoHardware) {
  auto const of = [](std::initializer_list<char const*> names) {
    std::vector<DiskCounters> disks;
    for (auto const* n : names) disks.push_back({n, 0, 0, 0, 0, 0});
    return devices(whole_disks(disks));
  };
  EXPECT_THAT(of({"sda", "sda1", "sda12", "sdaa", "sdb"}), ElementsAre("sda", "sdaa", "sdb"));
  EXPECT_THAT(of({"nvme0n1", "nvme0n1p1", "nvme0n10", "mmcblk0", "mmcblk0p2"}),
              ElementsAre("nvme0n1", "nvme0n10", "mmcblk0"));
  EXPECT_THAT(of({"loop0", "ram1", "zram0", "sr0", "fd0", "vda", "dm-0", "md127"}),
              ElementsAre("vda"));
  EXPECT_THAT(of({"dm-0", "dm-1"}), ElementsAre("dm-0", "dm-1"));
  EXPECT_THAT(of({}), ElementsAre());
}

TEST(ParseNetDev, ReadsInterfacesEvenWithoutBlankAfterTheColon) {
  auto const interfaces = parse_net_dev(
      "Inter-|   Receive                                                |  Transmit\n"
      " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs "
      "drop fifo colls carrier compressed\n"
      "    lo:    3193      29    0    0    0     0          0         0     3193      29    0    "
      "0    0     0       0          0\n"
      "  eth0:285264629    5768    1    2    0     0          0         0   270884    3647    3    "
      "4    0     0       0          0\n"
      "eth0:1: 5 6\n");
  ASSERT_TRUE(interfaces);
  ASSERT_EQ(interfaces->size(), 3u);
  auto const& eth0 = (*interfaces)[1];
  EXPECT_EQ(eth0.name, "eth0");
  EXPECT_EQ(eth0.received_bytes, 285264629u);
  EXPECT_EQ(eth0.received_errors, 1u);
  EXPECT_EQ(eth0.received_drops, 2u);
  EXPECT_EQ(eth0.sent_bytes, 270884u);
  EXPECT_EQ(eth0.sent_errors, 3u);
  EXPECT_EQ((*interfaces)[2].name, "eth0:1");
  EXPECT_FALSE(parse_net_dev(""));
  EXPECT_FALSE(parse_net_dev("nothing here\n"));
}

TEST(RealFileSystems, OnePerDeviceAndNoPseudoOnes) {
  auto const mounts =
      real_file_systems(parse_mounts("proc /proc proc rw 0 0\n/dev/vda /mnt/bind ext4 rw 0 "
                                     "0\n/dev/vda / ext4 rw 0 0\ntmpfs /dev/shm tmpfs rw 0 0\n"
                                     "/dev/loop3 /snap/core squashfs ro 0 0\nserver:/export /home "
                                     "nfs4 rw 0 0\ntank/data /data zfs rw 0 0\n"
                                     "/dev/sdb1 /media/my\\040disk vfat rw 0 0\nhalf a line\n"));
  ASSERT_EQ(mounts.size(), 3u);
  EXPECT_EQ(mounts[0].directory, "/");
  EXPECT_EQ(mounts[1].type, "zfs");
  EXPECT_EQ(mounts[2].directory, "/media/my disk");
}

TEST(RealFileSystems, TheRootOfAContainerCounts) {
  auto const mounts = real_file_systems(
      parse_mounts("overlay / overlay rw 0 0\n/dev/sda1 /etc/hosts ext4 rw 0 0\n"));
  ASSERT_EQ(mounts.size(), 2u);
  EXPECT_EQ(mounts[0].device, "overlay");
}

}  // namespace
}  // namespace headrace::agent
