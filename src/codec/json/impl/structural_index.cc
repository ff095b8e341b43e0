// SPDX-License-Identifier: Apache-2.0
#include "codec/json/impl/structural_index.h"

#include <simdjson.h>

#include <bit>

namespace headrace::codec::json::impl {
namespace {
constexpr std::size_t kFirstCapacity = 4096;
}

struct StructuralIndex::Impl {
  std::unique_ptr<simdjson::internal::dom_parser_implementation> stages;
};

StructuralIndex::StructuralIndex() : impl_(std::make_unique<Impl>()) {}
StructuralIndex::~StructuralIndex() = default;

std::span<std::uint32_t const> StructuralIndex::find(base::Bytes bytes) {
  auto& stages = impl_->stages;
  if (!stages || stages->capacity() < bytes.size()) [[unlikely]] {
    std::size_t const capacity = std::bit_ceil(std::max(kFirstCapacity, bytes.size()));
    if (simdjson::get_active_implementation()->create_dom_parser_implementation(
            capacity, 1, stages) != simdjson::SUCCESS) {
      stages.reset();
      return {};
    }
  }
  auto const* const text = reinterpret_cast<std::uint8_t const*>(bytes.data());
  if (stages->stage1(text, bytes.size(), simdjson::stage1_mode::regular) != simdjson::SUCCESS)
    return {};
  return {stages->structural_indexes.get(), stages->n_structural_indexes};
}

}  // namespace headrace::codec::json::impl
