// SPDX-License-Identifier: Apache-2.0
// TestPeer: a blocking TCP client of raw bytes for tests. Every wait ends after 20 s, so that a
// test fails instead of hanging.
//   Threads: one.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "base/assert.h"

namespace headrace::net {

class TestPeer {
 public:
  explicit TestPeer(std::uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    timeval const limit{20, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    ::setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    int const connected = ::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address);
    HEADRACE_ASSERT(connected == 0, "a test cannot connect");
  }
  TestPeer(TestPeer&& other) noexcept
      : fd_(std::exchange(other.fd_, -1)), read_(std::move(other.read_)) {}
  TestPeer& operator=(TestPeer&&) = delete;
  ~TestPeer() {
    if (fd_ >= 0) ::close(fd_);
  }

  // Stops quietly when the peer has closed.
  void send(std::string_view bytes) {
    while (!bytes.empty()) {
      auto const sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
  }
  void half_close() { ::shutdown(fd_, SHUT_WR); }
  // Breaks the connection: the peer gets a reset.
  void reset() {
    linger const now{1, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    ::close(std::exchange(fd_, -1));
  }
  // Everything up to and including `mark`; "" when the connection ended before.
  std::string read_until(std::string_view mark) {
    while (read_.find(mark) == read_.npos) {
      if (!read_more()) return "";
    }
    return take(read_.find(mark) + mark.size());
  }
  std::string read_exactly(std::size_t bytes) {
    while (read_.size() < bytes) {
      if (!read_more()) return "";
    }
    return take(bytes);
  }
  std::string read_to_end() {
    while (read_more()) {
    }
    return std::exchange(read_, {});
  }

 private:
  bool read_more() {
    char buffer[65536];
    auto const got = ::recv(fd_, buffer, sizeof buffer, 0);
    if (got > 0) read_.append(buffer, static_cast<std::size_t>(got));
    return got > 0;
  }
  std::string take(std::size_t bytes) {
    std::string out = read_.substr(0, bytes);
    read_.erase(0, bytes);
    return out;
  }

  int fd_;
  std::string read_;
};

}  // namespace headrace::net
