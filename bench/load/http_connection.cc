// SPDX-License-Identifier: Apache-2.0
#include "load/http_connection.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <iterator>

namespace headrace::bench {

HttpConnection::HttpConnection(Options const& options, int number)
    : tcp_(options.host, options.port) {
  auto const token =
      options.token.empty() ? "" : fmt::format("Authorization: Bearer {}\r\n", options.token);
  head_ = fmt::format(
      "POST /api/v1/messages HTTP/1.1\r\nHost: {}:{}\r\nContent-Type: "
      "application/json\r\n{}Content-Length: ",
      options.host, options.port, token);
  message_head_ = fmt::format(R"({{"type":"{}","source":"load-{}",)", options.data_type, number);
  // What a message of the wanted size has beside its padding, with numbers of seven digits.
  constexpr int kFixed = 138;
  padding_.assign(static_cast<std::size_t>(std::max(0, options.message_bytes - kFixed)), 'x');
}

void HttpConnection::post(int count, Steady::time_point due) {
  body_.clear();
  if (count > 1) body_ += '[';
  for (int i = 0; i < count; ++i) {
    auto const n = next_++;
    if (i > 0) body_ += ',';
    body_ += message_head_;
    fmt::format_to(
        std::back_inserter(body_),
        R"("body":{{"cpu_load":{}.5,"memory_usage":{},"disk_usage":71,"n":{},"text":"{}"}}}})",
        n % 90 + 10, n % 89 + 10, n, padding_);
  }
  if (count > 1) body_ += ']';
  request_ = head_;
  fmt::format_to(std::back_inserter(request_), "{}\r\n\r\n", body_.size());
  request_ += body_;
  busy_ = true;
  count_ = count;
  due_ = due;
  tcp_.write(request_);
}

bool HttpConnection::receive() {
  tcp_.read();
  auto const in = tcp_.in();
  auto const end = in.find("\r\n\r\n");
  if (end == std::string_view::npos) return false;
  auto at = in.find(
      "ontent-");  // Content-Length in any case of its first letter, never Content-Type's value
  std::size_t length = 0;
  for (; at < end; at = in.find("ontent-", at + 1)) {
    auto const name = in.substr(at + 7, 6);
    if (name != "Length" && name != "length") continue;
    auto const digits = in.substr(in.find_first_of("0123456789", at));
    std::from_chars(digits.data(), digits.data() + digits.size(), length);
  }
  if (in.size() < end + 4 + length) return false;
  std::from_chars(in.data() + 9, in.data() + 12, status_);
  if (status_ >= 300 && status_ != 429 && status_ != 503) fail(fmt::format("refused: {}", in));
  tcp_.take(end + 4 + length);
  busy_ = false;
  return true;
}

}  // namespace headrace::bench
