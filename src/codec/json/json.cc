// SPDX-License-Identifier: Apache-2.0
#include "codec/json/json.h"

#include <algorithm>
#include <bit>

#include "codec/json/impl/indexed_scanner.h"
#include "codec/json/impl/scanner.h"
#include "codec/json/impl/structural_index.h"

namespace headrace::codec::json {
namespace {

// What a parser keeps from one document to the next: 4 MB of nodes and 4 MB of index.
constexpr std::size_t kKeptNodes = 262'144;
constexpr std::size_t kIndexedBytesMax = 1u << 20;

}  // namespace

struct Parser::Index {
  impl::StructuralIndex structural;
};

Parser::Parser(ParseOptions const& options)
    : options_(options), index_(std::make_unique<Index>()) {}
Parser::~Parser() = default;

base::Result<Value> Parser::parse(base::Bytes bytes) {
  if (tape_.nodes.size() > std::min(kKeptNodes, options_.values_max)) tape_.nodes = {};
  tape_.bytes = bytes;
  tape_.encoding = tape::Encoding::kJson;
  if (bytes.size() <= kIndexedBytesMax) [[likely]] {
    auto const index = index_->structural.find(bytes);
    // Every node has its token. Where so many are not allowed, Scanner finds out whether they are
    // needed.
    std::size_t const room = std::min({index.size(), options_.values_max, kKeptNodes});
    if (tape_.nodes.size() < room)
      tape_.nodes.resize(std::min(std::bit_ceil(room), options_.values_max));
    if (!index.empty() && impl::scan_indexed(tape_, options_, index)) [[likely]]
      return Value(tape_, 0);
  }
  impl::Scanner scanner(tape_, options_);
  if (!scanner.run()) return scanner.fault();
  return Value(tape_, 0);
}

base::Result<void> validate(base::Bytes bytes, std::size_t nesting_max) {
  thread_local Parser parser;
  parser.set_options({.nesting_max = nesting_max, .recorded_depth = 0, .values_max = 1});
  if (auto parsed = parser.parse(bytes); !parsed) return std::move(parsed).error();
  return {};
}

}  // namespace headrace::codec::json
