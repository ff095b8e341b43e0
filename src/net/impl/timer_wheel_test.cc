// SPDX-License-Identifier: Apache-2.0
#include "net/impl/timer_wheel.h"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

namespace headrace::net {
namespace {

struct Entry {
  explicit Entry(std::vector<int>& f, int i) : fired(f), id(i) {}
  void fire() {
    fired.push_back(id);
    if (then) then();
  }
  std::vector<int>& fired;
  int id;
  std::function<void()> then;
  Timer timer = Timer::calling<&Entry::fire>(this);
};

TEST(TimerWheel, FiresWhenDueAndNotBefore) {
  TimerWheel wheel;
  std::vector<int> fired;
  Entry a(fired, 1), b(fired, 2), far(fired, 3);
  wheel.arm(a.timer, 10);
  wheel.arm(b.timer, 5);
  wheel.arm(far.timer, 10'000);  // several turns of the wheel
  wheel.advance(4);
  EXPECT_TRUE(fired.empty());
  wheel.advance(9);
  EXPECT_EQ(fired, (std::vector{2}));
  wheel.advance(9'999);
  EXPECT_EQ(fired, (std::vector{2, 1}));
  wheel.advance(10'000);
  EXPECT_EQ(fired, (std::vector{2, 1, 3}));
  EXPECT_EQ(wheel.armed_count(), 0u);
}

TEST(TimerWheel, RearmingMovesAndCancelStops) {
  TimerWheel wheel;
  std::vector<int> fired;
  Entry a(fired, 1), b(fired, 2);
  wheel.arm(a.timer, 3);
  wheel.arm(a.timer, 20);
  wheel.arm(b.timer, 20);
  b.timer.cancel();
  EXPECT_FALSE(b.timer.armed());
  wheel.advance(19);
  EXPECT_TRUE(fired.empty());
  wheel.advance(30);
  EXPECT_EQ(fired, (std::vector{1}));
}

TEST(TimerWheel, CallbacksMayArmCancelAndDestroyTheirNeighbours) {
  TimerWheel wheel;
  std::vector<int> fired;
  auto a = std::make_unique<Entry>(fired, 1);
  auto b = std::make_unique<Entry>(fired, 2);
  Entry again(fired, 3);
  for (auto* e : {a.get(), b.get()}) wheel.arm(e->timer, 7);
  wheel.arm(again.timer, 7);
  a->then = [&] { b.reset(); };
  b->then = [&] { a.reset(); };
  again.then = [&] {
    if (fired.size() < 4) wheel.arm(again.timer, 7);  // in the past: the next tick
  };
  wheel.advance(100);
  EXPECT_EQ(std::count(fired.begin(), fired.end(), 3), 3);
  EXPECT_EQ(fired.size(), 4u);  // one of a and b destroyed the other
}

TEST(TimerWheel, SkipsWhenNothingIsArmed) {
  TimerWheel wheel;
  wheel.advance(std::uint64_t{1} << 60);  // at once
  EXPECT_EQ(wheel.current_tick(), std::uint64_t{1} << 60);
}

}  // namespace
}  // namespace headrace::net
