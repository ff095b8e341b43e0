// SPDX-License-Identifier: Apache-2.0
#include "ingest/envelope.h"

#include "model/names.h"

namespace headrace::ingest {

using base::ErrorCode;
using codec::tape::Kind;
using codec::tape::Value;

namespace {

constexpr std::array<std::string_view, kFieldCount> kNames{"id",   "type", "source",  "time",
                                                           "body", "seq",  "messages"};

std::string path_of(Place place, std::string_view field) {
  if (place.root == Place::Root::kDocument) return std::string(field);
  auto const dot = field.empty() ? "" : ".";
  return fmt::format("{}[{}]{}{}", place.root == Place::Root::kMessages ? "messages" : "",
                     place.index, dot, field);
}

}  // namespace

std::string_view name(Field field) { return kNames[static_cast<std::size_t>(field)]; }

bool EnvelopeDecoder::refuse(Place place, std::string_view field, ErrorCode code,
                             std::string_view why) {
  error_.code = code;
  auto const path = path_of(place, field);
  error_.context = path.empty() ? std::string(why) : fmt::format("{}: {}", path, why);
  return false;
}

bool EnvelopeDecoder::wrong(Field field, Value value, Place place, ErrorCode code,
                            std::string_view why) {
  return refuse(place, name(field), code, fmt::format("{} (byte {})", why, value.offset()));
}

bool EnvelopeDecoder::wrong_kind(Field field, Value value, Place place, std::string_view expected) {
  return wrong(field, value, place, ErrorCode::kInvalidArgument,
               fmt::format("expected {}, found {}", expected, codec::tape::name(value.kind())));
}

std::optional<Field> EnvelopeDecoder::field_of(std::string_view key) const {
  switch (key.size()) {
    case 2: return key == "id" ? std::optional(Field::kId) : std::nullopt;
    case 3: return key == "seq" ? std::optional(Field::kSeq) : std::nullopt;
    case 4:
      if (key == "body") return Field::kBody;
      if (key == "time") return Field::kTime;
      return key == "type" ? std::optional(Field::kType) : std::nullopt;
    case 6: return key == "source" ? std::optional(Field::kSource) : std::nullopt;
    case 8: return key == "messages" ? std::optional(Field::kMessages) : std::nullopt;
    default: return std::nullopt;
  }
}

bool EnvelopeDecoder::unknown_key(std::string_view key, std::size_t offset, Fields allowed,
                                  Place place) {
  std::vector<std::string_view> names;
  std::string listed;
  for (std::size_t i = 0; i < kFieldCount; ++i) {
    if (!(allowed >> i & 1)) continue;
    names.push_back(kNames[i]);
    listed += listed.empty() ? "" : ", ";
    listed += kNames[i];
  }
  auto const near = nearest(key, names);
  return refuse(place, "", ErrorCode::kInvalidArgument,
                fmt::format("unknown key '{}' (byte {}); {}", key.substr(0, 64), offset,
                            near.empty() ? fmt::format("known are {}", listed)
                                         : fmt::format("did you mean '{}'?", near)));
}

bool EnvelopeDecoder::decode(Value object, Fields allowed, Place place, base::Timestamp now,
                             Envelope& out) {
  out.present = 0;
  out.id = out.source = {};
  out.type = nullptr;
  out.messages.reset();
  if (!object.is_object())
    return refuse(place, "", ErrorCode::kInvalidArgument,
                  fmt::format("expected an object, found {} (byte {})",
                              codec::tape::name(object.kind()), object.offset()));
  for (auto const [key, value] : object.members()) {
    auto const text = key.text(key_scratch_);
    auto const field = field_of(text);
    if (!field || !(allowed >> static_cast<unsigned>(*field) & 1))
      return unknown_key(text, key.offset(), allowed, place);
    if (out.has(*field))
      return refuse(place, text, ErrorCode::kInvalidArgument,
                    fmt::format("is there twice (byte {})", key.offset()));
    if (!read(*field, value, place, now, out)) return false;
    out.present |= 1u << static_cast<unsigned>(*field);
  }
  return true;
}

bool EnvelopeDecoder::read(Field field, Value value, Place place, base::Timestamp now,
                           Envelope& out) {
  switch (field) {
    case Field::kId: return read_name(field, value, place, out.id);
    case Field::kSource: return read_name(field, value, place, out.source);
    case Field::kType: return read_type(value, place, out);
    case Field::kTime: return read_time(value, place, now, out);
    case Field::kBody: return read_body(value, place, out);
    case Field::kSeq: {
      auto const seq = value.as_int64();
      if (!seq || *seq < 1)
        return wrong(field, value, place, ErrorCode::kInvalidArgument,
                     "expected an integer from 1 to 2^63-1");
      out.seq = static_cast<std::uint64_t>(*seq);
      return true;
    }
    case Field::kMessages:
      if (!value.is_array()) return wrong_kind(field, value, place, "an array");
      out.messages = value;
      return true;
  }
  return false;
}

bool EnvelopeDecoder::read_type(Value value, Place place, Envelope& out) {
  if (!value.is_string()) return wrong_kind(Field::kType, value, place, "a string");
  auto const text = value.text(scratch_[static_cast<std::size_t>(Field::kType)]);
  if (!last_type_ || last_type_->type.name.text() != text) {
    auto const* const found = types_.find(text);
    if (!found)
      return wrong(Field::kType, value, place, ErrorCode::kNotFound, types_.unknown(text));
    last_type_ = found;
  }
  out.type = last_type_;
  return true;
}

bool EnvelopeDecoder::read_name(Field field, Value value, Place place, std::string_view& out) {
  if (!value.is_string()) return wrong_kind(field, value, place, "a string");
  out = value.text(scratch_[static_cast<std::size_t>(field)]);
  if (field == Field::kSource && out == last_source_ && !out.empty()) return true;
  auto const checked = field == Field::kSource ? model::check_source(out, limits_)
                                               : model::check_message_id(out, limits_);
  if (!checked) {
    // The check names its field; the path has named it already.
    auto const error = checked.error();
    std::string_view why = error.context;
    if (auto const colon = why.find(": ");
        colon != why.npos && why.substr(0, colon).find(' ') == why.npos)
      why.remove_prefix(colon + 2);
    return wrong(field, value, place, error.code, why);
  }
  if (field == Field::kSource) last_source_ = out;
  return true;
}

bool EnvelopeDecoder::read_time(Value value, Place place, base::Timestamp now, Envelope& out) {
  if (value.is_string()) {
    auto const time =
        base::parse_rfc3339(value.text(scratch_[static_cast<std::size_t>(Field::kTime)]));
    if (!time)
      return wrong(Field::kTime, value, place, ErrorCode::kInvalidArgument, time.error().context);
    out.time = *time;
  } else if (auto const ns = value.as_int64()) {
    out.time = {*ns};
  } else if (auto const stamp = value.as_timestamp()) {
    out.time = *stamp;
  } else {
    return wrong_kind(Field::kTime, value, place,
                      "RFC 3339 text or integer nanoseconds since 1970 in UTC");
  }
  // Compared without overflow for times near the ends of int64.
  if (out.time > now &&
      static_cast<std::uint64_t>(out.time.ns) - static_cast<std::uint64_t>(now.ns) >
          static_cast<std::uint64_t>(limits_.future_max.count()))
    return wrong(Field::kTime, value, place, ErrorCode::kInvalidArgument,
                 fmt::format("{} is more than {} in the future", base::to_rfc3339(out.time),
                             base::to_string(limits_.future_max)));
  return true;
}

bool EnvelopeDecoder::read_body(Value value, Place place, Envelope& out) {
  out.body = value.raw();
  out.encoding = value.encoding() == codec::tape::Encoding::kJson ? model::BodyEncoding::kJson
                                                                  : model::BodyEncoding::kMsgpack;
  if (out.body.size() > limits_.body_bytes_max)
    return wrong(
        Field::kBody, value, place, ErrorCode::kTooLarge,
        fmt::format("{} bytes, at most {} are taken", out.body.size(), limits_.body_bytes_max));
  if (value.nesting() > limits_.nesting_max)
    return wrong(
        Field::kBody, value, place, ErrorCode::kTooLarge,
        fmt::format("nested {} deep, at most {} are taken", value.nesting(), limits_.nesting_max));
  return true;
}

}  // namespace headrace::ingest
