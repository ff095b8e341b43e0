// SPDX-License-Identifier: Apache-2.0
#include "ingest/ingest.h"

namespace headrace::ingest {

Ingest::Ingest(Config config, Deps deps, TypeTable types)
    : config_(std::move(config)),
      deps_(deps),
      types_(std::move(types)),
      sources_(config_.sources),
      accounting_(deps_.metrics, types_) {}

base::Result<std::unique_ptr<Ingest>> Ingest::make(Config config, Deps deps,
                                                   std::vector<model::DataType> const& types) {
  HEADRACE_TRY(auto table, TypeTable::make(deps.broker, types));
  std::unique_ptr<Ingest> ingest(new Ingest(std::move(config), deps, std::move(table)));
  for (unsigned i = 0; i < deps.threads.count(); ++i) {
    auto gate = std::make_unique<Gate>(
        deps.threads.at(i), deps.broker, deps.authenticator.identity(), ingest->sources_,
        ingest->accounting_, deps.clock, ingest->config_.limits, ingest->config_.gate);
    deps.threads.run_on(i, [&gate] { gate->open(); });
    ingest->gates_.push_back(std::move(gate));
  }
  return ingest;
}

void Ingest::close() {
  for (auto& gate : gates_)
    if (!gate->closed()) deps_.threads.run_on(gate->thread().index(), [&gate] { gate->close(); });
}

Ingest::~Ingest() { close(); }

}  // namespace headrace::ingest
