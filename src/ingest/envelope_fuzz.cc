// SPDX-License-Identifier: Apache-2.0
// The first byte chooses the encoding and the depth; the rest is a document of messages.
#include "broker/memory/memory_broker.h"
#include "codec/json/json.h"
#include "codec/msgpack/msgpack.h"
#include "ingest/envelope.h"

namespace {
using namespace headrace;

ingest::TypeTable& types() {
  static auto* const broker =
      broker::memory::make_memory_broker({}, base::system_clock()).release();
  static auto* const table = [] {
    std::vector<model::DataType> list(1);
    list[0].name = model::DataTypeName::trusted("system_metrics");
    return new ingest::TypeTable(*ingest::TypeTable::make(*broker, list));
  }();
  return *table;
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  if (size == 0) return 0;
  static model::Limits const limits;
  static ingest::EnvelopeDecoder decoder(types(), limits);
  codec::tape::ParseOptions const options{
      .nesting_max = 38, .recorded_depth = data[0] / 2u % 4, .values_max = 10'000};
  base::Bytes const bytes{reinterpret_cast<std::byte const*>(data + 1), size - 1};
  codec::json::Parser json(options);
  codec::msgpack::Parser msgpack(options);
  auto const root = data[0] % 2 ? msgpack.parse(bytes) : json.parse(bytes);
  if (!root) return 0;
  ingest::Envelope out;
  constexpr auto kAll =
      ingest::kMessageFields | ingest::fields({ingest::Field::kSeq, ingest::Field::kMessages});
  auto const check = [&](codec::tape::Value value, ingest::Place place) {
    if (!decoder.decode(value, kAll, place, {1'700'000'000'000'000'000}, out)) {
      if (decoder.error().context.empty()) __builtin_trap();
      return;
    }
    if (out.id.size() > limits.id_bytes_max || out.source.size() > limits.source_bytes_max)
      __builtin_trap();
    if (out.has(ingest::Field::kBody) && out.body.empty()) __builtin_trap();
  };
  check(*root, {});
  std::size_t index = 0;
  for (auto const element : root->elements())
    check(element, {ingest::Place::Root::kElement, index++});
  return 0;
}
