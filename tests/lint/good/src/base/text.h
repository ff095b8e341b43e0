// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>

namespace headrace::base {
std::string text();
}  // namespace headrace::base
