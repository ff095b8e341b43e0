// SPDX-License-Identifier: Apache-2.0
// BufferPool: block-aligned memory for groups, used again and again: fresh pages cost more than
// the copy into them.
//   Threads: any.   Lifetime: a buffer keeps its pool alive.   Bounded: what lies unused is at
//            most `idle_bytes_max`.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "broker/log/impl/format.h"

namespace headrace::broker::log {

class BufferPool;

class Buffer {
 public:
  Buffer(std::byte* data, std::size_t capacity) : data_(data), capacity_(capacity) {}
  ~Buffer() { std::free(data_); }
  Buffer(Buffer const&) = delete;
  Buffer& operator=(Buffer const&) = delete;
  std::byte* data() { return data_; }
  std::byte const* data() const { return data_; }
  std::size_t capacity() const { return capacity_; }

 private:
  std::byte* data_;
  std::size_t capacity_;
};

class BufferPool : public std::enable_shared_from_this<BufferPool> {
 public:
  explicit BufferPool(std::size_t idle_bytes_max) : idle_bytes_max_(idle_bytes_max) {}
  // At least `bytes`; contents are whatever was there before.
  std::shared_ptr<Buffer> take(std::size_t bytes);

 private:
  void give_back(Buffer* buffer);

  std::size_t const idle_bytes_max_;
  std::mutex mutex_;
  std::size_t idle_bytes_ = 0;
  std::map<std::size_t, std::vector<std::unique_ptr<Buffer>>> idle_;  // by capacity
};

// A group as it stands on disk, in memory.
struct Group {
  std::uint64_t segment = 0;
  std::uint32_t offset = 0;
  std::uint32_t bytes = 0;
  std::shared_ptr<Buffer> buffer;
  base::Bytes view() const { return {buffer->data(), bytes}; }
};

}  // namespace headrace::broker::log
