// SPDX-License-Identifier: Apache-2.0
// Writes the heads of responses and requests.   Threads: pure; date_header on the io thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "net/http_types.h"
#include "net/io_threads.h"

namespace headrace::net {

enum class ReplyFraming : unsigned char { kLength, kChunked, kUntilClose, kNoBody };

struct ReplyHead {
  int status = 200;
  HeaderFields const& headers;
  ReplyFraming framing = ReplyFraming::kLength;
  std::size_t content_length = 0;
  bool close = false;
  bool http10 = false;
  std::string_view server_name;
  std::string_view date;  // "Date: ...\r\n"
};

void append_reply_head(std::string& out, ReplyHead const& head);
// Whether a header with this name and value can be sent: CR and LF in it would forge lines.
bool sendable(std::string_view name, std::string_view value);
// "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n", made once a second.
std::string_view date_header(IoThread& thread);
void append_chunk_head(std::string& out, std::size_t bytes);

}  // namespace headrace::net
