// SPDX-License-Identifier: Apache-2.0
// Unpacks gzip and zstd with a bound on the output.   Threads: pure.
//   Errors: too_large (the output would pass the bound), invalid_argument (broken, cut short, or
//           bytes behind the end).
#pragma once

#include <string_view>

#include "base/error.h"
#include "net/impl/padded_buffer.h"

namespace headrace::net {

enum class Packing : unsigned char { kGzip, kZstd };

base::Result<PaddedBuffer> unpack(Packing packing, std::string_view packed, std::size_t bytes_max);

}  // namespace headrace::net
