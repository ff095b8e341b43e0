// SPDX-License-Identifier: Apache-2.0
#include "base/faulty_file_system.h"

#include <gtest/gtest.h>

#include <set>

namespace headrace::base {
namespace {

std::string contents(FileSystem& fs, std::string const& path) {
  auto const text = read_file(fs, path);
  return text ? *text : "<" + std::string(name(text.error().code)) + ">";
}

std::unique_ptr<File> create(FaultyFileSystem& fs, std::string const& path) {
  EXPECT_TRUE(fs.make_directories("/d").has_value());
  auto file = fs.open(path, {.create = true, .write = true});
  EXPECT_TRUE(file.has_value());
  return std::move(*file);
}

TEST(FaultyFileSystem, KeepsWhatIsSyncedWhateverTheSeed) {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    FaultyFileSystem fs(seed);
    auto const file = create(fs, "/d/a");
    ASSERT_TRUE(file->write_at(0, as_bytes("synced")).has_value());
    ASSERT_TRUE(file->sync_data().has_value());
    ASSERT_TRUE(fs.sync_directory("/d").has_value());
    fs.power_failure();
    EXPECT_EQ(contents(fs, "/d/a"), "synced");
    EXPECT_FALSE(file->write_at(0, as_bytes("x")).has_value()) << "opened before the failure";
  }
}

TEST(FaultyFileSystem, LosesTearsOrKeepsWhatIsNot) {
  std::set<std::string> seen;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    FaultyFileSystem fs(seed);
    auto const file = create(fs, "/d/a");
    ASSERT_TRUE(file->write_at(0, as_bytes(std::string(1024, '0'))).has_value());
    ASSERT_TRUE(file->sync_data().has_value());
    ASSERT_TRUE(fs.sync_directory("/d").has_value());
    ASSERT_TRUE(file->write_at(0, as_bytes(std::string(1024, '1'))).has_value());
    fs.power_failure();
    auto const found = contents(fs, "/d/a");
    ASSERT_EQ(found.size(), 1024u);
    seen.insert({found[0], found[511], found[512], found[1023]});
  }
  EXPECT_EQ(seen, (std::set<std::string>{"0000", "0011", "1100", "1111"}));
}

TEST(FaultyFileSystem, AnUnsyncedNameMayBeLost) {
  std::set<std::string> seen;
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    FaultyFileSystem fs(seed);
    auto const file = create(fs, "/d/a");
    ASSERT_TRUE(file->sync_data().has_value());
    fs.power_failure();
    seen.insert(contents(fs, "/d/a"));
  }
  EXPECT_EQ(seen, (std::set<std::string>{"", "<not_found>"}));
}

TEST(FaultyFileSystem, WhatAFailedSyncDroppedNoLaterSyncBringsBack) {
  FaultyFileSystem fs(1);
  auto const file = create(fs, "/d/a");
  ASSERT_TRUE(file->write_at(0, as_bytes("old")).has_value());
  ASSERT_TRUE(file->sync_data().has_value());
  ASSERT_TRUE(fs.sync_directory("/d").has_value());
  ASSERT_TRUE(file->write_at(0, as_bytes("new")).has_value());
  fs.fail_sync_in(1);
  EXPECT_EQ(file->sync_data().error().code, ErrorCode::kIo);
  EXPECT_TRUE(file->sync_data().has_value());
  EXPECT_EQ(contents(fs, "/d/a"), "new");
  fs.power_failure();
  EXPECT_EQ(contents(fs, "/d/a"), "old");
}

TEST(FaultyFileSystem, IsFullAndHasRoomAgain) {
  FaultyFileSystem fs(1, 8192);
  auto const file = create(fs, "/d/a");
  EXPECT_EQ(file->preallocate(10'000).error().code, ErrorCode::kOverloaded);
  EXPECT_EQ(file->write_at(0, as_bytes(std::string(12'288, 'x'))).error().code,
            ErrorCode::kOverloaded);
  EXPECT_EQ(*fs.free_bytes("/d"), 0u) << "what fitted was written";
  fs.set_disk_bytes(1u << 20);
  EXPECT_TRUE(file->write_at(0, as_bytes(std::string(12'288, 'y'))).has_value());
}

TEST(FaultyFileSystem, ThePowerFailsAtTheChosenOperation) {
  FaultyFileSystem fs(1);
  auto const file = create(fs, "/d/a");
  fs.lose_power_at(fs.operations() + 2);
  EXPECT_TRUE(file->write_at(0, as_bytes("a")).has_value());
  EXPECT_FALSE(fs.power_lost());
  EXPECT_FALSE(file->sync_data().has_value());
  EXPECT_TRUE(fs.power_lost());
  EXPECT_FALSE(fs.remove("/d/a").has_value());
  fs.power_failure();
  EXPECT_FALSE(fs.power_lost());
}

}  // namespace
}  // namespace headrace::base
