// SPDX-License-Identifier: Apache-2.0
#include "net/websocket.h"

namespace headrace::net {

std::string choose_subprotocol(RequestHead const& head,
                               std::span<std::string_view const> supported) {
  for (auto const wanted : supported) {
    for (auto const& h : head.headers) {
      if (equals_ignoring_case(h.name, "sec-websocket-protocol") &&
          list_has_token(h.value, wanted)) {
        return std::string(wanted);
      }
    }
  }
  return "";
}

}  // namespace headrace::net
