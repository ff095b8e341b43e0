// SPDX-License-Identifier: Apache-2.0
#include "app/wiring/data_dir.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace headrace::app {
namespace {

using testing::HasSubstr;

class DataDirTest : public testing::Test {
 protected:
  DataDirTest() {
    char name[] = "/tmp/headrace-data-dir-XXXXXX";
    path_ = std::string(::mkdtemp(name)) + "/data";
  }
  ~DataDirTest() override {
    std::filesystem::remove_all(std::filesystem::path(path_).parent_path());
  }
  std::string path_;
};

TEST_F(DataDirTest, IsCreatedWithItsFormat) {
  auto const dir = DataDir::open(path_);
  ASSERT_TRUE(dir.has_value()) << dir.error().context;
  std::ifstream file(path_ + "/FORMAT");
  std::string line;
  std::getline(file, line);
  EXPECT_EQ(line, "headrace data 1");
}

TEST_F(DataDirTest, IsLockedOnceAndSaysWhoHoldsIt) {
  auto first = DataDir::open(path_);
  ASSERT_TRUE(first.has_value());
  ASSERT_TRUE(first->announce("http://127.0.0.1:1234").has_value());
  auto const second = DataDir::open(path_);
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().code, base::ErrorCode::kUnavailable);
  EXPECT_THAT(second.error().context,
              HasSubstr("is locked by process " + std::to_string(::getpid())));
  EXPECT_THAT(second.error().context, HasSubstr("which serves http://127.0.0.1:1234"));
  auto const holder = DataDir::holder(path_);
  ASSERT_TRUE(holder.has_value());
  EXPECT_EQ(holder->url, "http://127.0.0.1:1234");
  EXPECT_EQ(holder->pid, ::getpid());
}

TEST_F(DataDirTest, TheLockGoesWithTheObject) {
  {
    ASSERT_TRUE(DataDir::open(path_).has_value());
  }
  EXPECT_FALSE(DataDir::holder(path_).has_value());
  EXPECT_TRUE(DataDir::open(path_).has_value());
}

TEST_F(DataDirTest, NobodyHoldsWhatIsNotThere) {
  EXPECT_FALSE(DataDir::holder(path_ + "/nothing").has_value());
}

struct FormatCase {
  char const* name;
  char const* text;
  char const* said;  // null: it opens
};
constexpr FormatCase kFormats[] = {
    {"ours", "headrace data 1\n", nullptr},
    {"newer", "headrace data 2\n", "has format 2, this program knows up to 1"},
    {"something else", "hello", "a data directory?"},
    {"empty", "", "expected 'headrace data 1'"},
    {"no number", "headrace data x", "expected 'headrace data 1'"},
    {"zero", "headrace data 0", "expected 'headrace data 1'"},
};
TEST_F(DataDirTest, FormatsThatAreNotOursAreRefused) {
  for (auto const& c : kFormats) {
    SCOPED_TRACE(c.name);
    std::filesystem::create_directories(path_);
    std::ofstream(path_ + "/FORMAT") << c.text;
    auto const dir = DataDir::open(path_);
    ASSERT_EQ(dir.has_value(), c.said == nullptr);
    if (c.said == nullptr) continue;
    EXPECT_EQ(dir.error().code, base::ErrorCode::kInvalidArgument);
    EXPECT_THAT(dir.error().context, HasSubstr(c.said));
  }
}

TEST_F(DataDirTest, StoredDataWithoutAFormatIsRefused) {
  for (std::string const kept :
       {"identity.db", "log/topics", "dispatch/archive.db", "documents/archive.db"}) {
    SCOPED_TRACE(kept);
    auto const file = std::filesystem::path(path_) / kept;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << "x";
    auto const dir = DataDir::open(path_);
    ASSERT_FALSE(dir.has_value());
    EXPECT_EQ(dir.error().code, base::ErrorCode::kCorrupt);
    EXPECT_THAT(dir.error().context, HasSubstr("/FORMAT: missing beside " + file.string()));
    EXPECT_FALSE(std::filesystem::exists(path_ + "/FORMAT"));
    std::filesystem::remove_all(path_);
  }
  std::filesystem::create_directories(path_ + "/tls");
  std::ofstream(path_ + "/tls/key.pem") << "x";
  EXPECT_TRUE(DataDir::open(path_).has_value()) << "what people put there before the first start";
}

}  // namespace
}  // namespace headrace::app
