// SPDX-License-Identifier: Apache-2.0
#include "net/impl/event_loop.h"

// ThreadSanitizer does not know fences; the loop's own locks order what they order.
#if defined(__SANITIZE_THREAD__)
#define BOOST_ASIO_DISABLE_FENCED_BLOCK 1
#endif
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/basic_stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <new>
#include <thread>

#include "base/assert.h"

namespace headrace::net {

namespace asio = boost::asio;
using Descriptor = asio::posix::basic_stream_descriptor<asio::io_context::executor_type>;

struct EventLoop::Impl {
  asio::io_context context{1};
  asio::executor_work_guard<asio::io_context::executor_type> work{context.get_executor()};
  asio::steady_timer timer{context};
};

EventLoop::EventLoop() : impl_(std::make_unique<Impl>()), now_(std::chrono::steady_clock::now()) {}
EventLoop::~EventLoop() = default;

namespace {

// Events per second of one loop, over the last few milliseconds.
class EventRate {
 public:
  explicit EventRate(std::chrono::steady_clock::time_point now) : since_(now) {}
  double note(std::size_t events, std::chrono::steady_clock::time_point now) {
    events_ += events;
    std::chrono::duration<double> const span = now - since_;
    if (span >= std::chrono::milliseconds(5)) {
      rate_ = static_cast<double>(events_) / span.count();
      events_ = 0;
      since_ = now;
    }
    return rate_;
  }

 private:
  std::chrono::steady_clock::time_point since_;
  std::size_t events_ = 0;
  double rate_ = 0;
};

// Going to sleep and being woken costs several times what one small read does. A loop with nothing
// to do that was woken very often lately lets a few events gather first. A lone client that waits
// for each answer never reaches the rate; a loop with enough to do never comes here.
constexpr double kGatherAboveEventsPerSecond = 20'000;
constexpr auto kGatherTime = std::chrono::microseconds(200);

}  // namespace

void EventLoop::run() {
  auto& context = impl_->context;
  EventRate rate(std::chrono::steady_clock::now());
  while (!context.stopped()) {
    auto ran = context.poll();
    if (ran == 0) {
      auto const recent = rate.note(0, std::chrono::steady_clock::now());
      if (recent > kGatherAboveEventsPerSecond) std::this_thread::sleep_for(kGatherTime);
      ran = context.run_one();
    }
    rate.note(ran, std::chrono::steady_clock::now());
  }
}
void EventLoop::stop() { impl_->context.stop(); }

void EventLoop::post(std::function<void()> task) {
  asio::post(impl_->context, [this, run = std::move(task)] {
    refresh_now();
    run();
  });
}

void EventLoop::call_after(std::chrono::nanoseconds delay, void (*call)(void*), void* context) {
  impl_->timer.expires_after(delay);
  impl_->timer.async_wait([this, call, context](boost::system::error_code const& error) {
    if (error) return;
    refresh_now();
    call(context);
  });
}

struct ReadSlotAccess {
  static bool fits(std::size_t bytes) { return bytes <= Watch::kReadSlotBytes; }
  static void* slot(Watch& watch) { return watch.read_slot_; }
  static Descriptor& descriptor(Watch& watch) {
    return *std::launder(reinterpret_cast<Descriptor*>(watch.descriptor_));
  }
  static EventLoop::Impl& loop(Watch& watch) { return watch.loop_.impl(); }
};

// Gives a wait the memory inside its Watch, where it fits (88 bytes with Boost 1.81). At most one
// wait for reading is under way, so the slot is free.
template <class T>
struct SlotAllocator {
  using value_type = T;
  Watch* watch;

  explicit SlotAllocator(Watch* w) : watch(w) {}
  template <class U>                            // implicit: allocators convert
  SlotAllocator(SlotAllocator<U> const& other)  // NOLINT(google-explicit-constructor)
      : watch(other.watch) {}
  T* allocate(std::size_t count) {
    static_assert(alignof(T) <= 16);
    std::size_t const bytes = count * sizeof(T);
    if (!ReadSlotAccess::fits(bytes)) return static_cast<T*>(::operator new(bytes));
    return static_cast<T*>(ReadSlotAccess::slot(*watch));
  }
  void deallocate(T* memory, std::size_t count) {
    if (!ReadSlotAccess::fits(count * sizeof(T))) ::operator delete(memory);
  }
  template <class U>
  bool operator==(SlotAllocator<U> const& other) const {
    return watch == other.watch;
  }
};

struct ReadReady {
  using allocator_type = SlotAllocator<void>;
  Counted<Watch> watch;
  allocator_type get_allocator() const { return allocator_type(watch.get()); }
  void operator()(boost::system::error_code const&) const {
    watch->reading_ = false;
    if (!watch->open()) return;
    watch->loop_.refresh_now();
    watch->on_readable();
  }
};

struct WriteReady {
  Counted<Watch> watch;
  void operator()(boost::system::error_code const&) const {
    watch->writing_ = false;
    if (!watch->open()) return;
    watch->loop_.refresh_now();
    watch->on_writable();
  }
};

Watch::Watch(EventLoop& loop, int fd) : loop_(loop), fd_(fd) {
  static_assert(sizeof(Descriptor) <= kDescriptorBytes && alignof(Descriptor) <= 8);
  new (descriptor_) Descriptor(loop.impl().context.get_executor());
  boost::system::error_code error;
  ReadSlotAccess::descriptor(*this).assign(fd, error);
  HEADRACE_ASSERT(!error, "the event loop refused a descriptor");
}

Watch::~Watch() {
  close_fd();
  ReadSlotAccess::descriptor(*this).~Descriptor();
}

void Watch::want_read() {
  if (reading_ || fd_ < 0) return;
  reading_ = true;
  ReadSlotAccess::descriptor(*this).async_wait(Descriptor::wait_read, ReadReady{Counted(this)});
}

void Watch::want_write() {
  if (writing_ || fd_ < 0) return;
  writing_ = true;
  ReadSlotAccess::descriptor(*this).async_wait(Descriptor::wait_write, WriteReady{Counted(this)});
}

int Watch::release_fd() {
  int const fd = std::exchange(fd_, -1);
  if (fd >= 0) ReadSlotAccess::descriptor(*this).release();
  return fd;
}

void Watch::close_fd() {
  if (fd_ < 0) return;
  fd_ = -1;
  boost::system::error_code ignored;
  ReadSlotAccess::descriptor(*this).close(ignored);
}

}  // namespace headrace::net
