// SPDX-License-Identifier: Apache-2.0
// HttpClient: a small blocking HTTP/1.1 client for the command line and tests. Keeps its connection
// between requests.
//   Threads:  one at a time; never on an io thread.
//   Errors:   invalid_argument (URL), unavailable (name, refused, TLS, broken), timed_out,
//   too_large, corrupt (not HTTP).
//             Any status is a result, not an error. Redirects are not followed.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "net/http_types.h"
#include "net/tls.h"

namespace headrace::net {

struct HttpClientOptions {
  std::chrono::milliseconds timeout{10'000};  // for one whole request
  std::size_t body_bytes_max = 64u << 20;
  TlsClientOptions tls = {};
};

struct HttpReply {
  int status = 0;
  HeaderFields headers;
  std::string body;
  std::optional<std::string_view> header(std::string_view name) const;  // case ignored
};

class HttpClient {
 public:
  // `base_url` gives scheme, host and port: "http://127.0.0.1:8080"; its path is ignored.
  static base::Result<HttpClient> open(std::string_view base_url, HttpClientOptions options = {});
  HttpClient(HttpClient&&) noexcept;
  HttpClient& operator=(HttpClient&&) noexcept;
  ~HttpClient();

  // `target` is path and query. A kept connection that turns out dead is opened anew once, when
  // nothing of a reply has come.
  base::Result<HttpReply> request(std::string_view method, std::string_view target,
                                  HeaderFields const& headers = {}, std::string_view body = {});
  base::Result<HttpReply> get(std::string_view target, HeaderFields const& headers = {}) {
    return request("GET", target, headers);
  }
  base::Result<HttpReply> post(std::string_view target, std::string_view content_type,
                               std::string_view body, HeaderFields headers = {});
  base::Result<HttpReply> del(std::string_view target, HeaderFields const& headers = {}) {
    return request("DELETE", target, headers);
  }

  struct Impl;

 private:
  explicit HttpClient(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace headrace::net
