// SPDX-License-Identifier: Apache-2.0
// EventLoop and Watch: readiness of descriptors, posted tasks and a tick, over Boost.Asio, which is
// included in event_loop.cc only.
//   Threads:  post() from any thread; the rest on the loop's thread.
//   Lifetime: the loop outlives its watches. A Watch is counted: every wait under way holds one
//             reference.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <utility>

namespace headrace::net {

class EventLoop {
 public:
  struct Impl;
  EventLoop();
  ~EventLoop();
  void run();   // until stop()
  void stop();  // from a task on the loop
  void post(std::function<void()> task);
  // Calls `tick` once after `delay`.
  void call_after(std::chrono::nanoseconds delay, void (*call)(void*), void* context);
  std::chrono::steady_clock::time_point now() const { return now_; }
  void refresh_now() { now_ = std::chrono::steady_clock::now(); }
  Impl& impl() { return *impl_; }

 private:
  std::unique_ptr<Impl> impl_;
  std::chrono::steady_clock::time_point now_;
};

// Owns a non-blocking descriptor and tells when it is ready. One-shot: each want_ leads to one on_
// call, or none after close.
class Watch {
 public:
  Watch(EventLoop& loop, int fd);
  Watch(Watch const&) = delete;
  Watch& operator=(Watch const&) = delete;

  void ref() { ++references_; }
  void unref() {
    if (--references_ == 0) delete this;
  }
  int fd() const { return fd_; }
  bool open() const { return fd_ >= 0; }

 protected:
  virtual ~Watch();
  virtual void on_readable() = 0;
  virtual void on_writable() = 0;
  void want_read();  // does nothing when a wait is under way
  void want_write();
  void close_fd();
  int release_fd();  // gives the descriptor away; as close_fd otherwise

 private:
  friend struct ReadReady;
  friend struct WriteReady;
  friend struct ReadSlotAccess;
  static constexpr std::size_t kDescriptorBytes = 32;
  static constexpr std::size_t kReadSlotBytes = 96;

  EventLoop& loop_;
  int fd_;
  std::uint32_t references_ = 0;
  bool reading_ = false, writing_ = false;
  alignas(8) std::byte descriptor_[kDescriptorBytes];
  // The memory of the wait for reading: no allocation per wait.
  alignas(16) std::byte read_slot_[kReadSlotBytes];
};

// A counted pointer for Watch and what derives from it.
template <class T>
class Counted {
 public:
  Counted() = default;
  explicit Counted(T* object) : object_(object) {
    if (object_ != nullptr) object_->ref();
  }
  Counted(Counted const& other) : Counted(other.object_) {}
  Counted(Counted&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  Counted& operator=(Counted other) noexcept {
    std::swap(object_, other.object_);
    return *this;
  }
  ~Counted() {
    if (object_ != nullptr) object_->unref();
  }
  T* get() const { return object_; }
  T* operator->() const { return object_; }
  T& operator*() const { return *object_; }
  explicit operator bool() const { return object_ != nullptr; }

 private:
  T* object_ = nullptr;
};

}  // namespace headrace::net
