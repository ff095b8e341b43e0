// SPDX-License-Identifier: Apache-2.0
// Spool: a bounded queue of messages on disk, numbered, kept until acknowledged. Format:
//        docs/formats/agent-spool.md.
//   Threads:  any, one lock (an append holds it for one write, and for one fdatasync as SpoolSync
//             says).
//   Lifetime: close() writes a clean end; without it (a crash) the next open() finds everything
//             that the disk has.
//   Errors:   open: io, already_exists (another agent uses the directory). append: io, overloaded
//             (disk full): nothing was taken and the spool is as before. Damage is never an error:
//             it is cut, counted and logged.
#pragma once

#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "agent/agent.h"
#include "agent/impl/spool_format.h"
#include "base/clock.h"
#include "base/file_system.h"

namespace headrace::agent {

struct SpooledMessage {
  std::uint64_t sequence = 0;
  base::Timestamp time;
  std::string data_type, source, body;
};

struct SpoolOptions {
  std::string directory;
  std::uint64_t bytes_max = 64u << 20;
  SpoolSync sync = SpoolSync::kSecond;
};

struct SpoolStats {
  std::uint64_t messages = 0;       // not acknowledged
  std::uint64_t bytes = 0;          // on disk
  std::uint64_t dropped = 0;        // since open: messages dropped because it was full
  std::uint64_t damaged_bytes = 0;  // cut at open
};

class Spool {
 public:
  static base::Result<std::unique_ptr<Spool>> open(base::FileSystem& fs, base::Clock& clock,
                                                   SpoolOptions options);
  ~Spool();
  Spool(Spool const&) = delete;
  Spool& operator=(Spool const&) = delete;

  base::Uuid session() const;
  std::uint32_t epoch() const;
  // Keeps one message and returns its number. When the bound would be passed the oldest go first.
  base::Result<std::uint64_t> append(std::string_view data_type, std::string_view source,
                                     base::Timestamp time, std::string_view body);
  // Unacknowledged messages numbered above `after`, ascending: at most `messages_max`, and no more
  // than fit in `bytes_max` (bodies and names), but at least one when there is one.
  base::Result<std::vector<SpooledMessage>> read(std::uint64_t after, std::size_t messages_max,
                                                 std::size_t bytes_max);
  // Forgets everything numbered up to `sequence`. Returns how many messages that were.
  std::uint64_t acknowledge(std::uint64_t sequence);
  // New messages are numbered above `sequence` from now on.
  base::Result<void> number_above(std::uint64_t sequence);
  // A new session uuid; numbers go on.
  base::Result<void> renew_session();
  base::Result<void> close();
  SpoolStats stats() const;

 private:
  struct Segment {
    std::uint64_t number = 0;
    std::uint64_t last = 0;  // number of its last message; 0: empty
    std::uint64_t bytes = 0;
    std::shared_ptr<base::File> file;  // open for writing: the last one only
  };
  struct Run {  // numbers first to last, all spooled and unacknowledged
    std::uint64_t first = 0, last = 0;
  };
  struct Cursor {  // where a read ended
    std::uint64_t segment = 0, after = 0, offset = 0;
  };

  Spool(base::FileSystem& fs, base::Clock& clock, SpoolOptions options);
  base::Result<void> lock();
  base::Result<void> load();
  base::Result<void> load_head();
  base::Result<void> load_segment(std::uint64_t number);
  base::Result<void> write_head(std::uint64_t reserved);
  base::Result<void> begin_segment();
  base::Result<void> make_room(std::uint64_t bytes);
  base::Result<void> remove_front();
  base::Result<void> sync_as_configured();
  void cut(Segment& segment, std::uint64_t last_good, std::uint64_t offset);
  void note(std::uint64_t sequence);
  std::uint64_t forget(std::uint64_t up_to);
  std::string path_of(std::uint64_t number) const;
  std::uint64_t segment_bytes_max() const;

  base::FileSystem& fs_;
  base::Clock& clock_;
  SpoolOptions const options_;
  mutable std::mutex mutex_;
  int lock_fd_ = -1;
  SpoolHead head_;
  std::uint64_t next_ = 1;
  std::deque<Segment> segments_;
  std::deque<Run> runs_;
  Cursor cursor_;
  std::uint64_t bytes_ = 0;
  SpoolStats counted_;
  std::chrono::steady_clock::time_point synced_at_{};
  bool closed_ = false;
};

}  // namespace headrace::agent
