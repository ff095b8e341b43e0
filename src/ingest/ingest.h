// SPDX-License-Identifier: Apache-2.0
// Ingest: what all protocol handlers share: the data types, the way into the broker from each io
// thread, the directory of sources, the accounting. One per process; the handlers (http_messages,
// agent_websocket) are made with a reference to it.
//   Wiring:   IoThreads::start() -> make() -> HttpServer routes with the handlers' make functions
//             -> server.start(). Stop: server.stop(deadline) -> broker.stop() -> close() ->
//             IoThreads::stop() ->
//                   destroy.
//   Threads:  make, close and the destructor from one controlling thread; gate() from that io
//             thread; the rest from any.
//   Lifetime: everything in Deps outlives it; it outlives the HttpServer and its handlers.
#pragma once

#include <memory>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "base/metrics.h"
#include "broker/broker.h"
#include "identity/authenticator.h"
#include "ingest/accounting.h"
#include "ingest/gate.h"
#include "ingest/source_directory.h"
#include "ingest/type_table.h"
#include "model/data_type.h"
#include "model/limits.h"
#include "net/io_threads.h"

namespace headrace::ingest {

struct Config {
  model::Limits limits{};
  SourceDirectoryOptions sources{};
  GateOptions gate{};
};

struct Deps {
  broker::Broker& broker;
  identity::Authenticator& authenticator;
  base::Registry& metrics;
  base::Clock& clock;
  net::IoThreads& threads;
};

class Ingest {
 public:
  // Opens a topic per data type. Errors: of Broker::open_topic; invalid_argument: more than
  // kDataTypesMax types, or one twice.
  static base::Result<std::unique_ptr<Ingest>> make(Config config, Deps deps,
                                                    std::vector<model::DataType> const& types);
  ~Ingest();
  Ingest(Ingest const&) = delete;
  Ingest& operator=(Ingest const&) = delete;

  Config const& config() const { return config_; }
  Deps const& deps() const { return deps_; }
  TypeTable const& types() const { return types_; }
  SourceDirectory& sources() { return sources_; }
  Accounting& accounting() { return accounting_; }
  // The io thread's own way into the broker.
  Gate& gate(net::IoThread& thread) { return *gates_.at(thread.index()); }
  // Settles what the broker has settled, on every io thread, then refuses everything. After
  // HttpServer::stop and Broker::stop.
  void close();

 private:
  Ingest(Config config, Deps deps, TypeTable types);

  Config config_;
  Deps deps_;
  TypeTable types_;
  SourceDirectory sources_;
  Accounting accounting_;
  std::vector<std::unique_ptr<Gate>> gates_;
};

}  // namespace headrace::ingest
