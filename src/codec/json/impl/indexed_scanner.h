// SPDX-License-Identifier: Apache-2.0
// The quick pass: checks a JSON document from token to token of its structural index and fills a
// tape. It accepts what Scanner accepts, in about half the time, and only says that it refuses,
// never why.
//   Threads: one.
#pragma once

#include <cstdint>
#include <span>

#include "codec/tape/tape.h"

namespace headrace::codec::json::impl {

// `index`: what StructuralIndex found in tape.bytes; not empty. False: refused, or tape.nodes,
// which it does not grow, are too few. What it wrote to the tape then means nothing.
bool scan_indexed(tape::Tape& tape, tape::ParseOptions const& options,
                  std::span<std::uint32_t const> index);

}  // namespace headrace::codec::json::impl
