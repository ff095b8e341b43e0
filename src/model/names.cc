// SPDX-License-Identifier: Apache-2.0
#include "model/names.h"

#include <fmt/format.h>

#include "base/utf8.h"

namespace headrace::model {
namespace {

bool lower(char c) { return c >= 'a' && c <= 'z'; }
bool digit(char c) { return c >= '0' && c <= '9'; }
bool alphanumeric(char c) { return lower(c) || digit(c) || (c >= 'A' && c <= 'Z'); }

base::Error wrong(std::string_view field, std::string_view what, std::string_view expected) {
  return {base::ErrorCode::kInvalidArgument,
          fmt::format("{}: {}, expected {}", field, what, expected)};
}

base::Error wrong_byte(std::string_view field, std::string_view text, std::size_t at,
                       std::string_view expected) {
  auto const byte = static_cast<unsigned char>(text[at]);
  bool const printable = byte > 0x20 && byte < 0x7F;
  return wrong(field,
               printable ? fmt::format("'{}' at byte {}", text[at], at)
                         : fmt::format("byte 0x{:02x} at byte {}", byte, at),
               expected);
}

base::Result<void> check_size(std::string_view field, std::string_view text,
                              std::size_t bytes_max) {
  if (text.empty()) return wrong(field, "empty", fmt::format("1 to {} bytes", bytes_max));
  if (text.size() > bytes_max)
    return base::Error{base::ErrorCode::kTooLarge, fmt::format("{}: {} bytes, expected at most {}",
                                                               field, text.size(), bytes_max)};
  return {};
}

// First and later characters by predicate.
template <class First, class Rest>
base::Result<void> check_characters(std::string_view field, std::string_view text, First first,
                                    Rest rest, std::string_view rule) {
  if (!first(text[0])) return wrong_byte(field, text, 0, rule);
  for (std::size_t i = 1; i < text.size(); ++i)
    if (!rest(text[i])) return wrong_byte(field, text, i, rule);
  return {};
}

// UTF-8 without the control characters: C0, DEL and C1 (U+0080 to U+009F).
base::Result<void> check_text(std::string_view field, std::string_view text,
                              std::size_t bytes_max) {
  HEADRACE_TRY_VOID(check_size(field, text, bytes_max));
  constexpr std::string_view kRule = "UTF-8 without control characters";
  bool high = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    auto const byte = static_cast<unsigned char>(text[i]);
    if (byte < 0x20 || byte == 0x7F) return wrong_byte(field, text, i, kRule);
    high |= byte >= 0x80;
  }
  if (!high) return {};
  if (!base::valid_utf8(text))
    return wrong_byte(field, text, base::find_invalid_utf8(text).value_or(0), kRule);
  for (std::size_t i = 0; i + 1 < text.size(); ++i)
    if (text[i] == '\xC2' && static_cast<unsigned char>(text[i + 1]) < 0xA0)
      return wrong_byte(field, text, i + 1, kRule);
  return {};
}

}  // namespace

base::Result<void> check_data_type(std::string_view text, Limits const& limits) {
  HEADRACE_TRY_VOID(check_size("data type", text, limits.data_type_bytes_max));
  return check_characters(
      "data type", text, lower, [](char c) { return lower(c) || digit(c) || c == '_'; },
      "a lower-case letter, then lower-case letters, digits and '_'");
}

base::Result<void> check_source(std::string_view text, Limits const& limits) {
  return check_text("source", text, limits.source_bytes_max);
}

base::Result<void> check_message_id(std::string_view text, Limits const& limits) {
  return check_text("id", text, limits.id_bytes_max);
}

base::Result<void> check_principal(std::string_view text, Limits const& limits) {
  HEADRACE_TRY_VOID(check_size("principal", text, limits.principal_bytes_max));
  return check_characters(
      "principal", text, alphanumeric,
      [](char c) { return alphanumeric(c) || c == '.' || c == '_' || c == '@' || c == '-'; },
      "a letter or digit, then letters, digits, '.', '_', '@' and '-'");
}

}  // namespace headrace::model
