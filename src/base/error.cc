// SPDX-License-Identifier: Apache-2.0
#include "base/error.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <system_error>

namespace headrace::base {

std::string_view name(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidArgument: return "invalid_argument";
    case ErrorCode::kNotFound: return "not_found";
    case ErrorCode::kAlreadyExists: return "already_exists";
    case ErrorCode::kUnauthenticated: return "unauthenticated";
    case ErrorCode::kDenied: return "denied";
    case ErrorCode::kTooLarge: return "too_large";
    case ErrorCode::kOverloaded: return "overloaded";
    case ErrorCode::kUnavailable: return "unavailable";
    case ErrorCode::kTimedOut: return "timed_out";
    case ErrorCode::kCancelled: return "cancelled";
    case ErrorCode::kCorrupt: return "corrupt";
    case ErrorCode::kIo: return "io";
    case ErrorCode::kInternal: return "internal";
  }
  return "internal";
}

std::string to_string(Error const& error) {
  return fmt::format("{}: {}", name(error.code), error.context);
}

void throw_exception_from_error(Error const& error, boost::source_location const& where) {
  std::fprintf(stderr, "%s:%u: value() of a failed result: %s\n", where.file_name(),
               static_cast<unsigned>(where.line()), to_string(error).c_str());
  std::fflush(stderr);
  std::abort();
}

Error system_error(int error_number, std::string_view what) {
  ErrorCode code = ErrorCode::kIo;
  switch (error_number) {
    case ENOSPC:
    case EDQUOT:
    case EMFILE:
    case ENFILE:
    case ENOMEM: code = ErrorCode::kOverloaded; break;
    default: break;
  }
  return {code, fmt::format("{}: {} (errno {})", what,
                            std::generic_category().message(error_number), error_number)};
}

}  // namespace headrace::base
