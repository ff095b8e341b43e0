// SPDX-License-Identifier: Apache-2.0
#include "codec/tape/tape.h"

#include <unordered_set>

#include "codec/tape/impl/scalar.h"

namespace headrace::codec::tape {

std::string_view name(Kind kind) {
  switch (kind) {
    case Kind::kNull: return "null";
    case Kind::kFalse:
    case Kind::kTrue: return "boolean";
    case Kind::kInt64:
    case Kind::kUint64: return "integer";
    case Kind::kDouble: return "number";
    case Kind::kString: return "string";
    case Kind::kArray: return "array";
    case Kind::kObject: return "object";
    case Kind::kBinary: return "binary";
    case Kind::kExtension: return "extension";
  }
  return "unknown";
}

std::optional<bool> Value::as_bool() const {
  if (kind() != Kind::kTrue && kind() != Kind::kFalse) return std::nullopt;
  return kind() == Kind::kTrue;
}

std::optional<std::int64_t> Value::as_int64() const {
  if (kind() != Kind::kInt64) return std::nullopt;
  if (encoding() == Encoding::kJson) return impl::json_int64(base::as_text(raw()));
  return static_cast<std::int64_t>(impl::msgpack_integer(raw()));
}

std::optional<std::uint64_t> Value::as_uint64() const {
  if (kind() == Kind::kUint64) {
    if (encoding() == Encoding::kJson) return impl::json_uint64(base::as_text(raw()));
    return impl::msgpack_integer(raw());
  }
  auto const value = as_int64();
  if (!value || *value < 0) return std::nullopt;
  return static_cast<std::uint64_t>(*value);
}

std::optional<double> Value::as_double() const {
  if (!is_number()) return std::nullopt;
  if (encoding() == Encoding::kJson) return impl::json_double(base::as_text(raw()));
  if (kind() == Kind::kDouble) return impl::msgpack_double(raw());
  if (kind() == Kind::kUint64) return static_cast<double>(impl::msgpack_integer(raw()));
  return static_cast<double>(static_cast<std::int64_t>(impl::msgpack_integer(raw())));
}

std::optional<std::string_view> Value::as_string(std::string& scratch) const {
  if (kind() != Kind::kString) return std::nullopt;
  if (encoding() == Encoding::kMsgpack) return base::as_text(impl::msgpack_payload(raw()));
  std::string_view const quoted = base::as_text(raw());
  if (!node().escaped) return quoted.substr(1, quoted.size() - 2);
  impl::unescape_json(scratch, quoted);
  return scratch;
}

std::optional<base::Bytes> Value::as_binary() const {
  if (kind() != Kind::kBinary && kind() != Kind::kExtension) return std::nullopt;
  return impl::msgpack_payload(raw());
}

std::optional<std::int8_t> Value::extension_type() const {
  if (kind() != Kind::kExtension) return std::nullopt;
  return impl::msgpack_extension_type(raw());
}

std::optional<base::Timestamp> Value::as_timestamp() const {
  if (extension_type() != std::int8_t{-1}) return std::nullopt;
  return impl::msgpack_timestamp(raw());
}

std::optional<Value> Value::find(std::string_view key) const {
  std::optional<Value> found;
  std::string scratch;
  for (auto const [k, value] : members())
    if (k.is_string() && k.text(scratch) == key) found = value;
  return found;
}

namespace {

constexpr std::size_t kFewKeys = 16;

// A key's text, or its bytes behind a mark that no text has (0xFF is in no UTF-8).
std::string identity(Value key) {
  std::string scratch;
  if (key.is_string()) return std::string(key.text(scratch));
  return '\xFF' + std::string(base::as_text(key.raw()));
}

bool same_key(Value a, Value b, std::string& scratch_a, std::string& scratch_b) {
  if (a.is_string() != b.is_string()) return false;
  if (!a.is_string()) return base::as_text(a.raw()) == base::as_text(b.raw());
  return a.text(scratch_a) == b.text(scratch_b);
}

std::optional<Value> find_duplicate_of_many(Members members) {
  std::unordered_set<std::string> seen;
  for (auto const [key, value] : members)
    if (!seen.insert(identity(key)).second) return key;
  return std::nullopt;
}

}  // namespace

std::optional<Value> find_duplicate_key(Value object) {
  std::string scratch_a, scratch_b;
  std::size_t count = 0;
  Members const members = object.members();
  for (auto const [key, value] : members) {
    if (++count > kFewKeys) return find_duplicate_of_many(members);
    for (auto const [earlier, earlier_value] : members) {
      if (earlier.offset() == key.offset()) break;
      if (same_key(earlier, key, scratch_a, scratch_b)) return key;
    }
  }
  return std::nullopt;
}

}  // namespace headrace::codec::tape
