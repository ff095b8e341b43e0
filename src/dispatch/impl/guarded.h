// SPDX-License-Identifier: Apache-2.0
// guarded: calls into a receiver; what it throws becomes an error. Receivers may be plugins, and no
// exception crosses here.
//   Threads: pure.
#pragma once

#include <exception>
#include <string>
#include <type_traits>

#include "base/error.h"

namespace headrace::dispatch::impl {

template <class F>
std::invoke_result_t<F> guarded(char const* what, F&& f) {
  try {
    return f();
  } catch (std::exception const& e) {
    return base::Error{base::ErrorCode::kInternal, std::string(what) + " threw: " + e.what()};
  } catch (...) {
    return base::Error{base::ErrorCode::kInternal,
                       std::string(what) + " threw something that is no exception"};
  }
}

}  // namespace headrace::dispatch::impl
