// SPDX-License-Identifier: Apache-2.0
// Error and Result: what can go wrong in operation. Bugs are asserts (base/assert.h); no exception
// crosses a module.
//   Threads: values, copy and move freely.
#pragma once

#include <boost/system/result.hpp>
#include <string>
#include <string_view>

namespace headrace::base {

// The one set of codes. api/ and the handlers map them to HTTP, WebSocket and MQTT by one table
// (base/error_map.h).
enum class ErrorCode : unsigned char {
  kInvalidArgument,  // the input is wrong; the same input will always be refused
  kNotFound,
  kAlreadyExists,
  kUnauthenticated,  // who are you?
  kDenied,           // known, but not allowed
  kTooLarge,         // a documented bound was passed
  kOverloaded,       // a queue, window or disk is full: try later
  kUnavailable,      // a backend is away
  kTimedOut,
  kCancelled,
  kCorrupt,   // stored bytes are not what was written
  kIo,        // the operating system refused
  kInternal,  // a bug that was contained
};

// snake_case name as used in JSON bodies and logs ("invalid_argument").
std::string_view name(ErrorCode code);

struct Error {
  ErrorCode code = ErrorCode::kInternal;
  std::string context;  // what, where, what was expected; for people; no secrets

  bool operator==(Error const&) const = default;
};

// "invalid_argument: <context>"
std::string to_string(Error const& error);

// `result.value()` on an error is a bug: it aborts with the error's text.
[[noreturn]] void throw_exception_from_error(Error const& error,
                                             boost::source_location const& where);

template <class T = void>
using Result = boost::system::result<T, Error>;

// For errno after a system call: kIo, or kOverloaded for ENOSPC, EDQUOT, EMFILE, ENFILE and ENOMEM.
Error system_error(int error_number, std::string_view what);

}  // namespace headrace::base

// auto x = TRY(f()): on an error returns it from the enclosing function.
#define HEADRACE_CONCAT_(a, b) a##b
#define HEADRACE_CONCAT(a, b) HEADRACE_CONCAT_(a, b)
#define HEADRACE_TRY(declaration, expression) \
  HEADRACE_TRY_(HEADRACE_CONCAT(result_, __LINE__), declaration, expression)
#define HEADRACE_TRY_(r, declaration, expression) \
  auto r = (expression);                          \
  if (!r) return std::move(r).error();            \
  declaration = std::move(*r)
#define HEADRACE_TRY_VOID(expression)                              \
  do {                                                             \
    if (auto r_ = (expression); !r_) return std::move(r_).error(); \
  } while (false)
