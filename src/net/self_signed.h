// SPDX-License-Identifier: Apache-2.0
// Makes a self-signed certificate (P-256, SHA-256) for tests and first steps.   Threads: any.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "base/error.h"

namespace headrace::net {

struct SelfSigned {
  std::string certificate_pem, key_pem;
};

// `names` are DNS names or literal addresses for subjectAltName; the first is the common name. At
// least one.
base::Result<SelfSigned> make_self_signed(std::vector<std::string> const& names,
                                          std::chrono::hours valid_for = std::chrono::hours(24 *
                                                                                            365));

}  // namespace headrace::net
