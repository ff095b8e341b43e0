// SPDX-License-Identifier: Apache-2.0
#include "ingest/intake.h"

namespace headrace::ingest {

void Intake::begin(identity::PrincipalPtr principal, base::Timestamp received) {
  principal_ = std::move(principal);
  received_ = received;
  last_source_.reset();  // rights may have changed since the last read
}

base::Result<codec::tape::Value> Intake::parse(codec::tape::Encoding encoding, base::Bytes bytes,
                                               std::size_t depth) {
  // A body that is a little too deep is refused as a message, with its path; only what is deeper
  // ends the whole document.
  codec::tape::ParseOptions const options{.nesting_max = limits_.nesting_max + depth + 2,
                                          .recorded_depth = depth,
                                          .values_max = limits_.batch_messages_max * 16 + 1024};
  if (encoding == codec::tape::Encoding::kJson) {
    json_.set_options(options);
    return json_.parse(bytes);
  }
  msgpack_.set_options(options);
  return msgpack_.parse(bytes);
}

bool Intake::resolve(Envelope const& envelope, Defaults const& defaults, Place place,
                     Resolved& out) {
  out.type = envelope.type ? envelope.type : defaults.type;
  if (!out.type) return decoder_.refuse_missing(place, Field::kType);
  if (!envelope.has(Field::kBody)) return decoder_.refuse_missing(place, Field::kBody);
  if (out.type->type.body == model::BodyKind::kPoints)
    return decoder_.refuse(
        place, "body", base::ErrorCode::kInvalidArgument,
        fmt::format("data type '{}' takes points; this protocol carries documents",
                    out.type->type.name.text()));
  auto const source = envelope.source.empty() ? defaults.source : envelope.source;
  if (source.empty()) return decoder_.refuse_missing(place, Field::kSource);
  if ((!last_source_ || last_source_->id() != source) && !resolve_source(source, place))
    return false;
  out.source = &last_source_;
  out.time = envelope.has(Field::kTime) ? envelope.time : defaults.time.value_or(received_);
  return true;
}

bool Intake::resolve_source(std::string_view source, Place place) {
  auto resolved = gate_.resolve(principal_, source);
  if (!resolved)
    return decoder_.refuse(place, "source", resolved.error().code, resolved.error().context);
  last_source_ = std::move(*resolved);
  return true;
}

}  // namespace headrace::ingest
