// SPDX-License-Identifier: Apache-2.0
#include "net/io_threads.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>

namespace headrace::net {
namespace {

using namespace std::chrono_literals;

TEST(IoThreads, RunTasksInOrderOnTheirThread) {
  IoThreads threads(2);
  threads.start();
  std::vector<int> order;
  std::promise<void> done;
  for (int i = 0; i < 100; ++i) {
    threads.at(1).post([&, i] {
      EXPECT_TRUE(threads.at(1).is_current());
      EXPECT_FALSE(threads.at(0).is_current());
      order.push_back(i);
      if (i == 99) done.set_value();
    });
  }
  done.get_future().get();
  EXPECT_EQ(order.size(), 100u);
  EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
}

TEST(IoThreads, StopRunsWhatWasPostedBefore) {
  std::atomic<int> ran{0};
  IoThreads threads(2);
  threads.start();
  for (unsigned i = 0; i < 2; ++i) {
    for (int n = 0; n < 50; ++n) threads.at(i).post([&] { ++ran; });
  }
  threads.stop();
  EXPECT_EQ(ran, 100);
  threads.at(0).post([&] { ++ran; });
  EXPECT_EQ(ran, 100);
}

TEST(IoThreads, TimersFireLateNeverEarlyAndCanBeCancelled) {
  IoThreads threads(IoThreadsOptions{.count = 1, .tick = 5ms});
  threads.start();
  std::promise<std::chrono::steady_clock::duration> fired;
  ScheduledCall kept, cancelled;
  std::atomic<bool> wrong{false};
  threads.run_on(0, [&] {
    auto const start = std::chrono::steady_clock::now();
    cancelled = threads.at(0).schedule(10ms, [&] { wrong = true; });
    kept = threads.at(0).schedule(
        30ms, [&, start] { fired.set_value(std::chrono::steady_clock::now() - start); });
    cancelled.cancel();
  });
  EXPECT_GE(fired.get_future().get(), 30ms);
  EXPECT_FALSE(wrong);
}

TEST(IoThreads, ACallMayDestroyItself) {
  IoThreads threads(IoThreadsOptions{.count = 1, .tick = 5ms});
  threads.start();
  std::promise<void> done;
  ScheduledCall call;
  threads.run_on(0, [&] {
    call = threads.at(0).schedule(1ms, [&] {
      call = ScheduledCall();
      done.set_value();
    });
  });
  done.get_future().get();
}

}  // namespace
}  // namespace headrace::net
