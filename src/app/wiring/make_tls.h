// SPDX-License-Identifier: Apache-2.0
// The certificate that a config asks for: its files, or one made at the first start and kept in the
// data directory.
#pragma once

#include <optional>

#include "app/config/config.h"
#include "app/wiring/data_dir.h"
#include "net/tls.h"

namespace headrace::app {

base::Result<std::optional<net::TlsFiles>> make_tls(Config const& config, DataDir const& data);

}  // namespace headrace::app
