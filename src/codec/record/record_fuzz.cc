// SPDX-License-Identifier: Apache-2.0
// Any bytes, with the checksum made good: what open() accepts can be walked, rendered and written
// again, byte for byte.
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "base/crc32c.h"
#include "codec/record/body.h"
#include "codec/record/record_writer.h"

namespace {

using namespace headrace;
using namespace headrace::codec::record;

void require(bool good) {
  if (!good) std::abort();
}

void walk(RecordView record) {
  RecordWriter writer;
  writer.begin({.kind = record.kind(),
                .flags = record.flags(),
                .principal = record.principal(),
                .source = record.source(),
                .producer = record.producer(),
                .epoch = record.epoch(),
                .received = record.received()});
  std::string id, json;
  MessageView message = record.first();
  for (std::uint32_t i = 0; i < record.count(); ++i, message = message.next()) {
    append_message_id(id, record, message);
    Body(message).append_json(json);
    (void)Body(message).find("a.0.b");
    writer.add({.sequence = record.first_sequence() + message.sequence_delta(),
                .time = message.time(),
                .id_kind = message.id_kind(),
                .id = message.id_bytes(),
                .encoding = message.encoding(),
                .body = message.body()});
  }
  auto const again = RecordView::open(writer.finish());
  require(again.has_value() && again->count() == record.count() &&
          again->bytes().size() == record.bytes().size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  std::vector<std::byte> bytes(size);
  if (size > 0) std::memcpy(bytes.data(), data, size);
  if (auto const as_is = RecordView::open(bytes)) walk(*as_is);
  (void)RecordView::length_at(bytes);
  if (size < 8) return 0;
  base::store(bytes.data() + 4, static_cast<std::uint32_t>(size));
  base::store(bytes.data(), base::crc32c(base::Bytes(bytes).subspan(4)));
  if (auto const sealed = RecordView::open(bytes)) walk(*sealed);
  return 0;
}
