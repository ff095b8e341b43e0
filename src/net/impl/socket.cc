// SPDX-License-Identifier: Apache-2.0
#include "net/impl/socket.h"

#include <fmt/format.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace headrace::net {

KernelAddress to_kernel(SocketAddress const& address) {
  KernelAddress out;
  if (address.v6) {
    auto* v6 = reinterpret_cast<sockaddr_in6*>(&out.storage);
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(address.port);
    std::memcpy(&v6->sin6_addr, address.ip.data(), 16);
    out.length = sizeof(sockaddr_in6);
  } else {
    auto* v4 = reinterpret_cast<sockaddr_in*>(&out.storage);
    v4->sin_family = AF_INET;
    v4->sin_port = htons(address.port);
    std::memcpy(&v4->sin_addr, address.ip.data() + 12, 4);
    out.length = sizeof(sockaddr_in);
  }
  return out;
}

SocketAddress from_kernel(KernelAddress const& address) {
  SocketAddress out;
  if (address.storage.ss_family == AF_INET6) {
    auto const* v6 = reinterpret_cast<sockaddr_in6 const*>(&address.storage);
    std::memcpy(out.ip.data(), &v6->sin6_addr, 16);
    out.port = ntohs(v6->sin6_port);
    out.v6 = true;
  } else if (address.storage.ss_family == AF_INET) {
    auto const* v4 = reinterpret_cast<sockaddr_in const*>(&address.storage);
    out.ip[10] = out.ip[11] = 0xff;
    std::memcpy(out.ip.data() + 12, &v4->sin_addr, 4);
    out.port = ntohs(v4->sin_port);
  }
  return out;
}

void set_no_delay(int fd) {
  int const on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

base::Result<int> listen_on(SocketAddress const& address) {
  auto const fail = [&](int fd) -> base::Error {
    int const error = errno;
    if (fd >= 0) ::close(fd);
    return base::system_error(error, "listen on " + to_string_with_port(address));
  };
  int const fd =
      ::socket(address.v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return fail(fd);
  int const on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (address.v6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  auto kernel = to_kernel(address);
  if (::bind(fd, kernel.get(), kernel.length) != 0) return fail(fd);
  if (::listen(fd, 4096) != 0) return fail(fd);
  return fd;
}

std::uint16_t local_port(int fd) {
  KernelAddress kernel;
  if (::getsockname(fd, kernel.get(), &kernel.length) != 0) return 0;
  return from_kernel(kernel).port;
}

int accept_one(int listener, SocketAddress& peer) {
  KernelAddress kernel;
  int const fd = ::accept4(listener, kernel.get(), &kernel.length, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd < 0) return -1;
  set_no_delay(fd);
  peer = from_kernel(kernel);
  return fd;
}

base::Result<int> start_connect(SocketAddress const& address) {
  int const fd =
      ::socket(address.v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return base::system_error(errno, "socket");
  set_no_delay(fd);
  auto kernel = to_kernel(address);
  if (::connect(fd, kernel.get(), kernel.length) != 0 && errno != EINPROGRESS) {
    int const error = errno;
    ::close(fd);
    return base::Error{
        base::ErrorCode::kUnavailable,
        fmt::format("connect to {}: {}", to_string_with_port(address), std::strerror(error))};
  }
  return fd;
}

int connect_error(int fd) {
  int error = 0;
  socklen_t length = sizeof error;
  if (::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0) return errno;
  return error;
}

}  // namespace headrace::net
