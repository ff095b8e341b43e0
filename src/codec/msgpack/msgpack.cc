// SPDX-License-Identifier: Apache-2.0
#include "codec/msgpack/msgpack.h"

#include "codec/msgpack/impl/scanner.h"

namespace headrace::codec::msgpack {
namespace {

// What a parser keeps from one document to the next: 4 MB.
constexpr std::size_t kKeptNodes = 262'144;

}  // namespace

base::Result<Value> Parser::parse(base::Bytes bytes) {
  if (tape_.nodes.size() > std::min(kKeptNodes, options_.values_max)) tape_.nodes = {};
  tape_.bytes = bytes;
  tape_.encoding = tape::Encoding::kMsgpack;
  impl::Scanner scanner(tape_, options_);
  if (!scanner.run()) [[unlikely]]
    return scanner.fault();
  return Value(tape_, 0);
}

base::Result<void> validate(base::Bytes bytes, std::size_t nesting_max) {
  Parser parser({.nesting_max = nesting_max, .recorded_depth = 0, .values_max = 1});
  if (auto parsed = parser.parse(bytes); !parsed) return std::move(parsed).error();
  return {};
}

}  // namespace headrace::codec::msgpack
