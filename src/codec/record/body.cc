// SPDX-License-Identifier: Apache-2.0
#include "codec/record/body.h"

#include <algorithm>
#include <charconv>

#include "codec/json/json.h"
#include "codec/msgpack/msgpack.h"
#include "codec/record/impl/render.h"
#include "codec/record/points.h"

namespace headrace::codec::record {
namespace {

using tape::Kind;
using tape::Value;

tape::ParseOptions options(std::size_t recorded_depth) {
  return {
      .nesting_max = tape::kNestingCap, .recorded_depth = recorded_depth, .values_max = SIZE_MAX};
}

// A thread's own parsers: their storage is used again for each body.
base::Result<Value> parse(model::BodyEncoding encoding, base::Bytes bytes,
                          std::size_t recorded_depth) {
  thread_local json::Parser of_json;
  thread_local msgpack::Parser of_msgpack;
  if (encoding == model::BodyEncoding::kMsgpack) {
    of_msgpack.set_options(options(recorded_depth));
    return of_msgpack.parse(bytes);
  }
  of_json.set_options(options(recorded_depth));
  return of_json.parse(bytes);
}

std::optional<Value> element(Value array, std::string_view index_text) {
  std::size_t index = 0;
  auto const [end, failed] =
      std::from_chars(index_text.data(), index_text.data() + index_text.size(), index);
  if (failed != std::errc() || end != index_text.data() + index_text.size()) return std::nullopt;
  for (Value const value : array.elements())
    if (index-- == 0) return value;
  return std::nullopt;
}

std::optional<Value> walk(Value value, std::string_view path) {
  for (bool more = !path.empty(); more;) {
    std::size_t const dot = path.find('.');
    more = dot != std::string_view::npos;
    std::string_view const segment = path.substr(0, dot);
    auto const next = value.is_array() ? element(value, segment) : value.find(segment);
    if (!next) return std::nullopt;
    value = *next;
    if (more) path.remove_prefix(dot + 1);
  }
  return value;
}

std::optional<Scalar> scalar(Value value) {
  std::string scratch;
  switch (value.kind()) {
    case Kind::kNull: return Scalar(nullptr);
    case Kind::kFalse: return Scalar(false);
    case Kind::kTrue: return Scalar(true);
    case Kind::kInt64: return Scalar(*value.as_int64());
    case Kind::kUint64: return Scalar(*value.as_uint64());
    case Kind::kDouble: return Scalar(*value.as_double());
    case Kind::kString: return Scalar(std::string(value.text(scratch)));
    case Kind::kExtension:
      if (auto const time = value.as_timestamp()) return Scalar(base::to_rfc3339(*time));
      return std::nullopt;
    case Kind::kArray:
    case Kind::kObject:
    case Kind::kBinary: return std::nullopt;
  }
  return std::nullopt;
}

}  // namespace

void Body::append_json(std::string& out) const {
  std::size_t const begin = out.size();
  switch (encoding_) {
    case model::BodyEncoding::kJson: out += base::as_text(bytes_); break;
    case model::BodyEncoding::kMsgpack:
      if (auto const value = parse(encoding_, bytes_, SIZE_MAX)) impl::render_msgpack(out, *value);
      break;
    case model::BodyEncoding::kPoints:
      if (auto const points = decode_points(bytes_)) impl::render_points(out, *points);
      break;
    case model::BodyEncoding::kNone: break;
  }
  if (out.size() == begin) out += "null";  // no body, or bytes that no writer of ours has made
}

std::optional<Scalar> Body::find(std::string_view path) const {
  if (encoding_ == model::BodyEncoding::kNone) return std::nullopt;
  if (encoding_ == model::BodyEncoding::kPoints) {
    std::string rendered;
    append_json(rendered);
    return Body(model::BodyEncoding::kJson, base::as_bytes(rendered)).find(path);
  }
  auto const segments = static_cast<std::size_t>(std::count(path.begin(), path.end(), '.')) + 1;
  auto const root = parse(encoding_, bytes_, segments);
  if (!root) return std::nullopt;
  auto const found = walk(*root, path);
  return found ? scalar(*found) : std::nullopt;
}

}  // namespace headrace::codec::record
