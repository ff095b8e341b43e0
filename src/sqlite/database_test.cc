// SPDX-License-Identifier: Apache-2.0
#include "sqlite/database.h"

#include <stdlib.h>

#include <filesystem>
#include <fstream>

namespace headrace::sqlite {
namespace {

using base::ErrorCode;

class Sqlite : public ::testing::Test {
 protected:
  Sqlite() {
    std::string pattern =
        (std::filesystem::temp_directory_path() / "headrace_sqlite_XXXXXX").string();
    directory_ = ::mkdtemp(pattern.data());
  }
  ~Sqlite() override { std::filesystem::remove_all(directory_); }
  std::string path(char const* name = "a.db") const { return (directory_ / name).string(); }

  static Database open(std::string const& path, OpenOptions const& options = {}) {
    auto opened = Database::open(path, options);
    if (!opened) ADD_FAILURE() << base::to_string(opened.error());
    return std::move(opened).value();
  }
  static std::int64_t count(Database& database) {
    auto statement = database.prepare("SELECT count(*) FROM t").value();
    EXPECT_TRUE(statement.step().value());
    return statement.integer(0);
  }

  std::filesystem::path directory_;
};

TEST_F(Sqlite, ValuesComeBackAsTheyWereBound) {
  Database database = open(path());
  ASSERT_TRUE(database.execute("CREATE TABLE t(i INTEGER, r REAL, s TEXT, b BLOB, n)"));
  {
    auto insert = database.prepare("INSERT INTO t VALUES(?,?,?,?,?)").value();
    std::string_view const text("a\0b\xC3\xA9", 5);
    insert.bind(1, std::int64_t{-9223372036854775807 - 1})
        .bind_real(2, 0.1)
        .bind(3, text)
        .bind(4, base::as_bytes(text))
        .bind_null(5);
    ASSERT_TRUE(insert.run());
    insert.bind(1, std::int64_t{0})
        .bind_real(2, 0)
        .bind(3, std::string_view())
        .bind(4, base::Bytes());
    ASSERT_TRUE(insert.run());
  }
  auto select = database.prepare("SELECT * FROM t ORDER BY i").value();
  ASSERT_TRUE(select.step().value());
  EXPECT_EQ(select.integer(0), -9223372036854775807 - 1);
  EXPECT_EQ(select.real(1), 0.1);
  EXPECT_EQ(select.text(2), std::string_view("a\0b\xC3\xA9", 5));
  EXPECT_EQ(base::as_text(select.blob(3)), std::string_view("a\0b\xC3\xA9", 5));
  EXPECT_TRUE(select.is_null(4));
  ASSERT_TRUE(select.step().value());
  EXPECT_FALSE(select.is_null(2));
  EXPECT_FALSE(select.is_null(3));
  EXPECT_FALSE(select.step().value());
}

TEST_F(Sqlite, ATransactionThatIsNotCommittedLeavesNothing) {
  Database database = open(path());
  ASSERT_TRUE(database.execute("CREATE TABLE t(a)"));
  {
    auto transaction = Transaction::begin(database).value();
    ASSERT_TRUE(database.execute("INSERT INTO t VALUES(1)"));
    EXPECT_TRUE(database.in_transaction());
  }
  EXPECT_FALSE(database.in_transaction());
  EXPECT_EQ(count(database), 0);
  auto transaction = Transaction::begin(database).value();
  ASSERT_TRUE(database.execute("INSERT INTO t VALUES(1)"));
  ASSERT_TRUE(transaction.commit());
  EXPECT_EQ(count(database), 1);
}

TEST_F(Sqlite, AConstraintIsAlreadyExists) {
  Database database = open(path());
  ASSERT_TRUE(database.execute("CREATE TABLE t(a UNIQUE); INSERT INTO t VALUES(1)"));
  auto const failed = database.execute("INSERT INTO t VALUES(1)");
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, ErrorCode::kAlreadyExists);
  EXPECT_NE(failed.error().context.find(path()), std::string::npos) << failed.error().context;
}

TEST_F(Sqlite, BadSqlAndBadBindsAreNamed) {
  Database database = open(path());
  EXPECT_EQ(database.execute("NONSENSE").error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(database.prepare("SELECT * FROM nowhere").error().code, ErrorCode::kInvalidArgument);
  auto statement = database.prepare("SELECT ?").value();
  auto const failed = statement.bind(2, std::int64_t{1}).step();
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, ErrorCode::kInvalidArgument);
}

TEST_F(Sqlite, AFullFileIsOverloadedAndHeals) {
  Database database = open(path());
  ASSERT_TRUE(database.execute("CREATE TABLE t(a)"));
  ASSERT_TRUE(database.limit_bytes(5 * 4096));
  base::Result<void> done;
  {
    auto transaction = Transaction::begin(database).value();
    for (int i = 0; i < 100 && done; ++i)
      done = database.execute("INSERT INTO t VALUES(zeroblob(4000))");
  }
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, ErrorCode::kOverloaded) << done.error().context;
  EXPECT_EQ(count(database), 0);
  ASSERT_TRUE(database.limit_bytes(1'000'000));
  EXPECT_TRUE(database.execute("INSERT INTO t VALUES(zeroblob(4000))"));
}

TEST_F(Sqlite, AFileThatIsNoDatabaseIsCorrupt) {
  std::ofstream(path()) << std::string(5000, 'x');
  auto const opened = Database::open(path(), {});
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ErrorCode::kCorrupt) << opened.error().context;
}

TEST_F(Sqlite, ReadOnlyNeedsAFile) {
  auto const opened = Database::open(path(), {.read_only = true});
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ErrorCode::kUnavailable) << opened.error().context;
}

TEST_F(Sqlite, AReaderSeesWhatIsCommittedAndNeverBlocksTheWriter) {
  Database writer = open(path());
  ASSERT_TRUE(writer.execute("CREATE TABLE t(a); INSERT INTO t VALUES(1),(2)"));
  Database reader = open(path(), {.read_only = true});
  {
    auto select = reader.prepare("SELECT a FROM t").value();
    ASSERT_TRUE(select.step().value());  // holds its snapshot
    ASSERT_TRUE(writer.execute("INSERT INTO t VALUES(3)"));
    ASSERT_TRUE(select.step().value());
    EXPECT_FALSE(select.step().value());
  }
  EXPECT_EQ(count(reader), 3);
}

TEST_F(Sqlite, ASecondWriterIsOverloadedAfterItsTimeout) {
  Database first = open(path());
  Database second = open(path(), {.busy_timeout = std::chrono::milliseconds(1)});
  auto transaction = Transaction::begin(first).value();
  auto const refused = Transaction::begin(second);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kOverloaded);
}

TEST_F(Sqlite, UserVersionAndSettingsHold) {
  {
    Database database = open(path());
    EXPECT_EQ(database.user_version().value(), 0);
    ASSERT_TRUE(database.set_user_version(7));
  }
  Database database = open(path());
  EXPECT_EQ(database.user_version().value(), 7);
  for (auto const& [pragma, want] :
       std::vector<std::pair<std::string, std::string>>{{"PRAGMA journal_mode", "wal"},
                                                        {"PRAGMA synchronous", "2"},
                                                        {"PRAGMA page_size", "4096"}}) {
    auto statement = database.prepare(pragma).value();
    ASSERT_TRUE(statement.step().value());
    EXPECT_EQ(statement.text(0), want) << pragma;
  }
}

TEST_F(Sqlite, InterruptCancelsAStep) {
  Database database = open(path());
  auto endless =
      database
          .prepare(
              "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c) SELECT max(x) FROM c")
          .value();
  std::atomic<bool> over = false;
  std::thread other([&] {
    while (!over) database.interrupt();
  });
  auto const stepped = endless.step();
  over = true;
  other.join();
  ASSERT_FALSE(stepped);
  EXPECT_EQ(stepped.error().code, ErrorCode::kCancelled);
}

}  // namespace
}  // namespace headrace::sqlite
