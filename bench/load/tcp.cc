// SPDX-License-Identifier: Apache-2.0
#include "load/tcp.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

namespace headrace::bench {

void fail(std::string_view what) {
  fmt::print(stderr, "headrace_load: {}\n", what);
  std::exit(1);
}

Tcp::Tcp(std::string const& host, std::uint16_t port) {
  fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  if (::inet_pton(AF_INET, host.c_str(), &address.sin_addr) != 1)
    fail(fmt::format("{} is no IPv4 address", host));
  if (fd_ < 0 || ::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0)
    fail(fmt::format("cannot connect to {}:{}: {}", host, port, std::strerror(errno)));
  int const on = 1;
  ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

Tcp::~Tcp() { ::close(fd_); }

void Tcp::set_nonblocking() {
  ::fcntl(fd_, F_SETFL, ::fcntl(fd_, F_GETFL) | O_NONBLOCK);
  nonblocking_ = true;
}

void Tcp::write(std::string_view bytes) {
  out_.append(bytes);
  flush();
}

bool Tcp::flush() {
  while (sent_ < out_.size()) {
    auto const n = ::send(fd_, out_.data() + sent_, out_.size() - sent_, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return false;
    if (n < 0) fail(fmt::format("send: {}", std::strerror(errno)));
    sent_ += static_cast<std::size_t>(n);
  }
  out_.clear();
  sent_ = 0;
  return true;
}

void Tcp::read() {
  static thread_local std::vector<char> buffer(1 << 18);
  for (;;) {
    auto const n = ::recv(fd_, buffer.data(), buffer.size(), 0);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return;
    if (n < 0) fail(fmt::format("receive: {}", std::strerror(errno)));
    if (n == 0)
      fail(fmt::format("the server closed the connection; last bytes: '{}'", in().substr(0, 200)));
    in_.append(buffer.data(), static_cast<std::size_t>(n));
    if (!nonblocking_) return;
  }
}

void Tcp::take(std::size_t bytes) {
  taken_ += bytes;
  if (taken_ == in_.size()) {
    in_.clear();
    taken_ = 0;
  } else if (taken_ > (1 << 16)) {
    in_.erase(0, taken_);
    taken_ = 0;
  }
}

}  // namespace headrace::bench
