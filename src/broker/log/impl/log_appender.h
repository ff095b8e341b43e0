// SPDX-License-Identifier: Apache-2.0
// LogAppender: copies records into its open chunk; the sync thread takes chunks, makes groups of
// them and settles them.
//   Threads: an appender's own thread, and the sync thread; one short lock between the two.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <vector>

#include "broker/broker.h"
#include "broker/log/impl/buffer_pool.h"
#include "broker/log/impl/topic_table.h"

namespace headrace::broker::log {

// Records one after the other, with room for a group header before them, so that a chunk alone can
// be written as it is.
struct Chunk {
  std::shared_ptr<Buffer> buffer;
  std::size_t used = kGroupHeaderBytes;
  std::uint32_t messages = 0;
  std::int64_t received_min_ns = 0, received_max_ns = 0;
  bool wants_sync = false;
  Ticket first = 0;
  std::vector<std::uint32_t> ends;  // of each record, from the chunk's first entry
  Position base;                    // of the chunk's first entry, once written

  std::size_t entry_bytes() const { return used - kGroupHeaderBytes; }
  Ticket last() const { return first + ends.size() - 1; }
};

// What an appender and the sync thread share.
struct AppenderState {
  std::mutex mutex;
  std::deque<Chunk> pending;
  std::size_t unsettled_bytes = 0;
  std::vector<Chunk> settled;  // since the last poll
  std::vector<Failure> failed;
  Ticket settled_to = 0;
  Wake wake;  // null once the appender is gone
};

// What all appenders say to the sync thread, and what it says to them.
class WorkSignal {
 public:
  explicit WorkSignal(std::size_t large_bytes) : large_bytes_(large_bytes) {}

  void added(std::size_t bytes);
  void taken(std::size_t bytes) { pending_bytes_ -= bytes; }
  std::size_t pending_bytes() const { return pending_bytes_; }
  // Returns when something is pending, or after `most`, or when stopped.
  void wait_for_work(std::chrono::nanoseconds most);
  // Returns when much is pending, or after `most`, or when stopped.
  void wait_for_more(std::chrono::nanoseconds most);
  // No append is taken any more; waits end.
  void stop();
  bool stopped() const;

  // nullopt: appends are taken.
  std::optional<base::Error> refusal() const;
  void refuse(std::optional<base::Error> why);

 private:
  enum class Waiting : int { kNo, kForAny, kForMuch };
  template <class Ready>
  void wait(Waiting what, std::chrono::nanoseconds most, Ready ready);

  std::size_t const large_bytes_;
  std::atomic<std::size_t> pending_bytes_{0};
  std::atomic<Waiting> waiting_{Waiting::kNo};
  std::atomic<bool> refusing_{false};
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool interrupted_ = false, stopped_ = false;
  std::optional<base::Error> refusal_;
};

class LogAppender final : public Appender {
 public:
  LogAppender(std::shared_ptr<AppenderState> state, WorkSignal& signal, TopicTable const& topics,
              BufferPool& pool, std::size_t unsettled_bytes_max, std::size_t chunk_bytes_max)
      : state_(std::move(state)),
        signal_(signal),
        topics_(topics),
        pool_(pool),
        unsettled_bytes_max_(unsettled_bytes_max),
        chunk_bytes_max_(chunk_bytes_max) {}
  ~LogAppender() override;

  base::Result<Ticket> append(TopicPartition to, base::Bytes record) override;
  Progress poll() override;
  Position position_after(Ticket ticket) const override;
  std::size_t unsettled_bytes() const override;

 private:
  base::Result<Topic const*> find_topic(TopicPartition to);
  Chunk& chunk_for(std::size_t bytes);

  std::shared_ptr<AppenderState> state_;
  WorkSignal& signal_;
  TopicTable const& topics_;
  BufferPool& pool_;
  std::size_t const unsettled_bytes_max_, chunk_bytes_max_;
  std::vector<Topic> known_topics_;
  std::uint64_t known_version_ = 0;
  Ticket last_ = 0;
  std::vector<Chunk> polled_;
};

}  // namespace headrace::broker::log
