// SPDX-License-Identifier: Apache-2.0
#include "base/file_system.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

namespace headrace::base {
namespace {

class RealFileSystem : public testing::Test {
 protected:
  RealFileSystem() {
    std::string pattern = (std::filesystem::temp_directory_path() / "headrace_fs_XXXXXX").string();
    directory_ = ::mkdtemp(pattern.data());
  }
  ~RealFileSystem() override { std::filesystem::remove_all(directory_); }
  std::string path(std::string_view name) const { return directory_ + "/" + std::string(name); }

  FileSystem& fs_ = real_file_system();
  std::string directory_;
};

TEST_F(RealFileSystem, WritesAndReadsAnywhereInAFile) {
  auto file = fs_.open(path("f"), {.create = true, .write = true}).value();
  ASSERT_TRUE(file->write_at(5, as_bytes("world")));
  ASSERT_TRUE(file->write_at(0, as_bytes("hello")));
  ASSERT_TRUE(file->sync_data());
  EXPECT_EQ(file->size().value(), 10u);
  std::array<std::byte, 20> room{};
  EXPECT_EQ(file->read_at(3, room).value(), 7u) << "the file ends";
  EXPECT_EQ(as_text(Bytes(room).first(7)), "loworld");
  EXPECT_EQ(file->read_at(100, room).value(), 0u);
  ASSERT_TRUE(file->truncate(2));
  EXPECT_EQ(read_file(fs_, path("f")).value(), "he");
}

TEST_F(RealFileSystem, PreallocatedBlocksReadAsZeros) {
  auto file = fs_.open(path("f"), {.create = true, .write = true}).value();
  ASSERT_TRUE(file->preallocate(10'000));
  EXPECT_EQ(file->size().value(), 10'000u);
  EXPECT_EQ(read_file(fs_, path("f")).value(), std::string(10'000, '\0'));
}

TEST_F(RealFileSystem, DirectFilesReadToTheirEnd) {
  auto file = fs_.open(path("f"), {.create = true, .write = true, .direct = true}).value();
  alignas(4096) static std::array<std::byte, 8192> block;
  block.fill(std::byte{'x'});
  ASSERT_TRUE(file->write_at(0, block));
  ASSERT_TRUE(file->truncate(5000));
  alignas(4096) static std::array<std::byte, 8192> room;
  EXPECT_EQ(file->read_at(0, room).value(), 5000u);
}

TEST_F(RealFileSystem, NamesWhatIsMissing) {
  auto const missing = fs_.open(path("none"), {});
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ErrorCode::kNotFound);
  EXPECT_NE(missing.error().context.find(path("none")), std::string::npos);
  EXPECT_EQ(fs_.remove(path("none")).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(fs_.rename(path("none"), path("x")).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(fs_.list(path("none")).error().code, ErrorCode::kNotFound);
  EXPECT_FALSE(fs_.open(path("no/such/directory"), {.create = true, .write = true}));
}

TEST_F(RealFileSystem, MakesListsRenamesAndRemoves) {
  ASSERT_TRUE(fs_.make_directories(path("a/b/c")));
  ASSERT_TRUE(fs_.make_directories(path("a/b/c"))) << "that they are there is no error";
  ASSERT_TRUE(replace_file(fs_, path("a/z"), as_bytes("1")));
  ASSERT_TRUE(replace_file(fs_, path("a/y"), as_bytes("2")));
  ASSERT_TRUE(fs_.rename(path("a/z"), path("a/x")));
  EXPECT_EQ(fs_.list(path("a")).value(), (std::vector<std::string>{"b", "x", "y"}));
  ASSERT_TRUE(fs_.remove(path("a/x")));
  ASSERT_TRUE(fs_.sync_directory(path("a")));
  EXPECT_EQ(fs_.list(path("a")).value(), (std::vector<std::string>{"b", "y"}));
  EXPECT_FALSE(fs_.make_directories(path("a/y"))) << "a file is in the way";
  EXPECT_GT(fs_.free_bytes(directory_).value(), 0u);
}

TEST_F(RealFileSystem, ReplacesInWholeAndReadsWithABound) {
  ASSERT_TRUE(replace_file(fs_, path("f"), as_bytes("old contents")));
  ASSERT_TRUE(replace_file(fs_, path("f"), as_bytes("new")));
  EXPECT_EQ(read_file(fs_, path("f")).value(), "new");
  EXPECT_EQ(read_file(fs_, path("f"), 3).value(), "new");
  EXPECT_EQ(read_file(fs_, path("f"), 2).error().code, ErrorCode::kTooLarge);
  EXPECT_EQ(fs_.list(directory_).value(), std::vector<std::string>{"f"})
      << "nothing is left beside it";
  EXPECT_FALSE(read_file(fs_, "/proc/self/stat")->empty()) << "files that claim to have no bytes";
}

}  // namespace
}  // namespace headrace::base
