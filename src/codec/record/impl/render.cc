// SPDX-License-Identifier: Apache-2.0
#include "codec/record/impl/render.h"

#include <bit>

#include "base/base64.h"
#include "codec/json/json_write.h"

namespace headrace::codec::record::impl {
namespace {

using tape::Kind;
using tape::Value;

void render_base64(std::string& out, base::Bytes bytes) {
  out += '"';
  base::append_base64(out, bytes);
  out += '"';
}

void render_extension(std::string& out, Value value) {
  if (auto const time = value.as_timestamp()) {
    out += '"';
    base::append_rfc3339(out, *time);
    out += '"';
    return;
  }
  out += "{\"$ext\":[";
  json::append_integer(out, std::int64_t{value.extension_type().value_or(0)});
  out += ',';
  render_base64(out, value.as_binary().value_or(base::Bytes{}));
  out += "]}";
}

void render_key(std::string& out, Value key) {
  std::string text;
  if (key.is_string()) return json::append_string(out, key.text(text));
  render_msgpack(text, key);
  if (text.front() == '"')
    out += text;  // a timestamp, NaN: a string already
  else
    json::append_string(out, text);
}

void render_array(std::string& out, Value array) {
  char separator = '[';
  for (Value const element : array.elements()) {
    out += separator;
    render_msgpack(out, element);
    separator = ',';
  }
  if (separator == '[') out += '[';
  out += ']';
}

void render_map(std::string& out, Value map) {
  char separator = '{';
  for (auto const [key, value] : map.members()) {
    out += separator;
    render_key(out, key);
    out += ':';
    render_msgpack(out, value);
    separator = ',';
  }
  if (separator == '{') out += '{';
  out += '}';
}

void render_stream(json::JsonWriter& writer, model::StreamPoints const& stream) {
  writer.begin_object().member("stream", base::to_string(stream.stream));
  if (!stream.key.empty()) writer.member("key", stream.key);
  writer.key("times").begin_array();
  for (std::int64_t const ns : stream.times_ns) writer.value(base::Timestamp{ns});
  writer.end_array().key("values").begin_array();
  for (std::uint64_t const bits : stream.value_bits) {
    if (stream.value_type == model::ValueType::kInt64)
      writer.value(static_cast<std::int64_t>(bits));
    else
      writer.value(std::bit_cast<double>(bits));
  }
  writer.end_array().end_object();
}

}  // namespace

// Recursion is bounded: the parser that made the tape bounds the levels.
void render_msgpack(std::string& out, Value value) {
  std::string scratch;
  switch (value.kind()) {
    case Kind::kNull: out += "null"; return;
    case Kind::kFalse: out += "false"; return;
    case Kind::kTrue: out += "true"; return;
    case Kind::kInt64: json::append_integer(out, *value.as_int64()); return;
    case Kind::kUint64: json::append_integer(out, *value.as_uint64()); return;
    case Kind::kDouble: json::append_double(out, *value.as_double()); return;
    case Kind::kString: json::append_string(out, value.text(scratch)); return;
    case Kind::kArray: render_array(out, value); return;
    case Kind::kObject: render_map(out, value); return;
    case Kind::kBinary:
      out += "{\"$binary\":";
      render_base64(out, *value.as_binary());
      out += '}';
      return;
    case Kind::kExtension: render_extension(out, value); return;
  }
}

void render_points(std::string& out, model::Points const& points) {
  json::JsonWriter writer(out);
  writer.begin_object().key("points").begin_array();
  for (auto const& stream : points) render_stream(writer, stream);
  writer.end_array().end_object();
}

}  // namespace headrace::codec::record::impl
