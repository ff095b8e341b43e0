// SPDX-License-Identifier: Apache-2.0
#include "load/agent_connection.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <iterator>
#include <random>

namespace headrace::bench {
namespace {

constexpr std::uint8_t kText = 1, kClose = 8, kPing = 9, kPong = 10;

std::string random_uuid() {
  static std::mt19937_64 random{std::random_device{}()};
  auto const a = random(), b = random();
  return fmt::format("{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}", a >> 32, (a >> 16) & 0xffff,
                     a & 0xfff, b >> 52, b & 0xffffffffffff);
}

// The number behind "key": in text; 0 when it is not there.
std::uint64_t find_number(std::string_view text, std::string_view key) {
  auto const at = text.find(key);
  if (at == std::string_view::npos) return 0;
  auto const digits = text.substr(text.find_first_of("0123456789", at + key.size()));
  std::uint64_t value = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), value);
  return value;
}

}  // namespace

AgentConnection::AgentConnection(Options const& options, int number)
    : tcp_(options.host, options.port), type_(options.data_type) {
  // What a message of the wanted size has beside its padding, with numbers of seven digits.
  int const fixed = options.batch == 1 ? 127 : 83;
  padding_.assign(static_cast<std::size_t>(std::max(0, options.message_bytes - fixed)), 'x');
  upgrade(options);
  say_hello(options, number);
}

void AgentConnection::upgrade(Options const& options) {
  tcp_.write(fmt::format(
      "GET /agent HTTP/1.1\r\nHost: {}:{}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
      "Sec-WebSocket-Protocol: headrace.v1.json\r\n\r\n",
      options.host, options.port));
  std::size_t end = 0;
  while ((end = tcp_.in().find("\r\n\r\n")) == std::string_view::npos) tcp_.read();
  if (tcp_.in().substr(0, 12) != "HTTP/1.1 101")
    fail(fmt::format("upgrade refused: {}", tcp_.in()));
  tcp_.take(end + 4);
}

void AgentConnection::say_hello(Options const& options, int number) {
  auto const token = options.token.empty() ? "" : fmt::format(R"(,"token":"{}")", options.token);
  text_ = fmt::format(R"({{"type":"hello","version":1,"source":"load-{}","session":"{}"{}}})",
                      number, random_uuid(), token);
  send_frame(kText);
  tcp_.flush();
  handle_frames();
  while (!welcome_) {
    tcp_.read();
    handle_frames();
  }
}

void AgentConnection::append_body() {
  auto const n = next_++;
  fmt::format_to(
      std::back_inserter(text_),
      R"("body":{{"cpu_load":{}.5,"memory_usage":{},"disk_usage":71,"n":{},"text":"{}"}})",
      n % 90 + 10, n % 89 + 10, n, padding_);
}

void AgentConnection::report(int count, Steady::time_point due) {
  text_.clear();
  fmt::format_to(std::back_inserter(text_), R"({{"seq":{},"type":"{}",)", next_, type_);
  if (count == 1) {
    append_body();
  } else {
    text_ += R"("messages":[)";
    for (int i = 0; i < count; ++i) {
      text_ += i == 0 ? "{" : ",{";
      append_body();
      text_ += '}';
    }
    text_ += ']';
  }
  text_ += '}';
  open_.push_back({next_ - 1, count, due});
  outstanding_ += count;
  send_frame(kText);
}

// One frame with text_, masked as every client must.
void AgentConnection::send_frame(std::uint8_t opcode) {
  constexpr std::uint8_t kMask[4] = {0x37, 0xfa, 0x21, 0x3d};
  auto const size = text_.size();
  frame_.assign(1, static_cast<char>(0x80 | opcode));
  int length_bytes = 0;
  if (size < 126) {
    frame_ += static_cast<char>(0x80 | size);
  } else if (size < 65536) {
    frame_ += static_cast<char>(0x80 | 126);
    length_bytes = 2;
  } else {
    frame_ += static_cast<char>(0x80 | 127);
    length_bytes = 8;
  }
  for (int i = length_bytes - 1; i >= 0; --i) frame_ += static_cast<char>((size >> (8 * i)) & 0xff);
  frame_.append(reinterpret_cast<char const*>(kMask), 4);
  auto const start = frame_.size();
  frame_ += text_;
  for (std::size_t i = 0; i < size; ++i) frame_[start + i] ^= static_cast<char>(kMask[i & 3]);
  tcp_.queue(frame_);
}

void AgentConnection::handle_frames() {
  for (;;) {
    auto const in = tcp_.in();
    if (in.size() < 2) return;
    auto const opcode = static_cast<std::uint8_t>(in[0]) & 0x0f;
    std::size_t size = static_cast<std::uint8_t>(in[1]) & 0x7f;
    std::size_t const length_bytes = size == 126 ? 2 : size == 127 ? 8 : 0;
    if (in.size() < 2 + length_bytes) return;
    if (length_bytes > 0) size = 0;
    for (std::size_t i = 0; i < length_bytes; ++i)
      size = size << 8 | static_cast<std::uint8_t>(in[2 + i]);
    auto const start = 2 + length_bytes;
    if (in.size() < start + size) return;
    auto const payload = in.substr(start, size);
    if (opcode == kText) handle_text(payload);
    if (opcode == kClose)
      fail(fmt::format("the server closed: {}",
                       payload.size() > 2 ? payload.substr(2) : "no reason"));
    if (opcode == kPing) {
      text_.assign(payload);
      send_frame(kPong);
      tcp_.flush();
    }
    tcp_.take(start + size);
  }
}

void AgentConnection::handle_text(std::string_view text) {
  if (text.find(R"("type":"ack")") != std::string_view::npos) {
    acked_ = std::max(acked_, find_number(text, R"("sequence":)"));
  } else if (text.find(R"("type":"welcome")") != std::string_view::npos) {
    welcome_ = true;
  } else if (text.find(R"("type":"nack")") != std::string_view::npos) {
    nacked_ += find_number(text, R"("last":)") - find_number(text, R"("sequence":)") + 1;
  } else if (text.find(R"("type":"error")") != std::string_view::npos) {
    fail(fmt::format("the server reports {}", text));
  }
}

}  // namespace headrace::bench
