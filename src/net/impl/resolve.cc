// SPDX-License-Identifier: Apache-2.0
#include "net/impl/resolve.h"

#include <fmt/format.h>
#include <netdb.h>

#include <algorithm>
#include <cstring>

#include "net/impl/io_thread_impl.h"
#include "net/impl/socket.h"

namespace headrace::net {

base::Result<Addresses> resolve(std::string const& host, std::uint16_t port) {
  if (host != "localhost") {
    if (auto literal = parse_address(host, port)) return Addresses{*literal};
  }
  addrinfo wanted{};
  wanted.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (int const error = getaddrinfo(host.c_str(), nullptr, &wanted, &found); error != 0) {
    return base::Error{base::ErrorCode::kUnavailable,
                       fmt::format("host '{}': {}", host, gai_strerror(error))};
  }
  Addresses out;
  for (auto const* at = found; at != nullptr; at = at->ai_next) {
    KernelAddress kernel;
    kernel.length = at->ai_addrlen;
    std::memcpy(&kernel.storage, at->ai_addr, at->ai_addrlen);
    auto address = from_kernel(kernel);
    address.port = port;
    if (std::find(out.begin(), out.end(), address) == out.end()) out.push_back(address);
  }
  freeaddrinfo(found);
  if (out.empty())
    return base::Error{base::ErrorCode::kUnavailable,
                       fmt::format("host '{}' has no address", host)};
  return out;
}

void resolve_later(IoThread& thread, std::string host, std::uint16_t port,
                   std::function<void(base::Result<Addresses>)> call) {
  if (auto literal = parse_address(host, port); literal && host != "localhost") {
    thread.post([call = std::move(call), address = *literal] { call(Addresses{address}); });
    return;
  }
  auto& queries = thread.impl().name_queries;
  std::erase_if(queries, [](NameQuery& q) {
    if (!q.done->load()) return false;
    q.thread.join();
    return true;
  });
  auto done = std::make_shared<std::atomic<bool>>(false);
  auto query = [&thread, host = std::move(host), port, call = std::move(call), done] {
    thread.post([call, result = resolve(host, port)] { call(result); });
    done->store(true);
  };
  queries.push_back({std::thread(std::move(query)), done});
}

}  // namespace headrace::net
