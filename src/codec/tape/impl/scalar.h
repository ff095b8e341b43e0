// SPDX-License-Identifier: Apache-2.0
// Reading one scalar out of bytes that a parser has accepted.   Threads: pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/clock.h"

namespace headrace::codec::tape::impl {

// `raw` with its quotes.
void unescape_json(std::string& out, std::string_view raw);
std::int64_t json_int64(std::string_view raw);
std::uint64_t json_uint64(std::string_view raw);
double json_double(std::string_view raw);

// `raw` with its format byte. The integers are returned as 64 bits: two's complement when the
// format is signed.
std::uint64_t msgpack_integer(base::Bytes raw);
double msgpack_double(base::Bytes raw);
base::Bytes msgpack_payload(
    base::Bytes raw);  // of str, bin and ext: what follows format, length and type
std::int8_t msgpack_extension_type(base::Bytes raw);
std::optional<base::Timestamp> msgpack_timestamp(base::Bytes raw);

}  // namespace headrace::codec::tape::impl
