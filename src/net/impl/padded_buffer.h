// SPDX-License-Identifier: Apache-2.0
// PaddedBuffer: growing bytes with kPayloadPadding readable bytes behind them; empty, it owns no
// memory.   Threads: none.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <span>
#include <string_view>
#include <utility>

#include "base/assert.h"

namespace headrace::net {

inline constexpr std::size_t kPayloadPadding = 64;

class PaddedBuffer {
 public:
  PaddedBuffer() = default;
  PaddedBuffer(PaddedBuffer&& other) noexcept { swap(other); }
  PaddedBuffer& operator=(PaddedBuffer&& other) noexcept {
    PaddedBuffer(std::move(other)).swap(*this);
    return *this;
  }
  ~PaddedBuffer() { std::free(data_); }

  bool empty() const { return size_ == 0; }
  std::size_t size() const { return size_; }
  char* data() { return data_; }
  std::string_view view() const { return {data_, size_}; }
  std::span<char> span() { return {data_, size_}; }

  void append(char const* bytes, std::size_t count) {
    if (count == 0) return;
    reserve(size_ + count);
    std::memcpy(data_ + size_, bytes, count);
    size_ += count;
  }
  // Grows by at least a half, so that many small appends cost linear time.
  void reserve(std::size_t wanted) {
    if (wanted <= capacity_) return;
    std::size_t const next = std::max(wanted, capacity_ + capacity_ / 2);
    auto* grown = static_cast<char*>(std::realloc(data_, next + kPayloadPadding));
    HEADRACE_ASSERT(grown != nullptr, "out of memory");
    std::memset(grown + next, 0, kPayloadPadding);
    data_ = grown;
    capacity_ = next;
  }
  // For writers that fill data() themselves.
  void set_size(std::size_t size) {
    HEADRACE_ASSERT(size <= capacity_, "size beyond capacity");
    size_ = size;
  }
  void release() { PaddedBuffer().swap(*this); }
  void swap(PaddedBuffer& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    std::swap(capacity_, other.capacity_);
  }

 private:
  char* data_ = nullptr;
  std::size_t size_ = 0, capacity_ = 0;
};

}  // namespace headrace::net
