// SPDX-License-Identifier: Apache-2.0
// Router: from method and path to a handler or an acceptor.   Threads: add before use, then find
// from any thread.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "net/http_server.h"

namespace headrace::net {

struct Route {
  Method method;
  Handler handler;
  RouteOptions options;
};

// All that is known of one path or prefix.
struct RoutedPath {
  std::vector<Route> routes;
  WebSocketAcceptor acceptor;

  Route const* find(Method method) const;  // HEAD finds GET
  std::string allow() const;               // "GET, HEAD, POST"
};

class Router {
 public:
  void add(Method method, std::string path, Handler handler, RouteOptions options);
  void add_websocket(std::string path, WebSocketAcceptor acceptor);
  RoutedPath const* find(std::string_view path) const;

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const {
      return std::hash<std::string_view>()(text);
    }
  };
  RoutedPath& entry(std::string path);

  std::unordered_map<std::string, RoutedPath, Hash, std::equal_to<>> exact_;
  std::vector<std::pair<std::string, RoutedPath>> prefixes_;  // longest first
};

}  // namespace headrace::net
