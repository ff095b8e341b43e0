// SPDX-License-Identifier: Apache-2.0
// Any bytes: refused with a reason, or read value by value and written again as the same document.
#include <cstdint>
#include <cstdlib>

#include "codec/msgpack/msgpack.h"
#include "codec/msgpack/msgpack_write.h"

namespace {

using namespace headrace;
using codec::tape::Kind;
using codec::tape::Value;

void require(bool good) {
  if (!good) std::abort();
}

std::uint32_t count(Value container) {
  std::uint32_t n = 0;
  if (container.is_array())
    for ([[maybe_unused]] Value const element : container.elements()) ++n;
  else
    for ([[maybe_unused]] auto const member : container.members()) ++n;
  return n;
}

void rewrite(codec::msgpack::MsgpackWriter& writer, Value value) {
  std::string scratch;
  switch (value.kind()) {
    case Kind::kNull: writer.nil(); return;
    case Kind::kTrue:
    case Kind::kFalse: writer.value(*value.as_bool()); return;
    case Kind::kInt64: writer.value(*value.as_int64()); return;
    case Kind::kUint64: writer.value(*value.as_uint64()); return;
    case Kind::kDouble: writer.value(*value.as_double()); return;
    case Kind::kString: writer.value(*value.as_string(scratch)); return;
    case Kind::kBinary: writer.binary(*value.as_binary()); return;
    case Kind::kExtension:
      if (auto const time = value.as_timestamp())
        writer.value(*time);
      else
        writer.extension(*value.extension_type(), *value.as_binary());
      return;
    case Kind::kArray:
      writer.array(count(value));
      for (Value const element : value.elements()) rewrite(writer, element);
      return;
    case Kind::kObject:
      writer.map(count(value));
      for (auto const [key, member] : value.members()) {
        rewrite(writer, key);
        rewrite(writer, member);
      }
      return;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  base::Bytes const bytes(reinterpret_cast<std::byte const*>(data), size);
  codec::msgpack::Parser parser, second;
  auto const root = parser.parse(bytes);
  if (!root) {
    require(!root.error().context.empty());
    return 0;
  }
  require(root->raw().size() == size);
  (void)codec::tape::find_duplicate_key(*root);
  std::string shortest, again;
  codec::msgpack::MsgpackWriter writer(shortest);
  rewrite(writer, *root);
  auto const read = second.parse(shortest);
  require(read.has_value() && read->nesting() == root->nesting());
  codec::msgpack::MsgpackWriter second_writer(again);
  rewrite(second_writer, *read);
  require(again == shortest);
  for (auto const [key, value] : root->members()) {
    require(codec::msgpack::validate(key.raw()).has_value());
    require(codec::msgpack::validate(value.raw()).has_value());
  }
  return 0;
}
