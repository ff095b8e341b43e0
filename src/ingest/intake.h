// SPDX-License-Identifier: Apache-2.0
// Intake: from a parsed document to records: what all handlers of JSON and MessagePack do with each
// message of one read or request. Holds the parsers, the envelope decoder and what was looked up
// for the message before. One per io thread and handler.
//   Use:     begin() per read or request; parse(); per message decode() or decode_outer(), then
//            resolve().
//   Threads: the gate's.
#pragma once

#include <memory>
#include <string_view>

#include "codec/json/json.h"
#include "codec/msgpack/msgpack.h"
#include "identity/identity.h"
#include "ingest/envelope.h"
#include "ingest/gate.h"

namespace headrace::ingest {

// What a message does not say itself.
struct Defaults {
  TypeEntry const* type = nullptr;
  std::string_view source;
  std::optional<base::Timestamp> time;
};

struct Resolved {
  TypeEntry const* type = nullptr;
  SourcePtr const* source = nullptr;  // until the next resolve()
  base::Timestamp time;
};

class Intake {
 public:
  Intake(Gate& gate, TypeTable const& types, model::Limits const& limits)
      : gate_(gate), limits_(limits), decoder_(types, limits) {}

  void begin(identity::PrincipalPtr principal, base::Timestamp received);
  // `depth`: at which depth of arrays and objects bodies begin; what is inside them is checked and
  // not recorded.
  base::Result<codec::tape::Value> parse(codec::tape::Encoding encoding, base::Bytes bytes,
                                         std::size_t depth);
  EnvelopeDecoder& decoder() { return decoder_; }
  base::Timestamp received() const { return received_; }

  // Type, source and body of a decoded message, defaults applied, the source claimed. False:
  // decoder().error().
  bool resolve(Envelope const& envelope, Defaults const& defaults, Place place, Resolved& out);

 private:
  bool resolve_source(std::string_view source, Place place);

  Gate& gate_;
  model::Limits const& limits_;
  codec::json::Parser json_;
  codec::msgpack::Parser msgpack_;
  EnvelopeDecoder decoder_;
  identity::PrincipalPtr principal_;
  base::Timestamp received_;
  SourcePtr last_source_;
};

}  // namespace headrace::ingest
