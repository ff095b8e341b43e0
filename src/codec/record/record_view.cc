// SPDX-License-Identifier: Apache-2.0
#include "codec/record/record_view.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "base/crc32c.h"

namespace headrace::codec::record {
namespace {

constexpr std::size_t padded(std::size_t bytes) { return (bytes + 7) & ~std::size_t{7}; }

template <class... Args>
base::Error corrupt(std::size_t at, fmt::format_string<Args...> what, Args&&... args) {
  return {base::ErrorCode::kCorrupt,
          fmt::format("record, byte {}: {}", at, fmt::format(what, std::forward<Args>(args)...))};
}

bool possible_length(std::uint32_t length) {
  return length >= kRecordHeaderBytes && length <= kRecordBytesMax && length % 8 == 0;
}

base::Result<void> check_header(base::Bytes bytes) {
  if (bytes.size() < kRecordHeaderBytes)
    return corrupt(0, "{} bytes, expected at least {}", bytes.size(), kRecordHeaderBytes);
  std::byte const* const at = bytes.data();
  auto const length = base::load<std::uint32_t>(at + 4);
  if (!possible_length(length) || length != bytes.size())
    return corrupt(4, "length {}, expected {}, a multiple of 8", length, bytes.size());
  std::uint32_t const stored = base::load<std::uint32_t>(at),
                      computed = base::crc32c(bytes.subspan(4));
  if (stored != computed) return corrupt(0, "checksum {:08x}, expected {:08x}", stored, computed);
  auto const version = base::load<std::uint8_t>(at + 8), kind = base::load<std::uint8_t>(at + 9);
  if (version != kVersion) return corrupt(8, "version {}, expected {}", version, kVersion);
  if (kind > static_cast<std::uint8_t>(Kind::kSetTags))
    return corrupt(9, "kind {}, expected 0 to 4", kind);
  std::size_t const names =
      std::size_t{base::load<std::uint16_t>(at + 80)} + base::load<std::uint16_t>(at + 82);
  auto const messages_at = base::load<std::uint32_t>(at + 84);
  if (messages_at != padded(kRecordHeaderBytes + names) || messages_at > length)
    return corrupt(84, "messages at {}, expected {} within {} bytes", messages_at,
                   padded(kRecordHeaderBytes + names), length);
  return {};
}

// What the messages say together; the header must say the same.
struct Sums {
  std::uint32_t last_delta = 0;
  std::int64_t time_min = 0, time_max = 0;
};

base::Result<std::uint32_t> check_message(base::Bytes bytes, std::size_t at) {
  if (bytes.size() - at < kMessageHeaderBytes)
    return corrupt(at, "{} bytes left, expected a message header of {}", bytes.size() - at,
                   kMessageHeaderBytes);
  std::byte const* const m = bytes.data() + at;
  auto const length = base::load<std::uint32_t>(m);
  std::size_t const id_bytes = base::load<std::uint16_t>(m + 20),
                    body_bytes = base::load<std::uint32_t>(m + 16);
  if (length != padded(kMessageHeaderBytes + id_bytes + body_bytes) || length > bytes.size() - at)
    return corrupt(at, "message length {}, expected {} within the {} bytes left", length,
                   padded(kMessageHeaderBytes + id_bytes + body_bytes), bytes.size() - at);
  auto const id_kind = base::load<std::uint8_t>(m + 22),
             encoding = base::load<std::uint8_t>(m + 23);
  bool const id_good = id_kind == 0   ? id_bytes == 0
                       : id_kind == 1 ? id_bytes == 16
                                      : id_kind == 2 && id_bytes > 0;
  if (!id_good) return corrupt(at + 20, "an id of kind {} with {} bytes", id_kind, id_bytes);
  if (encoding > static_cast<std::uint8_t>(model::BodyEncoding::kNone))
    return corrupt(at + 23, "body encoding {}, expected 0 to 3", encoding);
  if (encoding == static_cast<std::uint8_t>(model::BodyEncoding::kNone) && body_bytes != 0)
    return corrupt(at + 16, "{} bytes of a body that is none", body_bytes);
  return length;
}

base::Result<Sums> check_messages(base::Bytes bytes, RecordView record, std::size_t messages_at) {
  Sums sums{0, record.received().ns, record.received().ns};
  std::size_t at = messages_at;
  for (std::uint32_t i = 0; i < record.count(); ++i) {
    HEADRACE_TRY(std::uint32_t const length, check_message(bytes, at));
    MessageView const message(bytes.data() + at);
    if (i == 0) {
      if (message.sequence_delta() != 0)
        return corrupt(at + 4, "first sequence delta {}, expected 0", message.sequence_delta());
      sums.time_min = sums.time_max = message.time().ns;
    } else if (message.sequence_delta() <= sums.last_delta) {
      return corrupt(at + 4, "sequence delta {}, expected more than {}", message.sequence_delta(),
                     sums.last_delta);
    }
    sums.last_delta = message.sequence_delta();
    sums.time_min = std::min(sums.time_min, message.time().ns);
    sums.time_max = std::max(sums.time_max, message.time().ns);
    at += length;
  }
  if (at != bytes.size())
    return corrupt(at, "{} bytes after message {}, expected none", bytes.size() - at,
                   record.count());
  return sums;
}

}  // namespace

base::Result<RecordView> RecordView::open(base::Bytes bytes) {
  HEADRACE_TRY_VOID(check_header(bytes));
  RecordView const record(bytes.data());
  HEADRACE_TRY(Sums const sums,
               check_messages(bytes, record, base::load<std::uint32_t>(bytes.data() + 84)));
  if (record.last_sequence() != record.first_sequence() + sums.last_delta ||
      record.last_sequence() < record.first_sequence())
    return corrupt(56, "last sequence {}, expected {} and {}", record.last_sequence(),
                   record.first_sequence(), sums.last_delta);
  if (record.count() == 0 && record.first_sequence() != 0)
    return corrupt(48, "first sequence {} of no messages, expected 0", record.first_sequence());
  if (record.time_min().ns != sums.time_min)
    return corrupt(64, "earliest time {}, expected {}", record.time_min().ns, sums.time_min);
  if (record.time_max().ns != sums.time_max)
    return corrupt(72, "latest time {}, expected {}", record.time_max().ns, sums.time_max);
  return record;
}

std::optional<std::uint32_t> RecordView::length_at(base::Bytes bytes) {
  if (bytes.size() < 8) return std::nullopt;
  auto const length = base::load<std::uint32_t>(bytes.data() + 4);
  if (!possible_length(length)) return std::nullopt;
  return length;
}

base::Uuid RecordView::producer() const {
  base::Uuid uuid;
  std::memcpy(uuid.bytes.data(), at_ + 32, 16);
  return uuid;
}

void append_message_id(std::string& out, RecordView record, MessageView message) {
  switch (message.id_kind()) {
    case IdKind::kText: out += base::as_text(message.id_bytes()); return;
    case IdKind::kUuid: {
      base::Uuid uuid;
      std::memcpy(uuid.bytes.data(), message.id_bytes().data(), 16);
      out += base::to_string(uuid);
      return;
    }
    case IdKind::kSequence: break;
  }
  fmt::format_to(std::back_inserter(out), "{}.{}.{}", base::to_string(record.producer()),
                 record.epoch(), record.first_sequence() + message.sequence_delta());
}

std::string message_id(RecordView record, MessageView message) {
  std::string id;
  append_message_id(id, record, message);
  return id;
}

}  // namespace headrace::codec::record
