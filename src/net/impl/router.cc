// SPDX-License-Identifier: Apache-2.0
#include "net/impl/router.h"

#include <algorithm>

#include "base/assert.h"

namespace headrace::net {

Route const* RoutedPath::find(Method method) const {
  auto const with = [&](Method wanted) {
    auto const at = std::find_if(routes.begin(), routes.end(),
                                 [&](auto const& r) { return r.method == wanted; });
    return at == routes.end() ? nullptr : &*at;
  };
  auto const* const found = with(method);
  return found == nullptr && method == Method::kHead ? with(Method::kGet) : found;
}

std::string RoutedPath::allow() const {
  std::string out;
  auto const add = [&](std::string_view method_name) {
    if (!out.empty()) out += ", ";
    out += method_name;
  };
  for (auto const& r : routes) {
    add(name(r.method));
    if (r.method == Method::kGet) add("HEAD");
  }
  if (out.empty() && acceptor) add("GET");
  return out;
}

RoutedPath& Router::entry(std::string path) {
  HEADRACE_ASSERT(path.starts_with('/'), "a route's path starts with '/'");
  if (!path.ends_with("/*")) return exact_[std::move(path)];
  path.pop_back();
  auto at = prefixes_.begin();
  while (at != prefixes_.end() && at->first.size() >= path.size() && at->first != path) ++at;
  if (at == prefixes_.end() || at->first != path) at = prefixes_.emplace(at, path, RoutedPath{});
  return at->second;
}

void Router::add(Method method, std::string path, Handler handler, RouteOptions options) {
  auto& known = entry(std::move(path));
  bool const taken = std::any_of(known.routes.begin(), known.routes.end(),
                                 [&](auto const& r) { return r.method == method; });
  HEADRACE_ASSERT(!taken, "the same method and path twice");
  known.routes.push_back({method, std::move(handler), options});
}

void Router::add_websocket(std::string path, WebSocketAcceptor acceptor) {
  auto& known = entry(std::move(path));
  HEADRACE_ASSERT(!known.acceptor, "two WebSocket acceptors for one path");
  known.acceptor = std::move(acceptor);
}

RoutedPath const* Router::find(std::string_view path) const {
  if (auto const at = exact_.find(path); at != exact_.end()) return &at->second;
  for (auto const& [prefix, known] : prefixes_) {
    if (path.starts_with(prefix)) return &known;
  }
  return nullptr;
}

}  // namespace headrace::net
