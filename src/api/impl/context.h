// SPDX-License-Identifier: Apache-2.0
// Context: what the routes share. Threads: the pools from any thread; the rest as its parts say.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "api/api.h"
#include "api/impl/pool.h"

namespace headrace::api {

struct Context {
  ApiOptions options;
  ApiDeps deps;
  Pool query_pool;  // searches
  Pool side_pool;   // everything else that may touch a disk or a lock for long
  std::atomic<bool> stopping{false};
  std::atomic<std::size_t> waiting_questions{0};  // for a store to have applied what they must see

  Context(ApiOptions o, ApiDeps d)
      : options(std::move(o)),
        deps(std::move(d)),
        query_pool("query", options.query_threads, options.query_queue),
        side_pool("api", 1, 256) {}
};

// Runs `make` on the side pool and sends what it returns.
inline void answer_from_pool(Context& context, net::Responder responder,
                             std::function<net::Response()> make) {
  auto shared = std::make_shared<net::Responder>(std::move(responder));
  auto& thread = shared->thread();
  auto const taken = context.side_pool.run([shared, &thread, make = std::move(make)]() mutable {
    auto response = std::make_shared<net::Response>(make());
    thread.post([shared = std::move(shared), response] { shared->send(std::move(*response)); });
  });
  if (!taken) shared->send(net::error_response(taken.error()));
}

}  // namespace headrace::api
