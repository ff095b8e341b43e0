// SPDX-License-Identifier: Apache-2.0
#include "base/error_map.h"

namespace headrace::base {
namespace {

struct Row {
  std::uint16_t http;
  std::uint16_t websocket;
  bool retryable;
};

constexpr Row row(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidArgument: return {400, 1007, false};
    case ErrorCode::kNotFound: return {404, 1008, false};
    case ErrorCode::kAlreadyExists: return {409, 1008, false};
    case ErrorCode::kUnauthenticated: return {401, 1008, false};
    case ErrorCode::kDenied: return {403, 1008, false};
    case ErrorCode::kTooLarge: return {413, 1009, false};
    case ErrorCode::kOverloaded: return {503, 1013, true};
    case ErrorCode::kUnavailable: return {503, 1013, true};
    case ErrorCode::kTimedOut: return {504, 1013, true};
    case ErrorCode::kCancelled: return {503, 1001, true};
    case ErrorCode::kCorrupt: return {500, 1011, false};
    case ErrorCode::kIo: return {500, 1011, false};
    case ErrorCode::kInternal: return {500, 1011, false};
  }
  return {500, 1011, false};
}

}  // namespace

std::uint16_t http_status(ErrorCode code) { return row(code).http; }
bool retryable(ErrorCode code) { return row(code).retryable; }
std::uint16_t websocket_close_code(ErrorCode code) { return row(code).websocket; }

}  // namespace headrace::base
