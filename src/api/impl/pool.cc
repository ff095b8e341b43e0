// SPDX-License-Identifier: Apache-2.0
#include "api/impl/pool.h"

#include <fmt/format.h>
#include <pthread.h>

namespace headrace::api {

Pool::Pool(std::string name, std::size_t threads, std::size_t queue_max)
    : name_(std::move(name)), threads_count_(threads), queue_max_(queue_max) {}

void Pool::start() {
  for (std::size_t i = 0; i < threads_count_; ++i) {
    threads_.emplace_back([this] { work(); });
    pthread_setname_np(threads_.back().native_handle(),
                       fmt::format("{}-{}", name_, i).substr(0, 15).c_str());
  }
}

void Pool::stop() {
  std::deque<std::function<void()>> dropped;
  {
    std::lock_guard const lock(mutex_);
    stop_.request_stop();
    dropped.swap(queue_);
  }
  changed_.notify_all();
  for (auto& thread : threads_) thread.join();
  threads_.clear();
}

base::Result<void> Pool::run(std::function<void()> job) {
  {
    std::lock_guard const lock(mutex_);
    if (stop_.stop_requested())
      return base::Error{base::ErrorCode::kCancelled, "the server is stopping"};
    if (queue_.size() >= queue_max_)
      return base::Error{base::ErrorCode::kOverloaded,
                         fmt::format("{} questions are waiting already", queue_max_)};
    queue_.push_back(std::move(job));
  }
  changed_.notify_one();
  return {};
}

void Pool::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return stop_.stop_requested() || !queue_.empty(); });
    if (stop_.stop_requested()) return;
    auto job = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    job();
    job = nullptr;
    lock.lock();
  }
}

}  // namespace headrace::api
