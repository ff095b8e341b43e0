// SPDX-License-Identifier: Apache-2.0
// Host names to addresses.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/error.h"
#include "net/address.h"
#include "net/io_threads.h"

namespace headrace::net {

using Addresses = std::vector<SocketAddress>;

// Blocks while the name service answers. unavailable: no such name, or no answer.
base::Result<Addresses> resolve(std::string const& host, std::uint16_t port);
// The same without blocking: `call` runs on `thread`, later. Call on `thread`.
void resolve_later(IoThread& thread, std::string host, std::uint16_t port,
                   std::function<void(base::Result<Addresses>)> call);

}  // namespace headrace::net
