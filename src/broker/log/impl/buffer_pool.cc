// SPDX-License-Identifier: Apache-2.0
#include "broker/log/impl/buffer_pool.h"

#include <bit>

#include "base/assert.h"

namespace headrace::broker::log {

std::shared_ptr<Buffer> BufferPool::take(std::size_t bytes) {
  auto const capacity = bytes <= (1u << 20) ? std::bit_ceil(std::max(bytes, kBlockBytes))
                                            : (bytes + 0xFFFFF) & ~std::size_t{0xFFFFF};
  std::unique_ptr<Buffer> buffer;
  {
    std::lock_guard const lock(mutex_);
    if (auto const it = idle_.find(capacity); it != idle_.end() && !it->second.empty()) {
      buffer = std::move(it->second.back());
      it->second.pop_back();
      idle_bytes_ -= capacity;
    }
  }
  if (!buffer) {
    auto* memory = static_cast<std::byte*>(std::aligned_alloc(kBlockBytes, capacity));
    HEADRACE_ASSERT(memory != nullptr, "out of memory");
    buffer = std::make_unique<Buffer>(memory, capacity);
  }
  auto self = shared_from_this();
  return {buffer.release(), [self](Buffer* b) { self->give_back(b); }};
}

void BufferPool::give_back(Buffer* buffer) {
  std::unique_ptr<Buffer> owned(buffer);
  std::lock_guard const lock(mutex_);
  if (idle_bytes_ + owned->capacity() > idle_bytes_max_) return;
  idle_bytes_ += owned->capacity();
  idle_[owned->capacity()].push_back(std::move(owned));
}

}  // namespace headrace::broker::log
