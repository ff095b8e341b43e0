// SPDX-License-Identifier: Apache-2.0
#include "net/http_types.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/error_map.h"

namespace headrace::net {

namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  c = lower(c);
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// Calls `each(name, value)` for the raw parameters until it returns false.
template <class Each>
void for_each_parameter(std::string_view query, Each each) {
  while (!query.empty()) {
    auto const end = query.find('&');
    auto const part = query.substr(0, end);
    query = end == std::string_view::npos ? std::string_view() : query.substr(end + 1);
    if (part.empty()) continue;
    auto const equals = part.find('=');
    bool const bare = equals == std::string_view::npos;
    auto const value = bare ? std::string_view() : part.substr(equals + 1);
    if (!each(bare ? part : part.substr(0, equals), value)) return;
  }
}

}  // namespace

std::string_view name(Method method) {
  static constexpr std::array<std::string_view, 8> kNames = {"GET",   "HEAD",   "POST",    "PUT",
                                                             "PATCH", "DELETE", "OPTIONS", "other"};
  return kNames[static_cast<std::size_t>(method)];
}

bool equals_ignoring_case(std::string_view a, std::string_view b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(),
                                            [](char x, char y) { return lower(x) == lower(y); });
}

bool list_has_token(std::string_view list, std::string_view token) {
  while (!list.empty()) {
    auto const end = std::min(list.find(','), list.size());
    if (equals_ignoring_case(trim(list.substr(0, end)), token)) return true;
    list.remove_prefix(std::min(end + 1, list.size()));
  }
  return false;
}

std::optional<std::string> percent_decode(std::string_view text, bool plus_is_blank) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+' && plus_is_blank) {
      out += ' ';
    } else if (text[i] != '%') {
      out += text[i];
    } else {
      if (i + 2 >= text.size()) return std::nullopt;
      int const high = hex_value(text[i + 1]), low = hex_value(text[i + 2]);
      if (high < 0 || low < 0) return std::nullopt;
      out += static_cast<char>(high * 16 + low);
      i += 2;
    }
  }
  return out;
}

std::string percent_encode(std::string_view text) {
  std::string out;
  for (char const c : text) {
    bool const plain = (c >= '0' && c <= '9') || (lower(c) >= 'a' && lower(c) <= 'z') || c == '-' ||
                       c == '.' || c == '_' || c == '~';
    if (plain) {
      out += c;
    } else {
      fmt::format_to(std::back_inserter(out), "%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

std::optional<std::string_view> RequestHead::header(std::string_view wanted) const {
  for (auto const& h : headers) {
    if (equals_ignoring_case(h.name, wanted)) return h.value;
  }
  return std::nullopt;
}

std::string RequestHead::content_type() const {
  auto const value = header_or("content-type", "");
  std::string out(trim(value.substr(0, std::min(value.find(';'), value.size()))));
  std::transform(out.begin(), out.end(), out.begin(), lower);
  return out;
}

std::optional<std::string_view> RequestHead::bearer_token() const {
  auto const value = header_or("authorization", "");
  if (value.size() < 8 || !equals_ignoring_case(value.substr(0, 7), "bearer ")) return std::nullopt;
  auto const token = trim(value.substr(7));
  if (token.empty()) return std::nullopt;
  return token;
}

std::optional<std::string> RequestHead::parameter(std::string_view wanted) const {
  std::optional<std::string> found;
  for_each_parameter(query, [&](std::string_view raw_name, std::string_view raw_value) {
    if (percent_decode(raw_name, true) != wanted) return true;
    found = percent_decode(raw_value, true);
    return !found.has_value();
  });
  return found;
}

base::Result<std::vector<std::pair<std::string, std::string>>> RequestHead::parameters() const {
  std::vector<std::pair<std::string, std::string>> out;
  std::optional<base::Error> error;
  for_each_parameter(query, [&](std::string_view raw_name, std::string_view raw_value) {
    auto parameter_name = percent_decode(raw_name, true);
    auto value = percent_decode(raw_value, true);
    if (!parameter_name || !value) {
      error = base::Error{base::ErrorCode::kInvalidArgument,
                          fmt::format("query parameter '{}': '%' must be followed by two "
                                      "hexadecimal digits",
                                      raw_name)};
      return false;
    }
    out.emplace_back(std::move(*parameter_name), std::move(*value));
    return true;
  });
  if (error) return *error;
  return out;
}

std::string_view reason_phrase(int status) {
  struct Phrase {
    int status;
    std::string_view text;
  };
  static constexpr Phrase kPhrases[] = {{100, "Continue"},
                                        {101, "Switching Protocols"},
                                        {200, "OK"},
                                        {201, "Created"},
                                        {202, "Accepted"},
                                        {204, "No Content"},
                                        {206, "Partial Content"},
                                        {301, "Moved Permanently"},
                                        {302, "Found"},
                                        {303, "See Other"},
                                        {304, "Not Modified"},
                                        {307, "Temporary Redirect"},
                                        {308, "Permanent Redirect"},
                                        {400, "Bad Request"},
                                        {401, "Unauthorized"},
                                        {403, "Forbidden"},
                                        {404, "Not Found"},
                                        {405, "Method Not Allowed"},
                                        {406, "Not Acceptable"},
                                        {408, "Request Timeout"},
                                        {409, "Conflict"},
                                        {410, "Gone"},
                                        {411, "Length Required"},
                                        {412, "Precondition Failed"},
                                        {413, "Content Too Large"},
                                        {414, "URI Too Long"},
                                        {415, "Unsupported Media Type"},
                                        {417, "Expectation Failed"},
                                        {421, "Misdirected Request"},
                                        {422, "Unprocessable Content"},
                                        {426, "Upgrade Required"},
                                        {429, "Too Many Requests"},
                                        {431, "Request Header Fields Too Large"},
                                        {499, "Client Closed Request"},
                                        {500, "Internal Server Error"},
                                        {501, "Not Implemented"},
                                        {502, "Bad Gateway"},
                                        {503, "Service Unavailable"},
                                        {504, "Gateway Timeout"},
                                        {505, "HTTP Version Not Supported"},
                                        {507, "Insufficient Storage"}};
  for (auto const& p : kPhrases) {
    if (p.status == status) return p.text;
  }
  return "Status";
}

Response json_response(int status, std::string json) {
  return {status, {{"Content-Type", "application/json"}}, std::move(json), {}};
}

Response text_response(int status, std::string text) {
  return {status, {{"Content-Type", "text/plain; charset=utf-8"}}, std::move(text), {}};
}

Response error_response(int status, std::string_view code, std::string_view message) {
  std::string body = R"({"error":{"code":)";
  append_json_string(body, code);
  body += R"(,"message":)";
  append_json_string(body, message);
  body += "}}";
  return json_response(status, std::move(body));
}

Response error_response(base::Error const& error) {
  auto response =
      error_response(base::http_status(error.code), base::name(error.code), error.context);
  if (base::retryable(error.code)) response.headers.emplace_back("Retry-After", "1");
  if (response.status == 401) response.headers.emplace_back("WWW-Authenticate", "Bearer");
  return response;
}

}  // namespace headrace::net
