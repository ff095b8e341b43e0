// SPDX-License-Identifier: Apache-2.0
#include "net/io_threads.h"

#include <pthread.h>

#include <condition_variable>
#include <mutex>
#include <thread>

#include "base/assert.h"
#include "net/impl/io_thread_impl.h"

namespace headrace::net {

namespace {
thread_local IoThread const* current_thread = nullptr;
}

void IoThread::Impl::ensure_ticking() {
  if (ticking || wheel.armed_count() == 0) return;
  ticking = true;
  loop.call_after(tick, &Impl::on_tick, this);
}

void IoThread::Impl::on_tick(void* self) {
  auto& impl = *static_cast<Impl*>(self);
  impl.ticking = false;
  impl.wheel.advance(impl.tick_at(impl.loop.now()));
  impl.ensure_ticking();
}

std::uint64_t IoThread::Impl::tick_at(std::chrono::steady_clock::time_point time) const {
  return static_cast<std::uint64_t>((time - started) / tick);
}

IoThread::IoThread(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
IoThread::~IoThread() = default;

unsigned IoThread::index() const { return impl_->index; }
bool IoThread::is_current() const { return current_thread == this; }
void IoThread::post(std::function<void()> task) { impl_->loop.post(std::move(task)); }
std::chrono::steady_clock::time_point IoThread::now() const { return impl_->loop.now(); }

std::span<char> IoThread::shared_buffer() {
  return {impl_->shared_buffer.get(), kSharedBufferBytes};
}

void IoThread::arm(Timer& timer, std::chrono::nanoseconds delay) {
  auto const now = impl_->loop.now();
  impl_->wheel.skip_to(impl_->tick_at(now));
  // Rounded up, and one tick more, because the current tick is partly over: never early.
  impl_->wheel.arm(timer, impl_->tick_at(now + delay) + 1);
  impl_->ensure_ticking();
}

struct ScheduledCall::State {
  explicit State(std::function<void()> c)
      : call(std::move(c)), timer([](void* self) { static_cast<State*>(self)->fire(); }, this) {}
  // The call may destroy this state, so it is moved out first.
  void fire() {
    auto const run = std::move(call);
    run();
  }
  std::function<void()> call;
  Timer timer;
};

ScheduledCall::ScheduledCall() = default;
ScheduledCall::ScheduledCall(std::unique_ptr<State> state) : state_(std::move(state)) {}
ScheduledCall::ScheduledCall(ScheduledCall&&) noexcept = default;
ScheduledCall& ScheduledCall::operator=(ScheduledCall&&) noexcept = default;
ScheduledCall::~ScheduledCall() = default;
void ScheduledCall::cancel() { state_.reset(); }

ScheduledCall IoThread::schedule(std::chrono::nanoseconds delay, std::function<void()> call) {
  auto state = std::make_unique<ScheduledCall::State>(std::move(call));
  arm(state->timer, delay);
  return ScheduledCall(std::move(state));
}

IoThreads::IoThreads(IoThreadsOptions options) {
  HEADRACE_ASSERT(options.count > 0, "at least one io thread");
  for (unsigned i = 0; i < options.count; ++i) {
    auto impl = std::make_unique<IoThread::Impl>();
    impl->index = i;
    impl->tick = options.tick;
    impl->name = options.name + "-" + std::to_string(i);
    threads_.push_back(std::make_unique<IoThread>(std::move(impl)));
  }
}

IoThreads::~IoThreads() { stop(); }

void IoThreads::start() {
  HEADRACE_ASSERT(!running_, "IoThreads started twice");
  running_ = true;
  for (auto& thread : threads_) {
    IoThread* const self = thread.get();
    self->impl().thread = std::thread([self] {
      current_thread = self;
      pthread_setname_np(pthread_self(), self->impl().name.substr(0, 15).c_str());
      self->impl().loop.run();
    });
  }
}

void IoThreads::stop() {
  if (!running_) return;
  running_ = false;
  for (auto& thread : threads_) {
    HEADRACE_ASSERT(!thread->is_current(), "IoThreads::stop on an io thread");
    // Twice: what a thread posts to itself is queued when its current call has returned, so a stop
    // posted from here could
    // overtake what was posted before it.
    thread->post([loop = &thread->impl().loop] { loop->post([loop] { loop->stop(); }); });
  }
  for (auto& thread : threads_) {
    thread->impl().thread.join();
    for (auto& query : thread->impl().name_queries) query.thread.join();
    thread->impl().name_queries.clear();
  }
}

void IoThreads::run_on(unsigned index, std::function<void()> const& task) {
  HEADRACE_ASSERT(running_ && !at(index).is_current(),
                  "run_on needs running threads and another thread");
  std::mutex mutex;
  std::condition_variable changed;
  bool done = false;
  at(index).post([&] {
    task();
    std::lock_guard const lock(mutex);
    done = true;
    changed.notify_one();
  });
  std::unique_lock lock(mutex);
  changed.wait(lock, [&] { return done; });
}

}  // namespace headrace::net
