// SPDX-License-Identifier: Apache-2.0
// Base64 (RFC 4648, section 4: '+', '/', padded).   Threads: pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"

namespace headrace::base {

void append_base64(std::string& out, Bytes bytes);
// nullopt: a character that does not belong, wrong length or padding, or unused bits that are not
// 0.
std::optional<std::string> decode_base64(std::string_view text);

}  // namespace headrace::base
