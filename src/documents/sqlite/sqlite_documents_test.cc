// SPDX-License-Identifier: Apache-2.0
#include "documents/sqlite/sqlite_documents.h"

#include <stdlib.h>

#include <condition_variable>
#include <filesystem>
#include <fstream>

#include "documents/documents_contract.h"
#include "documents/sqlite/impl/compact_id.h"
#include "documents/sqlite/schema.h"

namespace headrace::documents {
namespace {

struct SqlitePlace final : StorePlace {
  SqlitePlace() {
    std::string pattern =
        (std::filesystem::temp_directory_path() / "headrace_documents_XXXXXX").string();
    directory = ::mkdtemp(pattern.data());
  }
  ~SqlitePlace() override { std::filesystem::remove_all(directory); }
  std::string path() const { return (directory / "documents.db").string(); }
  std::unique_ptr<Documents> open() override {
    auto opened = open_sqlite_documents(path(), options);
    if (!opened) ADD_FAILURE() << base::to_string(opened.error());
    return std::move(opened).value();
  }

  std::filesystem::path directory;
  SqliteOptions options;
};

INSTANTIATE_TEST_SUITE_P(Sqlite, DocumentsContract,
                         ::testing::Values(StoreKind{
                             "sqlite",
                             [] { return std::unique_ptr<StorePlace>(new SqlitePlace); }}),
                         [](auto const& kind) { return kind.param.name; });

NewMessage message(std::string_view id, std::string_view body = "{}") {
  return {"t", "s", "p", id, {1}, {2}, model::BodyEncoding::kJson, base::as_bytes(body)};
}

base::Result<void> insert(Documents& store, std::span<NewMessage const> messages) {
  HEADRACE_TRY(auto transaction, store.begin());
  std::vector<Inserted> results;
  HEADRACE_TRY_VOID(transaction->insert(messages, results));
  return transaction->commit();
}

TEST(SqliteDocuments, ANewerFormatIsRefusedByName) {
  SqlitePlace place;
  {
    auto const store = place.open();
  }
  {
    auto database = sqlite::Database::open(place.path(), {}).value();
    ASSERT_TRUE(database.set_user_version(sqlite_schema::kFormatVersion + 1));
  }
  auto const opened = open_sqlite_documents(place.path(), {});
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, base::ErrorCode::kInvalidArgument);
  EXPECT_NE(opened.error().context.find(
                "format version 2; this program reads version 1: it was written by a newer one"),
            std::string::npos)
      << opened.error().context;
}

TEST(SqliteDocuments, AnotherProgramsDatabaseIsLeftAlone) {
  SqlitePlace place;
  {
    auto database = sqlite::Database::open(place.path(), {}).value();
    ASSERT_TRUE(database.execute("CREATE TABLE messages(a)"));
  }
  auto const opened = open_sqlite_documents(place.path(), {});
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, base::ErrorCode::kCorrupt);
}

TEST(SqliteDocuments, AFullDiskIsOverloadedAndHealsWithNothingHalfDone) {
  SqlitePlace place;
  place.options.file_bytes_max = 200'000;
  std::string const body(20'000, 'x');
  auto store = place.open();
  std::vector<std::string> ids;
  for (int i = 0; i < 20; ++i) ids.push_back(std::to_string(i));
  std::vector<NewMessage> messages;
  for (auto const& id : ids) messages.push_back(message(id, body));
  ASSERT_TRUE(insert(*store, std::span(messages).first(2)));
  auto const full = insert(*store, messages);
  ASSERT_FALSE(full);
  EXPECT_EQ(full.error().code, base::ErrorCode::kOverloaded) << full.error().context;
  EXPECT_EQ(store->count({}, {}).value(), 2u);
  store.reset();
  place.options.file_bytes_max = 0;
  store = place.open();
  ASSERT_TRUE(insert(*store, messages));
  EXPECT_EQ(store->count({}, {}).value(), 20u);
}

TEST(SqliteDocuments, ErasedBytesAreGoneFromTheFile) {
  SqlitePlace place;
  auto store = place.open();
  std::string const secret = "sesame-opens-the-cave";
  std::vector const messages = {
      message("1", secret), {"t", secret, "p", secret, {1}, {2}, model::BodyEncoding::kJson, {}}};
  ASSERT_TRUE(insert(*store, messages));
  {
    auto transaction = store->begin().value();
    ASSERT_TRUE(transaction->erase("s", ""));
    ASSERT_TRUE(transaction->erase(secret, ""));
    ASSERT_TRUE(transaction->commit());
  }
  store.reset();  // the WAL goes back into the file
  std::ifstream file(place.path(), std::ios::binary);
  std::string const bytes{std::istreambuf_iterator<char>(file), {}};
  EXPECT_GT(bytes.size(), 4'096u);
  EXPECT_EQ(bytes.find(secret), std::string::npos);
}

TEST(SqliteDocuments, SearchesBeyondTheBoundWaitTheirTurnWithinTheirDeadline) {
  SqlitePlace place;
  place.options.readers_max = 1;
  auto const store = place.open();
  std::vector const messages = {message("1")};
  ASSERT_TRUE(insert(*store, messages));
  SearchControl late;
  late.deadline = std::chrono::steady_clock::now();
  auto const outer = store->search({}, {}, [&](FoundMessage const&) {
    auto const inner = store->count({}, late);
    EXPECT_TRUE(!inner && inner.error().code == base::ErrorCode::kTimedOut);
    return true;
  });
  ASSERT_TRUE(outer);
  EXPECT_EQ(store->count({}, late).value(), 1u);
}

TEST(SqliteDocuments, QuestionsAreAnsweredInTheOrderOfAnIndex) {
  SqlitePlace place;
  {
    auto const store = place.open();
  }
  auto database = sqlite::Database::open(place.path(), {}).value();
  auto const plan = [&](std::string const& sql) {
    auto statement = database.prepare("EXPLAIN QUERY PLAN " + sql).value();
    std::string text;
    while (statement.step().value()) text += statement.text(3);
    return text;
  };
  EXPECT_EQ(plan("SELECT body FROM messages INDEXED BY messages_type_time WHERE type=1 AND "
                 "(time,row)>(?1,?2) AND time<=?3 AND row<=?4 "
                 "ORDER BY time ASC,row ASC"),
            "SEARCH messages USING INDEX messages_type_time (type=? AND time>? AND time<?)");
  EXPECT_EQ(plan("SELECT body FROM messages INDEXED BY messages_source_time WHERE source=1 AND "
                 "type IN (1,2) AND (time,row)<(?1,?2) "
                 "AND time>=?3 AND row<=?4 ORDER BY time DESC,row DESC"),
            "SEARCH messages USING INDEX messages_source_time (source=? AND time>? AND time<?)");
}

TEST(CompactId, CanonicalUuidsAndSequencesShrinkAndComeBack) {
  struct Case {
    std::string_view id;
    std::size_t size;
  };
  constexpr Case kCases[] = {
      {"", 0},
      {"a", 0},
      {"0190b0a2-7c4f-7e3a-9c5d-0123456789ab", 16},
      {"0190B0A2-7c4f-7e3a-9c5d-0123456789ab", 0},
      {"0190b0a2-7c4f-7e3a-9c5d-0123456789a", 0},
      {"0190b0a2x7c4f-7e3a-9c5d-0123456789ab", 0},
      {"0190b0a2-7c4f-7e3a-9c5d-0123456789ab.", 0},
      {"0190b0a2-7c4f-7e3a-9c5d-0123456789ab.1", 0},
      {"0190b0a2-7c4f-7e3a-9c5d-0123456789ab.1.", 0},
      {"0190b0a2-7c4f-7e3a-9c5d-0123456789ab.0.0", 28},
      {"0190b0a2-7c4f-7e3a-9c5d-0123456789ab.4294967295.18446744073709551615", 28},
      {"0190b0a2-7c4f-7e3a-9c5d-0123456789ab.4294967296.0", 0},
      {"0190b0a2-7c4f-7e3a-9c5d-0123456789ab.01.0", 0},
      {"0190b0a2-7c4f-7e3a-9c5d-0123456789ab.1.-1", 0},
      {"0190b0a2-7c4f-7e3a-9c5d-0123456789ab.1.1x", 0},
  };
  for (auto const& c : kCases) {
    SCOPED_TRACE(c.id);
    impl::CompactId const compact(c.id);
    EXPECT_EQ(compact.bytes().size(), c.size);
    EXPECT_EQ(compact.is_text(), c.size == 0);
    if (c.size == 0) continue;
    std::string back;
    impl::append_id(back, compact.bytes());
    EXPECT_EQ(back, c.id);
  }
}

}  // namespace
}  // namespace headrace::documents
