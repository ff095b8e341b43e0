// SPDX-License-Identifier: Apache-2.0
// IoThreads: N threads, each with its own event loop. A connection lives on one of them; nothing on
// one is locked.
//   Threads:  post() and is_current() from any thread; everything else of an IoThread on that
//   thread only. Lifetime: IoThreads outlives servers, clients and timers made on it. stop() runs
//   what was posted before it, then joins. Cost:     a timer is intrusive: arming allocates
//   nothing. Resolution is the tick (50 ms): timers fire late, never early.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace headrace::net {

class IoThread;
class TimerWheel;

// One pending call. A member of the object it calls; its destructor cancels. Arm with
// IoThread::arm.
class Timer {
 public:
  using Callback = void (*)(void* context);
  Timer(Callback callback, void* context) : callback_(callback), context_(context) {}
  // Timer timer_ = Timer::calling<&Session::on_timeout>(this);
  template <auto Method, class T>
  static Timer calling(T* object) {
    return Timer([](void* context) { (static_cast<T*>(context)->*Method)(); }, object);
  }
  Timer(Timer const&) = delete;
  Timer& operator=(Timer const&) = delete;
  ~Timer() { cancel(); }

  bool armed() const { return wheel_ != nullptr; }
  void cancel();

 private:
  friend class TimerWheel;
  Callback callback_;
  void* context_;
  TimerWheel* wheel_ = nullptr;
  Timer* previous_ = nullptr;
  Timer* next_ = nullptr;
  std::uint64_t due_tick_ = 0;
};

// Owns one scheduled call; destroying it cancels the call. May be destroyed within the call.
class ScheduledCall {
 public:
  struct State;
  ScheduledCall();
  explicit ScheduledCall(std::unique_ptr<State> state);
  ScheduledCall(ScheduledCall&&) noexcept;
  ScheduledCall& operator=(ScheduledCall&&) noexcept;
  ~ScheduledCall();
  void cancel();

 private:
  std::unique_ptr<State> state_;
};

class IoThread {
 public:
  struct Impl;
  explicit IoThread(std::unique_ptr<Impl> impl);
  ~IoThread();

  unsigned index() const;
  bool is_current() const;
  // Runs `task` on this thread, after the tasks posted before it. After stop() it is destroyed
  // without running.
  void post(std::function<void()> task);

  // Calls the timer's callback once, `delay` from now at the earliest. Arming an armed timer moves
  // it.
  void arm(Timer& timer, std::chrono::nanoseconds delay);
  // The same with a function, for the rare timers. Allocates.
  [[nodiscard]] ScheduledCall schedule(std::chrono::nanoseconds delay, std::function<void()> call);
  // The time at which the loop last woke up: cheap, a little old.
  std::chrono::steady_clock::time_point now() const;
  // 256 KiB that belongs to whoever is running; its contents do not survive the current callback.
  // Connections read into it.
  std::span<char> shared_buffer();

  Impl& impl() { return *impl_; }

 private:
  std::unique_ptr<Impl> impl_;
};

struct IoThreadsOptions {
  unsigned count = 1;
  std::chrono::milliseconds tick{50};
  std::string name = "io";  // threads are called "io-0", "io-1", ...
};

class IoThreads {
 public:
  explicit IoThreads(IoThreadsOptions options);
  explicit IoThreads(unsigned count) : IoThreads(IoThreadsOptions{.count = count}) {}
  ~IoThreads();  // stop()
  IoThreads(IoThreads const&) = delete;
  IoThreads& operator=(IoThreads const&) = delete;

  void start();  // once
  // Runs what is queued, then ends all threads and joins. Idempotent. Not from an io thread.
  void stop();
  unsigned count() const { return static_cast<unsigned>(threads_.size()); }
  IoThread& at(unsigned index) { return *threads_.at(index); }
  // Runs `task` on the thread and waits for it. Not from an io thread; only between start() and
  // stop().
  void run_on(unsigned index, std::function<void()> const& task);

 private:
  std::vector<std::unique_ptr<IoThread>> threads_;
  bool running_ = false;
};

}  // namespace headrace::net
