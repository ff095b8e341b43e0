// SPDX-License-Identifier: Apache-2.0
// TCP sockets by system calls: listen, accept, connect, and addresses to and from the kernel's
// form.   Threads: any.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include "base/error.h"
#include "net/address.h"

namespace headrace::net {

struct KernelAddress {
  sockaddr_storage storage{};
  socklen_t length = sizeof(sockaddr_storage);
  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
};

KernelAddress to_kernel(SocketAddress const& address);
SocketAddress from_kernel(KernelAddress const& address);

// A non-blocking listening socket; io names the address and errno.
base::Result<int> listen_on(SocketAddress const& address);
std::uint16_t local_port(int fd);
// One waiting connection as a non-blocking socket without Nagle's delay; -1 and errno when there is
// none.
int accept_one(int listener, SocketAddress& peer);
// Starts connecting; the socket is writable when it is decided (connect_error).
base::Result<int> start_connect(SocketAddress const& address);
int connect_error(int fd);  // 0: connected
void set_no_delay(int fd);

}  // namespace headrace::net
