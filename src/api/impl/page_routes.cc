// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "api/impl/pages.h"
#include "api/impl/state_routes.h"

namespace headrace::api {
namespace {

constexpr std::string_view kPolicy =
    "default-src 'self'; connect-src 'self' ws: wss:; img-src 'self' data:; style-src 'self' "
    "'unsafe-inline'; object-src 'none'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

// The file for a path; the pages' own paths (without an extension) are all the index.
Page const* find_page(std::string_view path) {
  if (path.ends_with('/')) path = "/index.html";
  for (auto const& page : pages())
    if (page.path == path) return &page;
  bool const is_file = path.substr(path.rfind('/') + 1).find('.') != std::string_view::npos;
  return is_file || path.starts_with("/api/") ? nullptr : find_page("/");
}

net::Response page_response(net::RequestHead const& head, Page const& page) {
  bool const zipped =
      !page.gzip.empty() && net::list_has_token(head.header_or("Accept-Encoding", ""), "gzip");
  auto const etag = fmt::format("\"{}{}\"", page.digest, zipped ? "-gzip" : "");
  net::Response response{.status = 200, .headers = {}, .body = {}, .static_body = {}};
  response.headers = {
      {"Content-Type", std::string(page.content_type)},
      {"ETag", etag},
      {"Cache-Control", page.immutable ? "public, max-age=31536000, immutable" : "no-cache"},
      {"Content-Security-Policy", std::string(kPolicy)},
      {"X-Content-Type-Options", "nosniff"},
      {"Referrer-Policy", "no-referrer"},
      {"Vary", "Accept-Encoding"}};
  if (net::list_has_token(head.header_or("If-None-Match", ""), etag)) {
    response.status = 304;
    return response;
  }
  if (zipped) response.headers.emplace_back("Content-Encoding", "gzip");
  response.static_body = zipped ? page.gzip : page.plain;
  return response;
}

}  // namespace

void add_page_routes(net::HttpServer& server) {
  server.route(net::Method::kGet, "/*",
               [](net::Request const& request, net::Responder responder) {
                 auto const* page = find_page(request.path);
                 if (page == nullptr)
                   return responder.send(net::error_response(
                       404, "not_found", fmt::format("there is nothing at {}", request.path)));
                 responder.send(page_response(request, *page));
               },
               {.authorize = false});
}

}  // namespace headrace::api
