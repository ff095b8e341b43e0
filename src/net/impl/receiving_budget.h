// SPDX-License-Identifier: Apache-2.0
// What the connections of one io thread hold of bodies and messages that are not complete yet, so
// that many of them together stay bounded, too.
//   Threads:  one io thread.   Lifetime: the budget outlives what is told of its connections;
//   release() when a connection has gone.
#pragma once

#include <cstddef>

namespace headrace::net {

class ReceivingBudget {
 public:
  explicit ReceivingBudget(std::size_t bytes_max) : bytes_max_(bytes_max) {}
  bool exceeded() const { return used_ > bytes_max_; }
  void change(std::size_t before, std::size_t now) { used_ = used_ - before + now; }

 private:
  std::size_t const bytes_max_;
  std::size_t used_ = 0;
};

// One connection's part.
class ReceivingShare {
 public:
  explicit ReceivingShare(ReceivingBudget* budget) : budget_(budget) {}  // null: unbounded
  // False: the budget is used up and this connection is one that holds much. Who holds little is
  // never made to pay for others.
  bool hold(std::size_t bytes) {
    if (budget_ == nullptr) return true;
    budget_->change(held_, bytes);
    held_ = bytes;
    return held_ <= kAlwaysHeld || !budget_->exceeded();
  }
  void release() { hold(0); }

 private:
  static constexpr std::size_t kAlwaysHeld = 64u << 10;
  ReceivingBudget* budget_;
  std::size_t held_ = 0;
};

}  // namespace headrace::net
