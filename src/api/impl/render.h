// SPDX-License-Identifier: Apache-2.0
// The JSON of receivers, dead letters, sources and the broker, as openapi.json describes them.
// Threads: callers may block.
#pragma once

#include <string>

#include "api/impl/context.h"

namespace headrace::api {

void append_receivers_brief(std::string& out, Context const& context);  // for the status
void append_receivers(std::string& out, Context const& context);        // with ledgers
base::Result<std::string> receiver_json(Context const& context, std::string_view receiver);
void append_dead_letter(std::string& out, std::string_view receiver,
                        dispatch::DeadLetter const& letter);
void append_source(std::string& out, ingest::SourceInfo const& source);
void append_broker(std::string& out, Context const& context);

}  // namespace headrace::api
