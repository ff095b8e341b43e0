// SPDX-License-Identifier: Apache-2.0
#include "net/impl/websocket_codec.h"

#include <openssl/evp.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/bytes.h"
#include "base/utf8.h"
#include "base/uuid.h"

namespace headrace::net {

namespace {

constexpr std::size_t kControlPayloadBytesMax = 125;

std::uint16_t load_be16(char const* p) {
  std::uint16_t v;
  std::memcpy(&v, p, sizeof v);
  return __builtin_bswap16(v);
}
std::uint64_t load_be64(char const* p) {
  std::uint64_t v;
  std::memcpy(&v, p, sizeof v);
  return __builtin_bswap64(v);
}

bool is_utf8(std::span<char const> bytes) { return base::valid_utf8({bytes.data(), bytes.size()}); }

// RFC 6455 7.4: what may stand in a close frame.
bool may_be_received(std::uint16_t code) {
  if (code >= 3000 && code <= 4999) return true;
  return code >= 1000 && code <= 1014 && code != 1004 && code != 1005 && code != 1006;
}

}  // namespace

void apply_mask(std::span<char> bytes, std::uint32_t mask) {
  char* p = bytes.data();
  std::size_t left = bytes.size();
  std::uint64_t const wide = (std::uint64_t{mask} << 32) | mask;
  // Plain words: the compiler makes vectors of them.
  for (; left >= 32; left -= 32, p += 32) {
    std::uint64_t words[4];
    std::memcpy(words, p, sizeof words);
    for (auto& w : words) w ^= wide;
    std::memcpy(p, words, sizeof words);
  }
  for (; left >= 8; left -= 8, p += 8) {
    std::uint64_t word;
    std::memcpy(&word, p, sizeof word);
    word ^= wide;
    std::memcpy(p, &word, sizeof word);
  }
  for (std::size_t i = 0; i < left; ++i)
    p[i] = static_cast<char>(p[i] ^ static_cast<char>(mask >> (8 * (i & 3))));
}

FrameEvent FrameReader::refuse(CloseCode code, char const* why) {
  faulty_ = true;
  close_code_ = code;
  fault_ = why;
  payload_ = {};
  tail_.release();
  message_.release();
  return FrameEvent::kFault;
}

char const* FrameReader::check_header(Frame const& frame, std::uint8_t first, bool masked) const {
  if ((first & 0x70) != 0) return "a reserved bit is set";
  if (masked != server_)
    return server_ ? "a client's frame must be masked" : "a server's frame must not be masked";
  if (frame.opcode >= 8) {
    if (frame.opcode > opcode::kPong) return "reserved opcode";
    if (!frame.fin) return "a control frame must not be fragmented";
    if (frame.payload_bytes > kControlPayloadBytesMax)
      return "a control frame is longer than 125 bytes";
    return nullptr;
  }
  if (frame.opcode > opcode::kBinary) return "reserved opcode";
  if (frame.opcode == opcode::kContinuation && !in_message_)
    return "a continuation without a message";
  if (frame.opcode != opcode::kContinuation && in_message_)
    return "a new message within a fragmented one";
  return nullptr;
}

std::optional<FrameReader::Frame> FrameReader::parse_header(std::span<char const> bytes,
                                                            WebSocketOptions const& options) {
  if (bytes.size() < 2) return std::nullopt;
  auto const first = static_cast<std::uint8_t>(bytes[0]),
             second = static_cast<std::uint8_t>(bytes[1]);
  bool const masked = (second & 0x80) != 0;
  std::uint8_t const short_length = second & 0x7f;
  std::size_t const length_bytes = short_length < 126 ? 0 : short_length == 126 ? 2 : 8;
  Frame frame{(first & 0x80) != 0, static_cast<std::uint8_t>(first & 0x0f),
              static_cast<std::uint8_t>(2 + length_bytes + (masked ? 4 : 0)), 0, short_length};
  // What two bytes can show is refused at once; a short_length of 126 and more stands for itself
  // here.
  if (auto const* why = check_header(frame, first, masked)) {
    refuse(CloseCode::kProtocolError, why);
    return std::nullopt;
  }
  if (bytes.size() < frame.header_bytes) return std::nullopt;
  if (length_bytes == 2) frame.payload_bytes = load_be16(bytes.data() + 2);
  if (length_bytes == 8) frame.payload_bytes = load_be64(bytes.data() + 2);
  bool const minimal = length_bytes == 0 || (length_bytes == 2 && frame.payload_bytes >= 126) ||
                       (length_bytes == 8 && frame.payload_bytes > 0xffff);
  if (!minimal || (frame.payload_bytes >> 63) != 0) {
    refuse(CloseCode::kProtocolError, "a length is not in its shortest form");
    return std::nullopt;
  }
  if (masked) std::memcpy(&frame.mask, bytes.data() + 2 + length_bytes, 4);
  auto const before = frame.opcode < 8 ? message_.size() : 0;
  if (frame.payload_bytes >
      options.message_bytes_max - std::min(before, options.message_bytes_max)) {
    refuse(CloseCode::kTooBig, "the message is too large");
    return std::nullopt;
  }
  return frame;
}

FrameEvent FrameReader::next(std::span<char>& input, WebSocketOptions const& options) {
  if (faulty_) return FrameEvent::kFault;
  if (std::exchange(tail_delivered_, false)) tail_.release();
  if (std::exchange(message_delivered_, false)) message_.release();
  while (true) {
    if (!tail_.empty()) {
      auto const event = need_more_of(input, options);
      if (event != FrameEvent::kNeedMore || !tail_delivered_) return event;
      tail_delivered_ = false;  // a fragment went into message_
      tail_.release();
      continue;
    }
    auto const frame = parse_header(input, options);
    if (!frame && faulty_) return FrameEvent::kFault;
    if (!frame || input.size() - frame->header_bytes < frame->payload_bytes) {
      tail_.append(input.data(), input.size());
      input = {};
      return FrameEvent::kNeedMore;
    }
    auto const payload = input.subspan(frame->header_bytes, frame->payload_bytes);
    input = input.subspan(frame->header_bytes + payload.size());
    auto const event = accept(*frame, payload, options);
    if (event != FrameEvent::kNeedMore) return event;
  }
}

// Completes the frame in tail_ with no more bytes of `input` than it needs.
FrameEvent FrameReader::need_more_of(std::span<char>& input, WebSocketOptions const& options) {
  auto const take = [&](std::size_t count) {
    count = std::min(count, input.size());
    tail_.append(input.data(), count);
    input = input.subspan(count);
  };
  std::optional<Frame> frame;
  while (!(frame = parse_header(tail_.span(), options))) {
    if (faulty_) return FrameEvent::kFault;
    if (input.empty()) return FrameEvent::kNeedMore;
    take(1);  // headers are 14 bytes at most
  }
  std::size_t const wanted = frame->header_bytes + frame->payload_bytes;
  take(wanted - tail_.size());
  if (tail_.size() < wanted) return FrameEvent::kNeedMore;
  tail_delivered_ = true;
  return accept(*frame, tail_.span().subspan(frame->header_bytes), options);
}

FrameEvent FrameReader::accept(Frame const& frame, std::span<char> payload,
                               WebSocketOptions const& options) {
  if (server_) apply_mask(payload, frame.mask);
  switch (frame.opcode) {
    case opcode::kPing: payload_ = payload; return FrameEvent::kPing;
    case opcode::kPong: payload_ = payload; return FrameEvent::kPong;
    case opcode::kClose: return accept_close(payload);
    default: return accept_data(frame, payload, options);
  }
}

FrameEvent FrameReader::accept_data(Frame const& frame, std::span<char> payload,
                                    WebSocketOptions const& options) {
  if (frame.opcode != opcode::kContinuation) {
    kind_ = frame.opcode == opcode::kText ? MessageKind::kText : MessageKind::kBinary;
    if (frame.fin) return deliver(payload, options);
  }
  in_message_ = !frame.fin;
  message_.append(payload.data(), payload.size());
  if (!frame.fin) return FrameEvent::kNeedMore;
  message_delivered_ = true;
  return deliver(message_.span(), options);
}

FrameEvent FrameReader::deliver(std::span<char> payload, WebSocketOptions const& options) {
  if (kind_ == MessageKind::kText && options.validate_utf8 && !is_utf8(payload)) {
    return refuse(CloseCode::kInvalidData, "a text message is not UTF-8");
  }
  static char nothing[kPayloadPadding] = {};  // an empty message, too, has readable bytes behind it
  payload_ = payload.empty() ? std::span<char>(nothing, 0) : payload;
  return FrameEvent::kMessage;
}

FrameEvent FrameReader::accept_close(std::span<char> payload) {
  close_code_ = CloseCode::kNoStatus;
  payload_ = {};
  if (payload.empty()) return FrameEvent::kClose;
  if (payload.size() == 1) return refuse(CloseCode::kProtocolError, "a close frame of one byte");
  auto const code = load_be16(payload.data());
  if (!may_be_received(code))
    return refuse(CloseCode::kProtocolError, "a close code that must not be sent");
  if (!is_utf8(payload.subspan(2)))
    return refuse(CloseCode::kInvalidData, "a close reason is not UTF-8");
  close_code_ = static_cast<CloseCode>(code);
  payload_ = payload.subspan(2);
  return FrameEvent::kClose;
}

void append_frame_header(std::string& out, std::uint8_t op, std::size_t payload_bytes,
                         std::optional<std::uint32_t> mask) {
  std::uint8_t const mask_bit = mask ? 0x80 : 0;
  char header[14];
  std::size_t size = 2;
  header[0] = static_cast<char>(0x80 | op);
  if (payload_bytes < 126) {
    header[1] = static_cast<char>(mask_bit | payload_bytes);
  } else if (payload_bytes <= 0xffff) {
    header[1] = static_cast<char>(mask_bit | 126);
    auto const be = __builtin_bswap16(static_cast<std::uint16_t>(payload_bytes));
    std::memcpy(header + 2, &be, sizeof be);
    size += 2;
  } else {
    header[1] = static_cast<char>(mask_bit | 127);
    auto const be = __builtin_bswap64(payload_bytes);
    std::memcpy(header + 2, &be, sizeof be);
    size += 8;
  }
  if (mask) {
    std::memcpy(header + size, &*mask, 4);
    size += 4;
  }
  out.append(header, size);
}

void append_frame(std::string& out, std::uint8_t op, std::string_view payload,
                  std::optional<std::uint32_t> mask) {
  append_frame_header(out, op, payload.size(), mask);
  auto const start = out.size();
  out.append(payload);
  if (mask) apply_mask({out.data() + start, payload.size()}, *mask);
}

std::string close_payload(CloseCode code, std::string_view reason) {
  if (code == CloseCode::kNoStatus) return "";
  std::size_t cut = std::min(reason.size(), kControlPayloadBytesMax - 2);
  while (cut > 0 && cut < reason.size() && (static_cast<unsigned char>(reason[cut]) & 0xC0) == 0x80)
    --cut;
  auto const number = static_cast<std::uint16_t>(code);
  std::string out{static_cast<char>(number >> 8), static_cast<char>(number & 0xff)};
  auto const kept = reason.substr(0, cut);
  if (is_utf8(kept)) out += kept;
  return out;
}

std::string accept_key(std::string_view key) {
  std::string const text = std::string(key) + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned digest_bytes = 0;
  EVP_Digest(text.data(), text.size(), digest, &digest_bytes, EVP_sha1(), nullptr);
  unsigned char encoded[32];
  int const length = EVP_EncodeBlock(encoded, digest, static_cast<int>(digest_bytes));
  return {reinterpret_cast<char*>(encoded), static_cast<std::size_t>(length)};
}

std::string make_key() {
  std::array<std::byte, 16> bytes;
  base::random_bytes(bytes);
  unsigned char encoded[32];
  int const length = EVP_EncodeBlock(encoded, reinterpret_cast<unsigned char*>(bytes.data()), 16);
  return {reinterpret_cast<char*>(encoded), static_cast<std::size_t>(length)};
}

bool is_key(std::string_view key) {
  auto const digit = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '+' ||
           c == '/';
  };
  return key.size() == 24 && key.ends_with("==") && std::all_of(key.begin(), key.end() - 2, digit);
}

}  // namespace headrace::net
