// SPDX-License-Identifier: Apache-2.0
#include "ingest/position_token.h"

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  std::string_view const text(reinterpret_cast<char const*>(data), size);
  auto const token = headrace::ingest::PositionToken::decode(text);
  if (token && token->encode() != text) __builtin_trap();  // only what encode() writes is taken
  return 0;
}
