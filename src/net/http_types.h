// SPDX-License-Identifier: Apache-2.0
// What an HTTP request and a response are.
//   Threads:  values and views; no shared state.
//   Lifetime: a RequestHead and a Request are views of the connection's buffer: valid during the
//   call that got them only.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/error_map.h"
#include "net/address.h"

namespace headrace::net {

enum class Method : unsigned char { kGet, kHead, kPost, kPut, kPatch, kDelete, kOptions, kOther };
std::string_view name(Method method);

struct HeaderView {
  std::string_view name, value;  // value without surrounding blanks
};

bool equals_ignoring_case(std::string_view a, std::string_view b);
// "gzip, Chunked" has the element "chunked": for comma lists in headers. Case is ignored.
bool list_has_token(std::string_view list, std::string_view token);
// "%41+b" -> "A b" (plus_is_blank) or "A+b". nullopt: a broken escape.
std::optional<std::string> percent_decode(std::string_view text, bool plus_is_blank);
std::string percent_encode(std::string_view text);  // everything but RFC 3986 unreserved

struct RequestHead {
  Method method = Method::kGet;
  std::string_view method_name;
  std::string_view target;    // as sent: "/a%20b?x=1"
  std::string_view raw_path;  // as sent: "/a%20b"
  std::string_view path;      // percent-decoded: "/a b"
  std::string_view query;     // as sent, without '?': "x=1"
  std::span<HeaderView const> headers;
  bool http10 = false;
  SocketAddress peer;
  std::uint16_t local_port = 0;
  bool tls = false;

  bool is_loopback() const { return peer.is_loopback(); }
  // The first header of that name, case ignored. nullopt: absent.
  std::optional<std::string_view> header(std::string_view name) const;
  std::string_view header_or(std::string_view name, std::string_view otherwise) const {
    return header(name).value_or(otherwise);
  }
  // "application/json" of "Application/JSON; charset=utf-8": lower case, without parameters; ""
  // when absent.
  std::string content_type() const;
  // The token of "Authorization: Bearer <token>" (scheme: case ignored).
  std::optional<std::string_view> bearer_token() const;

  // The first parameter of that name, decoded ('+' is a blank). "?x" and "?x=" both give "".
  std::optional<std::string> parameter(std::string_view name) const;
  // All of them in order. invalid_argument: a broken escape.
  base::Result<std::vector<std::pair<std::string, std::string>>> parameters() const;
};

struct Request : RequestHead {
  // Complete; gzip and zstd are unpacked where the route allows. At least 64 bytes after its end
  // are readable (for parsers that read in blocks), and the bytes may be changed in place.
  std::span<char> body;
  std::string_view text() const { return {body.data(), body.size()}; }
};

using HeaderFields = std::vector<std::pair<std::string, std::string>>;

struct Response {
  int status = 200;
  // Content-Length, Date, Connection and Transfer-Encoding are the server's; the rest is sent as it
  // stands.
  HeaderFields headers = {};
  std::string body = {};
  std::string_view
      static_body;  // sent when `body` is empty; memory that outlives the server (embedded pages)
};

std::string_view reason_phrase(int status);

Response json_response(int status, std::string json);
Response text_response(int status, std::string text);
// {"error":{"code":"<code>","message":"<message>"}} with Content-Type application/json.
Response error_response(int status, std::string_view code, std::string_view message);
// Status by base/error_map.h; what may succeed later gets Retry-After: 1.
Response error_response(base::Error const& error);
// Appends `text` to `out` as a JSON string with its quotes; broken UTF-8 becomes U+FFFD.
void append_json_string(std::string& out, std::string_view text);

}  // namespace headrace::net
