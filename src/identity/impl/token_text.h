// SPDX-License-Identifier: Apache-2.0
// Tokens as text, and their keyed hash. Threads: pure, but for files.
#pragma once

#include <array>
#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"

namespace headrace::identity {

using TokenKey = std::array<std::byte, 32>;
using TokenHash = std::array<std::byte, 32>;

struct TokenHashHasher {
  std::size_t operator()(TokenHash const& hash) const noexcept;
};

struct TokenText {
  std::string id;    // 8 characters
  std::string text;  // "hr_<id>_<32 characters>"
};
TokenText generate_token();
// The id inside a text of the right shape; the text need not be a token of ours.
std::optional<std::string_view> token_id(std::string_view text);
TokenHash hash_token(TokenKey const& key, std::string_view text);

// Reads the key, or makes it with mode 0600. corrupt: it has another length.
base::Result<TokenKey> load_or_make_key(std::filesystem::path const& path);
// Replaces the file by `text`, mode 0600.
base::Result<void> write_secret_file(std::filesystem::path const& path, std::string_view text);

}  // namespace headrace::identity
