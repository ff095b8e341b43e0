// SPDX-License-Identifier: Apache-2.0
#include "net/impl/http_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>

#include "base/assert.h"
#include "net/impl/io_thread_impl.h"

namespace headrace::net {

bool sendable(std::string_view name, std::string_view value) {
  auto const plain = [](char c) {
    return c == '\t' || (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f);
  };
  return !name.empty() && name.find_first_of(": ") == name.npos &&
         std::all_of(name.begin(), name.end(), plain) &&
         std::all_of(value.begin(), value.end(), plain);
}

void append_reply_head(std::string& out, ReplyHead const& head) {
  fmt::format_to(std::back_inserter(out), "HTTP/1.1 {} {}\r\n", head.status,
                 reason_phrase(head.status));
  out += head.date;
  if (!head.server_name.empty()) {
    out += "Server: ";
    out += head.server_name;
    out += "\r\n";
  }
  for (auto const& [name, value] : head.headers) {
    HEADRACE_ASSERT(sendable(name, value), "a response header with control characters");
    out += name;
    out += ": ";
    out += value;
    out += "\r\n";
  }
  if (head.framing == ReplyFraming::kLength) {
    fmt::format_to(std::back_inserter(out), "Content-Length: {}\r\n", head.content_length);
  } else if (head.framing == ReplyFraming::kChunked) {
    out += "Transfer-Encoding: chunked\r\n";
  }
  if (head.close) {
    out += "Connection: close\r\n";
  } else if (head.http10) {
    out += "Connection: keep-alive\r\n";
  }
  out += "\r\n";
}

std::string_view date_header(IoThread& thread) {
  auto& impl = thread.impl();
  auto const now = std::time(nullptr);
  if (now != impl.date_second) {
    impl.date_second = now;
    std::tm utc{};
    gmtime_r(&now, &utc);
    char text[64];
    auto const size = std::strftime(text, sizeof text, "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &utc);
    impl.date_header.assign(text, size);
  }
  return impl.date_header;
}

void append_chunk_head(std::string& out, std::size_t bytes) {
  fmt::format_to(std::back_inserter(out), "{:x}\r\n", bytes);
}

}  // namespace headrace::net
