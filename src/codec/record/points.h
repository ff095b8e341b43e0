// SPDX-License-Identifier: Apache-2.0
// The body of points: columns, grouped by stream. Format (docs/formats/record.md), little-endian:
//   streams:u32 points:u32
//   then per stream: uuid:16 bytes  count:u32  key_bytes:u16  value_type:u8  zero:u8
//   then all keys one after the other, zero bytes up to a multiple of 8
//   then times:i64[points] in the order of the streams, then values:u64[points] (bits, exact)
//   Threads: pure.
#pragma once

#include <string>

#include "base/bytes.h"
#include "base/error.h"
#include "model/message.h"

namespace headrace::codec::record {

void encode_points(std::string& out, model::Points const& points);
// corrupt: with the byte offset. Every length is checked before it is used.
base::Result<model::Points> decode_points(base::Bytes bytes);

}  // namespace headrace::codec::record
