// SPDX-License-Identifier: Apache-2.0
#include "documents/sqlite/sqlite_documents.h"

#include <fmt/format.h>

#include <condition_variable>
#include <mutex>

#include "documents/sqlite/impl/search.h"
#include "documents/sqlite/impl/writer.h"

namespace headrace::documents {

using base::Error;
using base::ErrorCode;
using base::Result;

namespace {

// Lends reading connections, opens them when they are first needed.
class ReaderPool {
 public:
  ReaderPool(std::string path, sqlite::OpenOptions const& options, std::size_t readers_max)
      : path_(std::move(path)), options_(options), unopened_(readers_max) {}

  class Lease {
   public:
    Lease(ReaderPool& pool, std::unique_ptr<impl::Reader> reader)
        : pool_(&pool), reader_(std::move(reader)) {}
    Lease(Lease&&) = default;
    ~Lease() {
      if (reader_) pool_->give_back(std::move(reader_));
    }
    impl::Reader* operator->() const { return reader_.get(); }

   private:
    ReaderPool* pool_;
    std::unique_ptr<impl::Reader> reader_;
  };

  Result<Lease> take(SearchControl const& control) {
    std::unique_lock lock(mutex_);
    auto const ready = [this] { return !idle_.empty() || unopened_ > 0; };
    // The far end of the clock overflows inside wait_until.
    auto const deadline =
        std::min(control.deadline, std::chrono::steady_clock::now() + std::chrono::hours(24));
    if (!freed_.wait_until(lock, control.stop, deadline, ready)) {
      if (control.stop.stop_requested()) return Error{ErrorCode::kCancelled, "search stopped"};
      return Error{ErrorCode::kTimedOut,
                   "all searches that may run at the same time were running until the deadline"};
    }
    if (!idle_.empty()) {
      Lease lease(*this, std::move(idle_.back()));
      idle_.pop_back();
      return lease;
    }
    --unopened_;
    lock.unlock();
    auto opened = impl::Reader::open(path_, options_);
    if (opened) return Lease(*this, std::move(*opened));
    lock.lock();
    ++unopened_;
    freed_.notify_one();
    return opened.error();
  }

 private:
  void give_back(std::unique_ptr<impl::Reader> reader) {
    {
      std::lock_guard const lock(mutex_);
      idle_.push_back(std::move(reader));
    }
    freed_.notify_one();
  }

  std::string const path_;
  sqlite::OpenOptions const options_;
  std::mutex mutex_;
  std::condition_variable_any freed_;
  std::vector<std::unique_ptr<impl::Reader>> idle_;
  std::size_t unopened_;
};

class SqliteDocuments final : public Documents {
 public:
  SqliteDocuments(std::unique_ptr<impl::Writer> writer, std::string path,
                  sqlite::OpenOptions const& reading, std::size_t readers_max)
      : writer_(std::move(writer)), readers_(std::move(path), reading, readers_max) {}

  Result<std::unique_ptr<Transaction>> begin() override { return writer_->begin(); }
  Result<std::vector<StateEntry>> load_state(std::string_view scope) override {
    return writer_->load_state(scope);
  }

  Result<SearchEnd> search(Query const& query, SearchControl const& control,
                           Visit const& visit) const override {
    HEADRACE_TRY(auto const reader, readers_.take(control));
    return reader->search(query, control, visit);
  }
  Result<std::uint64_t> count(Query const& query, SearchControl const& control) const override {
    HEADRACE_TRY(auto const reader, readers_.take(control));
    return reader->count(query, control);
  }

 private:
  std::unique_ptr<impl::Writer> writer_;
  mutable ReaderPool readers_;
};

}  // namespace

Result<std::unique_ptr<Documents>> open_sqlite_documents(std::string const& path,
                                                         SqliteOptions const& options) {
  sqlite::OpenOptions writing;
  writing.synchronous = options.synchronous;
  writing.cache_kb_max = options.writer_cache_kb_max;
  HEADRACE_TRY(auto writer, impl::Writer::open(path, writing, options.file_bytes_max));
  sqlite::OpenOptions reading;
  reading.read_only = true;
  reading.cache_kb_max = options.reader_cache_kb_max;
  return std::unique_ptr<Documents>(new SqliteDocuments(
      std::move(writer), path, reading, std::max<std::size_t>(1, options.readers_max)));
}

}  // namespace headrace::documents
