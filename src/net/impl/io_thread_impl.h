// SPDX-License-Identifier: Apache-2.0
// The inside of an IoThread: its loop, timer wheel and shared buffers.   Threads: its own only.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "net/impl/event_loop.h"
#include "net/impl/padded_buffer.h"
#include "net/impl/timer_wheel.h"
#include "net/io_threads.h"

namespace headrace::net {

inline constexpr std::size_t kSharedBufferBytes = 256u << 10;
inline constexpr std::size_t kCipherBufferBytes = 64u << 10;

// A name service lookup on a thread of its own.
struct NameQuery {
  std::thread thread;
  std::shared_ptr<std::atomic<bool>> done;
};

struct IoThread::Impl {
  EventLoop loop;
  TimerWheel wheel;
  unsigned index = 0;
  std::chrono::milliseconds tick{50};
  std::string name;
  bool ticking = false;
  std::chrono::steady_clock::time_point started = std::chrono::steady_clock::now();
  std::unique_ptr<char[]> shared_buffer{new char[kSharedBufferBytes + kPayloadPadding]()};
  std::unique_ptr<char[]> cipher_buffer;  // made with the first TLS connection
  std::string spare_output;               // one output buffer that went back: connections borrow it
  std::string date_header;                // of the second below
  std::int64_t date_second = -1;
  std::thread thread;
  std::vector<NameQuery> name_queries;  // under way or not yet joined

  void ensure_ticking();
  std::uint64_t tick_at(std::chrono::steady_clock::time_point time) const;
  static void on_tick(void* self);
};

}  // namespace headrace::net
