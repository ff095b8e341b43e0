// SPDX-License-Identifier: Apache-2.0
// LogWriter: everything that changes the directory while the log is open. step() is one round:
// take what is pending, write
// one group, sync it, publish and settle it; or look after marks, retention and healing when
// nothing is pending.
//   Threads: step() and stop() from one thread (the sync thread, or a test that steps by hand);
//            the rest from any.
//   Errors:  are turned into failed tickets and a state: fenced (for good) or disk full (heals).
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "broker/log/impl/catalog.h"
#include "broker/log/impl/log_appender.h"
#include "broker/log/log_broker.h"

namespace headrace::broker::log {

// Where the last opening left off.
struct Recovered {
  std::uint64_t last_number = 0;                // highest segment number ever seen
  std::uint64_t last_end = 0;                   // of the last segment; 0: none
  std::map<std::string, std::uint64_t> spares;  // name, bytes
};

class LogWriter {
 public:
  LogWriter(LogOptions const& options, base::FileSystem& files, base::Clock& clock,
            Catalog& catalog, TopicTable const& topics, WorkSignal& signal, BufferPool& pool,
            Recovered recovered);

  void add_appender(std::shared_ptr<AppenderState> state);
  // True when it wrote or failed something.
  bool step();
  // After the last step: settles what is pending, syncs, seals.
  void close();
  BrokerStats stats() const;

 private:
  struct Taken {
    std::shared_ptr<AppenderState> from;
    Chunk chunk;
  };
  static constexpr std::chrono::seconds kRetentionEvery{10};
  struct Active {
    std::uint64_t number = 0;
    std::uint32_t seed = 0;
    std::uint64_t bytes = 0;   // preallocated
    std::uint64_t end = 0;     // where the next group goes
    std::uint64_t synced = 0;  // before it everything is synced
    std::uint64_t marked = 0;  // `end` when the last mark was written
    std::unique_ptr<base::File> file;
  };

  // Groups.
  std::vector<Taken> collect();
  void finish(std::vector<Taken>& taken);
  void drain();
  Group build(std::vector<Taken>& taken, GroupHeader& header);
  base::Result<void> write(std::vector<Taken>& taken);
  base::Result<void> write_group(Group const& group);
  base::Result<void> sync();
  void settle(std::vector<Taken>& taken);
  void fail(std::vector<Taken>& taken, base::Error const& error);
  void fail_chunk(AppenderState& from, Chunk const& chunk, base::Error const& error);
  void note_error(base::Error const& error);
  void fence(base::Error const& error);
  // Segments.
  base::Result<void> ensure_room(std::uint64_t bytes);
  base::Result<void> seal();
  base::Result<void> cut();
  base::Result<void> roll();
  void write_index(SegmentIndex const& index);
  base::Result<void> open_segment(std::uint64_t bytes);
  base::Result<std::string> take_spare(std::uint64_t bytes);
  base::Result<std::unique_ptr<base::File>> prepare(std::string const& name,
                                                    SegmentHeader const& header);
  base::Result<void> make_room_in_budget(std::uint64_t bytes);
  base::Result<void> remove_segments(std::vector<std::uint64_t> const& numbers);
  void note_spares();
  // Duties.
  bool idle();
  void mark();
  void retain();
  void heal();
  base::Result<void> make_reserve();
  std::string path(std::string const& name) const { return options_.directory + "/" + name; }

  LogOptions const options_;
  base::FileSystem& files_;
  base::Clock& clock_;
  Catalog& catalog_;
  TopicTable const& topics_;
  WorkSignal& signal_;
  BufferPool& pool_;

  std::mutex appenders_mutex_;
  std::vector<std::shared_ptr<AppenderState>> appenders_;
  std::size_t turn_ = 0;

  std::unique_ptr<Active> active_;
  std::uint64_t last_number_, last_end_;
  std::map<std::string, std::uint64_t> spares_;
  std::chrono::steady_clock::time_point last_write_, last_retention_, last_probe_;
  bool reserve_there_ = false;
  base::Error refusal_;  // while fenced or full

  std::atomic<bool> fenced_{false}, full_{false};
  std::atomic<std::uint64_t> groups_{0}, records_{0}, bytes_{0}, syncs_{0}, spare_bytes_{0};
  mutable std::mutex state_mutex_;
  std::string state_ = "ok";
};

// The file `removed`.
base::Result<RemovedState> load_removed(base::FileSystem& files, std::string const& path);
std::string encode_removed(RemovedState const& state);

}  // namespace headrace::broker::log
