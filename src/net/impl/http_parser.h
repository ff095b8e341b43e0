// SPDX-License-Identifier: Apache-2.0
// HttpParser: HTTP/1.x messages from bytes that come in any pieces, as events. No socket, no time.
// Strict where laxness lets
// two parsers disagree (RFC 9112): bare LF, obs-fold, blanks before a colon, Content-Length with
// Transfer-Encoding, repeated
// lengths and Hosts are all refused.
//   Threads: one.   Cost: a message that arrives whole is parsed where it lies; nothing is copied.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "net/http_types.h"
#include "net/impl/padded_buffer.h"

namespace headrace::net {

struct HttpLimits {
  std::size_t header_bytes_max = 16u << 10;
  std::size_t header_count_max = 100;
};

// How a message is refused: what to answer.
struct HttpFault {
  int status = 400;
  std::string_view code = "invalid_argument";
  std::string message;
};

enum class HttpRole : unsigned char { kRequest, kResponse };

enum class HttpEvent : unsigned char {
  kNeedMore,  // all input was taken or kept
  kHead,      // head() is valid while the input is; after keep_head() until the call after kEnd
  kBody,      // body_piece() is a view of the input
  kEnd,       // the message is complete; the next call starts the next message
  kFault,     // fault() says why; every further call says the same
};

enum class HttpFraming : unsigned char { kNone, kLength, kChunked, kUntilClose };

struct HttpHead {
  // Of a request.
  Method method = Method::kGet;
  std::string_view method_name, target;
  // Of a response.
  int status = 0;
  // Of both.
  bool http10 = false;
  std::vector<HeaderView> headers;
  HttpFraming framing = HttpFraming::kNone;
  std::uint64_t content_length = 0;

  std::optional<std::string_view> header(std::string_view name) const;
};

class HttpParser {
 public:
  HttpParser(HttpRole role, HttpLimits limits) : role_(role), limits_(limits) {}

  // Takes bytes from the front of `input`; call again while it returns anything but kNeedMore or
  // kFault.
  HttpEvent next(std::span<char>& input);
  HttpHead const& head() const { return head_; }
  std::span<char> body_piece() const { return body_piece_; }
  HttpFault const& fault() const { return fault_; }
  // Copies the head of the message under way to memory of the parser's own, so that its views
  // survive the input.
  // Nothing happens between messages.
  void keep_head();
  // A response's head is followed by no body whatever it says (the answer to HEAD). Call within
  // kHead.
  void no_body() { set_framing(HttpFraming::kNone, 0); }
  // The input has ended: kEnd for a body that lasts until close; kNeedMore between messages; else
  // kFault.
  HttpEvent finish();
  bool in_body() const { return stage_ != Stage::kHead && stage_ != Stage::kFault; }
  bool between_messages() const { return stage_ == Stage::kHead && saved_.empty() && !started_; }

 private:
  enum class Stage : unsigned char {
    kHead,
    kBody,
    kChunkSize,
    kChunkData,
    kChunkEnd,
    kTrailer,
    kEnd,
    kFault,
  };

  HttpEvent next_head(std::span<char>& input);
  HttpEvent next_body(std::span<char>& input);
  HttpEvent next_chunk_line(std::span<char>& input);
  bool accept_trailer(std::string_view line);
  bool accept_chunk_size(std::string_view line);
  HttpEvent next_chunk_end(std::span<char>& input);
  std::optional<std::string_view> take_line(std::span<char>& input, std::size_t bytes_max);
  HttpEvent parse_head(std::string_view head);
  bool parse_request_line(std::string_view line);
  bool parse_status_line(std::string_view line);
  bool parse_headers(std::string_view lines);
  bool parse_header_line(std::string_view line);
  bool check_framing();
  bool check_request();
  void set_framing(HttpFraming framing, std::uint64_t length);
  HttpEvent refuse(int status, std::string_view code, std::string message);
  void start_next();

  HttpRole role_;
  HttpLimits limits_;
  Stage stage_ = Stage::kHead;
  bool started_ = false;     // the head's first byte was seen (blank lines before it do not count)
  std::size_t scanned_ = 0;  // of saved_: no end of head before it
  PaddedBuffer saved_;       // an incomplete head
  PaddedBuffer kept_;        // the head of the message under way
  std::string_view head_bytes_;  // where head_'s views point
  std::string line_;             // an incomplete chunk-size or trailer line
  std::uint64_t remaining_ = 0;  // of the body or chunk
  std::size_t trailer_bytes_ = 0;
  HttpHead head_;
  std::span<char> body_piece_;
  HttpFault fault_;
};

}  // namespace headrace::net
