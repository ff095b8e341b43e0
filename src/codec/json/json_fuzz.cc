// SPDX-License-Identifier: Apache-2.0
// Any bytes: the parser's two passes and simdjson agree on accept or refuse, extents are whole
// documents, and what is walked can be read. Differences that are meant: simdjson takes lone low
// surrogates as they are.
#include <simdjson.h>

#include <cstdint>
#include <cstdlib>

#include "codec/json/impl/scanner.h"
#include "codec/json/json.h"
#include "codec/json/json_write.h"

namespace {

using namespace headrace;
using codec::tape::Kind;
using codec::tape::Value;

void require(bool good) {
  if (!good) std::abort();
}

// Writes the tree again from what the accessors say.
void rewrite(std::string& out, Value value, std::string& scratch) {
  switch (value.kind()) {
    case Kind::kNull: out += "null"; return;
    case Kind::kTrue: out += "true"; return;
    case Kind::kFalse: out += "false"; return;
    case Kind::kInt64: return codec::json::append_integer(out, *value.as_int64());
    case Kind::kUint64: return codec::json::append_integer(out, *value.as_uint64());
    case Kind::kDouble: return codec::json::append_double(out, *value.as_double());
    case Kind::kString: return codec::json::append_string(out, *value.as_string(scratch));
    case Kind::kArray: {
      out += '[';
      bool first = true;
      for (Value const element : value.elements()) {
        if (!first) out += ',';
        first = false;
        rewrite(out, element, scratch);
      }
      out += ']';
      return;
    }
    case Kind::kObject: {
      out += '{';
      bool first = true;
      for (auto const [key, member] : value.members()) {
        if (!first) out += ',';
        first = false;
        rewrite(out, key, scratch);
        out += ':';
        rewrite(out, member, scratch);
      }
      out += '}';
      return;
    }
    default: std::abort();
  }
}

// What simdjson makes of the same text, in the same words.
void rewrite(std::string& out, simdjson::dom::element element) {
  using Type = simdjson::dom::element_type;
  switch (element.type()) {
    case Type::NULL_VALUE: out += "null"; return;
    case Type::BOOL: out += element.get_bool().value_unsafe() ? "true" : "false"; return;
    case Type::INT64: return codec::json::append_integer(out, element.get_int64().value_unsafe());
    case Type::UINT64: return codec::json::append_integer(out, element.get_uint64().value_unsafe());
    case Type::DOUBLE: return codec::json::append_double(out, element.get_double().value_unsafe());
    case Type::STRING: return codec::json::append_string(out, element.get_string().value_unsafe());
    case Type::ARRAY: {
      out += '[';
      bool first = true;
      for (auto child : element.get_array().value_unsafe()) {
        if (!first) out += ',';
        first = false;
        rewrite(out, child);
      }
      out += ']';
      return;
    }
    case Type::OBJECT: {
      out += '{';
      bool first = true;
      for (auto member : element.get_object().value_unsafe()) {
        if (!first) out += ',';
        first = false;
        codec::json::append_string(out, member.key);
        out += ':';
        rewrite(out, member.value);
      }
      out += '}';
      return;
    }
  }
}

bool refused_surrogate(base::Error const& error) {
  return error.context.find("surrogate") != std::string::npos;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  std::string_view const text(reinterpret_cast<char const*>(data), size);
  thread_local codec::json::Parser parser({.nesting_max = 64});
  thread_local simdjson::dom::parser other;
  if (other.max_depth() != 65) require(other.allocate(1 << 20, 65) == simdjson::SUCCESS);

  auto const root = parser.parse(text);
  codec::tape::Tape slow{{}, base::as_bytes(text)};
  require(codec::json::impl::Scanner(slow, parser.options()).run() == root.has_value());
  auto const theirs = other.parse(data, size);
  if (!root) {
    require(!root.error().context.empty());
    bool const byte_order_mark = text.substr(0, 3) == "\xEF\xBB\xBF";  // simdjson may skip it
    require(theirs.error() != simdjson::SUCCESS || refused_surrogate(root.error()) ||
            byte_order_mark);
    return 0;
  }
  require(theirs.error() == simdjson::SUCCESS);
  std::string ours_again, theirs_again, scratch;
  rewrite(ours_again, *root, scratch);
  rewrite(theirs_again, theirs.value_unsafe());
  require(ours_again == theirs_again);
  (void)codec::tape::find_duplicate_key(*root);

  codec::json::Parser shallow({.nesting_max = 64, .recorded_depth = 1});
  auto const again = shallow.parse(text);
  require(again.has_value() && again->nesting() == root->nesting() &&
          again->raw().size() == root->raw().size());
  for (auto const [key, value] : again->members())
    require(codec::json::validate(value.raw(), 64).has_value());
  return 0;
}
