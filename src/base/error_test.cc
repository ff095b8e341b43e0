// SPDX-License-Identifier: Apache-2.0
#include "base/error.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <set>

#include "base/assert.h"
#include "base/error_map.h"

namespace headrace::base {
namespace {

struct Mapping {
  ErrorCode code;
  std::string_view name;
  int http, websocket;
  bool retryable;
};
constexpr Mapping kMappings[] = {
    {ErrorCode::kInvalidArgument, "invalid_argument", 400, 1007, false},
    {ErrorCode::kNotFound, "not_found", 404, 1008, false},
    {ErrorCode::kAlreadyExists, "already_exists", 409, 1008, false},
    {ErrorCode::kUnauthenticated, "unauthenticated", 401, 1008, false},
    {ErrorCode::kDenied, "denied", 403, 1008, false},
    {ErrorCode::kTooLarge, "too_large", 413, 1009, false},
    {ErrorCode::kOverloaded, "overloaded", 503, 1013, true},
    {ErrorCode::kUnavailable, "unavailable", 503, 1013, true},
    {ErrorCode::kTimedOut, "timed_out", 504, 1013, true},
    {ErrorCode::kCancelled, "cancelled", 503, 1001, true},
    {ErrorCode::kCorrupt, "corrupt", 500, 1011, false},
    {ErrorCode::kIo, "io", 500, 1011, false},
    {ErrorCode::kInternal, "internal", 500, 1011, false},
};

TEST(ErrorMap, EachCodeHasOneAnswerPerProtocol) {
  for (auto const& m : kMappings) {
    EXPECT_EQ(name(m.code), m.name);
    EXPECT_EQ(http_status(m.code), m.http) << m.name;
    EXPECT_EQ(websocket_close_code(m.code), m.websocket) << m.name;
    EXPECT_EQ(retryable(m.code), m.retryable) << m.name;
  }
}

TEST(SystemError, FullDiskAndDescriptorsAreOverloaded) {
  for (int const number : {ENOSPC, EDQUOT, EMFILE, ENFILE, ENOMEM})
    EXPECT_EQ(system_error(number, "x").code, ErrorCode::kOverloaded) << number;
  EXPECT_EQ(system_error(EIO, "x").code, ErrorCode::kIo);
  EXPECT_EQ(to_string(system_error(EIO, "write 'f'")),
            "io: write 'f': Input/output error (errno 5)");
}

Result<int> half(int value) {
  if (value % 2 != 0) return Error{ErrorCode::kInvalidArgument, "odd"};
  return value / 2;
}
Result<int> quarter(int value) {
  HEADRACE_TRY(int const h, half(value));
  HEADRACE_TRY_VOID(half(h));
  return half(h);
}

TEST(Result, TryReturnsTheErrorOfTheFirstThatFails) {
  EXPECT_EQ(*quarter(8), 2);
  EXPECT_EQ(quarter(6).error(), (Error{ErrorCode::kInvalidArgument, "odd"}));
}

TEST(ResultDeathTest, ValueOfAnErrorAbortsWithItsText) {
  EXPECT_DEATH((void)half(1).value(), "invalid_argument: odd");
  EXPECT_DEATH(HEADRACE_ASSERT(1 == 2, "never"), "never \\(1 == 2\\)");
}

}  // namespace
}  // namespace headrace::base
