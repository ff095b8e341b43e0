// SPDX-License-Identifier: Apache-2.0
#include "dispatch/status.h"

namespace headrace::dispatch {

std::string_view name(ReceiverState state) {
  switch (state) {
    case ReceiverState::kStarting: return "starting";
    case ReceiverState::kRunning: return "running";
    case ReceiverState::kCatchingUp: return "catching_up";
    case ReceiverState::kRetrying: return "retrying";
    case ReceiverState::kHung: return "hung";
    case ReceiverState::kBlocked: return "blocked";
    case ReceiverState::kFailed: return "failed";
    case ReceiverState::kStopped: return "stopped";
  }
  return "unknown";
}

}  // namespace headrace::dispatch
