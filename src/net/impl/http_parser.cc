// SPDX-License-Identifier: Apache-2.0
#include "net/impl/http_parser.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

namespace headrace::net {

namespace {

constexpr std::size_t kChunkLineBytesMax = 1024;
constexpr std::size_t kMethodBytesMax = 32;

constexpr std::array<bool, 256> make_token_table() {
  std::array<bool, 256> table{};
  for (int c = '0'; c <= '9'; ++c) table[static_cast<std::size_t>(c)] = true;
  for (int c = 'a'; c <= 'z'; ++c) table[static_cast<std::size_t>(c)] = true;
  for (int c = 'A'; c <= 'Z'; ++c) table[static_cast<std::size_t>(c)] = true;
  for (char const c : std::string_view("!#$%&'*+-.^_`|~"))
    table[static_cast<std::size_t>(c)] = true;
  return table;
}
constexpr auto kToken = make_token_table();

bool is_token(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(),
                                      [](char c) { return kToken[static_cast<unsigned char>(c)]; });
}

bool is_field_value(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    auto const u = static_cast<unsigned char>(c);
    return u == '\t' || (u >= 0x20 && u != 0x7f);
  });
}

std::string_view trim_blanks(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// One past the blank line that ends a head, searching from `from`; 0: not there. A bare LF ends
// lines here too, so that it
// is found and then refused.
std::size_t find_head_end(std::string_view bytes, std::size_t from) {
  for (auto at = bytes.find('\n', from); at != bytes.npos; at = bytes.find('\n', at + 1)) {
    if (at + 1 < bytes.size() && bytes[at + 1] == '\n') return at + 2;
    if (at + 2 < bytes.size() && bytes[at + 1] == '\r' && bytes[at + 2] == '\n') return at + 3;
  }
  return 0;
}

Method method_of(std::string_view method_name) {
  for (auto const m : {Method::kGet, Method::kPost, Method::kHead, Method::kPut, Method::kPatch,
                       Method::kDelete, Method::kOptions}) {
    if (method_name == name(m)) return m;
  }
  return Method::kOther;
}

std::optional<std::uint64_t> parse_number(std::string_view text, int base) {
  std::uint64_t value = 0;
  auto const* const end = text.data() + text.size();
  auto const parsed = std::from_chars(text.data(), end, value, base);
  if (text.empty() || parsed.ec != std::errc() || parsed.ptr != end) return std::nullopt;
  return value;
}

std::string_view view(std::span<char> bytes) { return {bytes.data(), bytes.size()}; }

std::string printable(std::string_view text) {
  std::string out;
  for (char const c : text.substr(0, 40)) out += c >= 0x20 && c < 0x7f ? c : '?';
  return out;
}

}  // namespace

std::optional<std::string_view> HttpHead::header(std::string_view wanted) const {
  for (auto const& h : headers) {
    if (equals_ignoring_case(h.name, wanted)) return h.value;
  }
  return std::nullopt;
}

HttpEvent HttpParser::refuse(int status, std::string_view code, std::string message) {
  stage_ = Stage::kFault;
  fault_ = {status, code, std::move(message)};
  return HttpEvent::kFault;
}

void HttpParser::start_next() {
  stage_ = Stage::kHead;
  started_ = false;
  scanned_ = 0;
  trailer_bytes_ = 0;
}

HttpEvent HttpParser::next(std::span<char>& input) {
  switch (stage_) {
    case Stage::kFault: return HttpEvent::kFault;
    case Stage::kHead: return next_head(input);
    case Stage::kEnd: start_next(); return HttpEvent::kEnd;
    case Stage::kBody:
    case Stage::kChunkData: return next_body(input);
    case Stage::kChunkSize:
    case Stage::kTrailer: return next_chunk_line(input);
    case Stage::kChunkEnd: return next_chunk_end(input);
  }
  return HttpEvent::kFault;
}

HttpEvent HttpParser::next_head(std::span<char>& input) {
  if (!started_) kept_.release();  // of the message before, which kEnd still showed
  // RFC 9112 2.2: blank lines before a request line are skipped.
  while (!started_ && saved_.empty() && !input.empty() && (input[0] == '\r' || input[0] == '\n')) {
    if (input[0] == '\r' && input.size() == 1) break;
    if (input[0] == '\n' || input[1] != '\n') {
      return refuse(400, "invalid_argument", "a line must end with CR LF");
    }
    input = input.subspan(2);
  }
  if (input.empty() && saved_.empty()) return HttpEvent::kNeedMore;
  if (!std::exchange(started_, true) && input[0] != '\r' &&
      !kToken[static_cast<unsigned char>(input[0])]) {
    return refuse(400, "invalid_argument", "this is not HTTP (is it TLS, on a port without?)");
  }
  if (saved_.empty()) {
    auto const whole = view(input);
    if (auto const end = find_head_end(whole, 0); end != 0) {
      input = input.subspan(end);
      return parse_head(whole.substr(0, end));
    }
  }
  auto const room =
      limits_.header_bytes_max + 1 - std::min(saved_.size(), limits_.header_bytes_max + 1);
  auto const before = saved_.size();
  auto const taken = std::min(room, input.size());
  saved_.append(input.data(), taken);
  if (saved_.size() >= 2 && saved_.data()[0] == '\r' && saved_.data()[1] != '\n') {
    return refuse(400, "invalid_argument", "a line must end with CR LF");
  }
  if (before == 1 && saved_.size() >= 2 && saved_.view().starts_with("\r\n")) {
    // A blank line that came in two pieces.
    input = input.subspan(1);
    saved_.release();
    started_ = false;
    return next_head(input);
  }
  auto const end = find_head_end(saved_.view(), scanned_);
  if (end == 0) {
    input = input.subspan(taken);
    scanned_ = saved_.size() > 2 ? saved_.size() - 2 : 0;
    if (saved_.size() <= limits_.header_bytes_max) return HttpEvent::kNeedMore;
    return parse_head(saved_.view());
  }
  input = input.subspan(end - before);
  saved_.set_size(end);
  kept_.swap(saved_);
  saved_.release();
  return parse_head(kept_.view());
}

HttpEvent HttpParser::parse_head(std::string_view bytes) {
  head_bytes_ = bytes;
  head_.headers.clear();
  auto const line_end = bytes.find('\n');
  auto const line = bytes.substr(0, std::min(line_end, bytes.size()));
  if (bytes.size() > limits_.header_bytes_max) {
    bool const target_alone = role_ == HttpRole::kRequest && line_end >= limits_.header_bytes_max;
    if (target_alone) {
      return refuse(
          414, "too_large",
          fmt::format("the request line is longer than {} bytes", limits_.header_bytes_max));
    }
    return refuse(431, "too_large",
                  fmt::format("the headers are longer than {} bytes", limits_.header_bytes_max));
  }
  if (line.empty() || line.back() != '\r') {
    return refuse(400, "invalid_argument", "a line must end with CR LF");
  }
  auto const start_line = line.substr(0, line.size() - 1);
  bool const started =
      role_ == HttpRole::kRequest ? parse_request_line(start_line) : parse_status_line(start_line);
  bool const whole = started && parse_headers(bytes.substr(line_end + 1)) && check_framing() &&
                     (role_ == HttpRole::kResponse || check_request());
  return whole ? HttpEvent::kHead : HttpEvent::kFault;
}

bool HttpParser::parse_request_line(std::string_view line) {
  auto const bad = [&](std::string_view why) {
    refuse(400, "invalid_argument",
           fmt::format("request line '{}': {}; expected METHOD TARGET HTTP/1.1", printable(line),
                       why));
    return false;
  };
  auto const first = line.find(' ');
  auto const last = line.rfind(' ');
  if (first == line.npos || first == last) return bad("three parts are expected");
  head_.method_name = line.substr(0, first);
  head_.target = line.substr(first + 1, last - first - 1);
  auto const version = line.substr(last + 1);
  if (!is_token(head_.method_name) || head_.method_name.size() > kMethodBytesMax) {
    return bad("the method is no token");
  }
  bool const clean = std::all_of(head_.target.begin(), head_.target.end(),
                                 [](char c) { return c > 0x20 && c < 0x7f; });
  if (head_.target.empty() || !clean) return bad("the target has bytes that must be escaped");
  bool const origin_form = head_.target.front() == '/' || head_.target == "*" ||
                           head_.target.starts_with("http://") ||
                           head_.target.starts_with("https://");
  if (!origin_form) return bad("the target must start with '/'");
  bool const shaped = version.size() == 8 && version.starts_with("HTTP/") && version[6] == '.' &&
                      version[5] >= '0' && version[5] <= '9' && version[7] >= '0' &&
                      version[7] <= '9';
  if (!shaped) return bad("the version is not HTTP/x.y");
  if (version != "HTTP/1.1" && version != "HTTP/1.0") {
    refuse(505, "invalid_argument", fmt::format("{} is not spoken here; use HTTP/1.1", version));
    return false;
  }
  head_.http10 = version.back() == '0';
  head_.method = method_of(head_.method_name);
  return true;
}

bool HttpParser::parse_status_line(std::string_view line) {
  bool const shaped = line.size() >= 12 &&
                      (line.starts_with("HTTP/1.1 ") || line.starts_with("HTTP/1.0 ")) &&
                      (line.size() == 12 || line[12] == ' ') && is_field_value(line);
  auto const status = shaped ? parse_number(line.substr(9, 3), 10) : std::nullopt;
  if (!status || *status < 100) {
    refuse(400, "corrupt",
           fmt::format("status line '{}'; expected HTTP/1.1 and a status", printable(line)));
    return false;
  }
  head_.status = static_cast<int>(*status);
  head_.http10 = line[7] == '0';
  return true;
}

bool HttpParser::parse_headers(std::string_view lines) {
  while (true) {
    auto const end = lines.find('\n');
    auto const line = lines.substr(0, end);
    if (line.empty() || line.back() != '\r') {
      refuse(400, "invalid_argument", "a line must end with CR LF");
      return false;
    }
    if (line.size() == 1) return true;
    if (!parse_header_line(line.substr(0, line.size() - 1))) return false;
    lines.remove_prefix(end + 1);
  }
}

bool HttpParser::parse_header_line(std::string_view line) {
  auto const bad = [&](std::string_view why) {
    refuse(400, "invalid_argument", fmt::format("header line '{}': {}", printable(line), why));
    return false;
  };
  if (line.front() == ' ' || line.front() == '\t') return bad("folded lines are not accepted");
  auto const colon = line.find(':');
  if (colon == line.npos) return bad("a colon is missing");
  auto const header_name = line.substr(0, colon);
  auto const value = trim_blanks(line.substr(colon + 1));
  if (!is_token(header_name))
    return bad("the name is no token (no blank may stand before the colon)");
  if (!is_field_value(value)) return bad("the value has control characters");
  if (head_.headers.size() >= limits_.header_count_max) {
    refuse(431, "too_large", fmt::format("more than {} headers", limits_.header_count_max));
    return false;
  }
  head_.headers.push_back({header_name, value});
  return true;
}

bool HttpParser::check_framing() {
  auto const bad = [&](int status, std::string_view code, std::string_view why) {
    refuse(status, code, std::string(why));
    return false;
  };
  std::optional<std::string_view> length, encoding;
  for (auto const& h : head_.headers) {
    bool const is_length = equals_ignoring_case(h.name, "content-length");
    if (!is_length && !equals_ignoring_case(h.name, "transfer-encoding")) continue;
    auto& slot = is_length ? length : encoding;
    if (slot)
      return bad(400, "invalid_argument", "Content-Length or Transfer-Encoding is repeated");
    slot = h.value;
  }
  if (length && encoding) {
    return bad(400, "invalid_argument",
               "Content-Length together with Transfer-Encoding is refused");
  }
  if (encoding) {
    if (head_.http10) return bad(400, "invalid_argument", "Transfer-Encoding needs HTTP/1.1");
    if (!equals_ignoring_case(*encoding, "chunked")) {
      return bad(501, "invalid_argument", "the only Transfer-Encoding accepted is chunked");
    }
    set_framing(HttpFraming::kChunked, 0);
  } else if (length) {
    bool const digits =
        std::all_of(length->begin(), length->end(), [](char c) { return c >= '0' && c <= '9'; });
    auto const value = digits ? parse_number(*length, 10) : std::nullopt;
    if (!value) return bad(400, "invalid_argument", "Content-Length is not a number below 2^64");
    set_framing(*value == 0 ? HttpFraming::kNone : HttpFraming::kLength, *value);
  } else {
    set_framing(role_ == HttpRole::kResponse ? HttpFraming::kUntilClose : HttpFraming::kNone, 0);
  }
  bool const bodiless = role_ == HttpRole::kResponse &&
                        (head_.status < 200 || head_.status == 204 || head_.status == 304);
  if (bodiless) set_framing(HttpFraming::kNone, 0);
  return true;
}

bool HttpParser::check_request() {
  auto const hosts = std::count_if(head_.headers.begin(), head_.headers.end(), [](auto const& h) {
    return equals_ignoring_case(h.name, "host");
  });
  if (hosts > 1 || (hosts == 0 && !head_.http10)) {
    refuse(400, "invalid_argument", "exactly one Host header is required");
    return false;
  }
  return true;
}

void HttpParser::set_framing(HttpFraming framing, std::uint64_t length) {
  head_.framing = framing;
  head_.content_length = length;
  remaining_ = length;
  switch (framing) {
    case HttpFraming::kNone: stage_ = Stage::kEnd; break;
    case HttpFraming::kLength:
    case HttpFraming::kUntilClose: stage_ = Stage::kBody; break;
    case HttpFraming::kChunked: stage_ = Stage::kChunkSize; break;
  }
}

void HttpParser::keep_head() {
  if (!in_body()) return;  // no head is under way that was shown
  if (!kept_.empty() && head_bytes_.data() == kept_.data()) return;
  PaddedBuffer copy;
  copy.append(head_bytes_.data(), head_bytes_.size());
  auto const moved = [&](std::string_view& piece) {
    if (!piece.empty()) piece = {copy.data() + (piece.data() - head_bytes_.data()), piece.size()};
  };
  moved(head_.method_name);
  moved(head_.target);
  for (auto& h : head_.headers) {
    moved(h.name);
    moved(h.value);
  }
  kept_.swap(copy);
  head_bytes_ = kept_.view();
}

HttpEvent HttpParser::next_body(std::span<char>& input) {
  bool const counted = head_.framing != HttpFraming::kUntilClose;
  if (input.empty()) return HttpEvent::kNeedMore;
  auto const take =
      counted ? static_cast<std::size_t>(std::min<std::uint64_t>(remaining_, input.size()))
              : input.size();
  body_piece_ = input.first(take);
  input = input.subspan(take);
  if (counted) {
    remaining_ -= take;
    if (remaining_ == 0) stage_ = stage_ == Stage::kBody ? Stage::kEnd : Stage::kChunkEnd;
  }
  return HttpEvent::kBody;
}

// A whole line without its CR LF, from input and what was kept of it; nullopt: it is not whole yet,
// or a fault.
std::optional<std::string_view> HttpParser::take_line(std::span<char>& input,
                                                      std::size_t bytes_max) {
  auto const end = view(input).find('\n');
  auto const take = end == std::string_view::npos ? input.size() : end + 1;
  if (line_.size() + take > bytes_max) {
    refuse(400, "too_large",
           fmt::format("a chunk or trailer line is longer than {} bytes", bytes_max));
    return std::nullopt;
  }
  line_.append(input.data(), take);
  input = input.subspan(take);
  if (end == std::string_view::npos) return std::nullopt;
  if (line_.size() < 2 || line_[line_.size() - 2] != '\r') {
    refuse(400, "invalid_argument", "a line must end with CR LF");
    return std::nullopt;
  }
  return std::string_view(line_).substr(0, line_.size() - 2);
}

HttpEvent HttpParser::next_chunk_line(std::span<char>& input) {
  while (stage_ == Stage::kChunkSize || stage_ == Stage::kTrailer) {
    auto const line = take_line(input, kChunkLineBytesMax);
    if (!line) return stage_ == Stage::kFault ? HttpEvent::kFault : HttpEvent::kNeedMore;
    bool const accepted =
        stage_ == Stage::kTrailer ? accept_trailer(*line) : accept_chunk_size(*line);
    if (!accepted) return HttpEvent::kFault;
    line_.clear();
  }
  return next(input);
}

bool HttpParser::accept_trailer(std::string_view line) {
  trailer_bytes_ += line.size() + 2;
  if (trailer_bytes_ > limits_.header_bytes_max) {
    refuse(431, "too_large",
           fmt::format("trailers longer than {} bytes", limits_.header_bytes_max));
  } else if (!is_field_value(line)) {
    refuse(400, "invalid_argument", "control characters in a trailer");
  } else if (line.empty()) {
    stage_ = Stage::kEnd;
  }
  return stage_ != Stage::kFault;
}

bool HttpParser::accept_chunk_size(std::string_view line) {
  auto const digits = trim_blanks(line.substr(0, line.find(';')));
  auto const size = digits.size() <= 16 ? parse_number(digits, 16) : std::nullopt;
  if (!size || !is_field_value(line)) {
    refuse(400, "invalid_argument",
           fmt::format("chunk size '{}' is not a hexadecimal number", printable(line)));
    return false;
  }
  remaining_ = *size;
  stage_ = *size == 0 ? Stage::kTrailer : Stage::kChunkData;
  return true;
}

HttpEvent HttpParser::next_chunk_end(std::span<char>& input) {
  auto const line = take_line(input, 2);
  if (!line) {
    if (stage_ != Stage::kFault) return HttpEvent::kNeedMore;
    return refuse(400, "invalid_argument", "a chunk must be followed by CR LF");
  }
  line_.clear();
  stage_ = Stage::kChunkSize;
  return next(input);
}

HttpEvent HttpParser::finish() {
  if (stage_ == Stage::kBody && head_.framing == HttpFraming::kUntilClose) {
    start_next();
    return HttpEvent::kEnd;
  }
  if (stage_ == Stage::kFault) return HttpEvent::kFault;
  if (between_messages()) return HttpEvent::kNeedMore;
  return refuse(400, "corrupt", "the connection ended within a message");
}

}  // namespace headrace::net
