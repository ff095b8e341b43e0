// SPDX-License-Identifier: Apache-2.0
// Api: the REST routes, health, metrics and pages of the public server. What each answers is in
//      src/api/openapi.json, which is
// served at /api/v1/openapi.json and held true by tests/e2e and api_test.cc.
//   Threads:  construct, start, stop from the controlling thread; routes run on io threads and hand
//             what may block to two pools
//             ("query" for searches, "side" for the rest). status_json and sources from any thread
//             that may block.
//   Lifetime: everything in ApiDeps outlives it; it outlives the HttpServer. stop() after
//             HttpServer::stop and before
//             IoThreads::stop.
//   Bounds:   query_threads, query_queue; a reply of messages is streamed in pieces of kPieceBytes,
//             one piece in memory a reply.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/metrics.h"
#include "broker/broker.h"
#include "dispatch/dispatcher.h"
#include "documents/documents.h"
#include "identity/authenticator.h"
#include "ingest/ingest.h"
#include "net/http_server.h"
#include "receivers/live/live_feed.h"

namespace headrace::api {

struct ApiOptions {
  std::string version;
  std::string broker_type;  // "log", "memory"
  std::size_t query_threads = 2;
  std::size_t query_queue = 64;
  std::chrono::nanoseconds query_timeout = std::chrono::seconds(30);
  std::chrono::nanoseconds fresh_wait = std::chrono::seconds(2);  // for read-your-writes
};

// A receiver of type documents that can be asked.
struct Archive {
  std::string receiver;
  documents::Documents const* documents = nullptr;
};

struct ReceiverType {
  std::string receiver, type;
};

struct ApiDeps {
  net::IoThreads& threads;
  identity::Authenticator& authenticator;
  broker::Broker& broker;
  dispatch::Dispatcher& dispatcher;
  ingest::Ingest& ingest;
  base::Registry& metrics;
  base::Clock& clock;
  std::vector<Archive> archives;  // the first is asked when a question names none
  std::vector<ReceiverType> receiver_types;
  receivers::live::LiveFeed const* live = nullptr;
};

class Api {
 public:
  Api(ApiOptions options, ApiDeps deps);
  ~Api();
  Api(Api const&) = delete;
  Api& operator=(Api const&) = delete;

  // Before the server starts. Adds the server's own numbers to the metrics: `server` must outlive
  // their rendering.
  void add_routes(net::HttpServer& server);
  void start();
  void stopping();  // /readyz answers 503 from now on
  void stop();      // cancels searches, joins the pools; idempotent

  std::string status_json();                                // the object of GET /api/v1/status
  std::vector<receivers::live::LiveSource> live_sources();  // the first 1000

  class Impl;

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace headrace::api
