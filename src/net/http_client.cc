// SPDX-License-Identifier: Apache-2.0
#include "net/http_client.h"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "net/impl/http_parser.h"
#include "net/impl/http_writer.h"
#include "net/impl/resolve.h"
#include "net/impl/socket.h"
#include "net/impl/tls_engine.h"
#include "net/url.h"

namespace headrace::net {

struct HttpClient::Impl {
  Impl(Url u, HttpClientOptions o) : url(std::move(u)), options(std::move(o)) {}
  ~Impl() { disconnect(); }

  base::Result<void> connect();
  base::Result<void> connect_to(SocketAddress const& address);
  void disconnect();
  base::Result<void> wait(short events);
  base::Result<void> send_all(std::string_view plain);
  base::Result<void> flush(std::string const& bytes);
  // Plain bytes into `into`; 0: the server has closed.
  base::Result<std::size_t> receive(std::span<char> into);
  base::Result<std::size_t> receive_raw(std::span<char> into);
  base::Result<HttpReply> exchange(std::string const& text, bool head_only);
  base::Result<HttpReply> read_reply(bool head_only);
  base::Error unavailable(std::string_view why) const {
    return {base::ErrorCode::kUnavailable, fmt::format("{}: {}", url.host_header(), why)};
  }

  Url url;
  HttpClientOptions options;
  std::chrono::steady_clock::time_point deadline;
  int fd = -1;
  bool got_any = false;  // something of the reply has come
  std::unique_ptr<TlsEngine> tls;
};

void HttpClient::Impl::disconnect() {
  if (fd >= 0) ::close(std::exchange(fd, -1));
  tls.reset();
}

base::Result<void> HttpClient::Impl::wait(short events) {
  while (true) {
    auto const left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now())
            .count();
    pollfd entry{fd, events, 0};
    int const ready = left <= 0 ? 0 : ::poll(&entry, 1, static_cast<int>(left));
    if (ready > 0) return {};
    if (ready < 0 && errno == EINTR) continue;
    if (ready < 0) return base::system_error(errno, "poll");
    return base::Error{
        base::ErrorCode::kTimedOut,
        fmt::format("{}: no answer within {} ms", url.host_header(), options.timeout.count())};
  }
}

base::Result<void> HttpClient::Impl::connect() {
  HEADRACE_TRY(auto const addresses, resolve(url.host, url.port));
  base::Error last = unavailable("no address");
  for (auto const& address : addresses) {
    auto connected = connect_to(address);
    if (connected) return {};
    last = connected.error();
    disconnect();
    if (last.code == base::ErrorCode::kTimedOut) break;
  }
  return last;
}

base::Result<void> HttpClient::Impl::connect_to(SocketAddress const& address) {
  HEADRACE_TRY(fd, start_connect(address));
  HEADRACE_TRY_VOID(wait(POLLOUT));
  if (int const error = connect_error(fd); error != 0) {
    return unavailable(
        fmt::format("connect to {}: {}", to_string_with_port(address), std::strerror(error)));
  }
  if (!url.tls) return {};
  HEADRACE_TRY(tls, TlsEngine::client(options.tls, url.host));
  return {};
}

base::Result<void> HttpClient::Impl::flush(std::string const& bytes) {
  std::size_t done = 0;
  while (done < bytes.size()) {
    auto const sent = ::send(fd, bytes.data() + done, bytes.size() - done, MSG_NOSIGNAL);
    if (sent > 0) {
      done += static_cast<std::size_t>(sent);
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      HEADRACE_TRY_VOID(wait(POLLOUT));
    } else if (errno != EINTR) {
      return unavailable(std::strerror(errno));
    }
  }
  return {};
}

base::Result<void> HttpClient::Impl::send_all(std::string_view plain) {
  if (!tls) return flush(std::string(plain));
  std::string cipher;
  tls->write(plain, cipher);
  return flush(cipher);
}

base::Result<std::size_t> HttpClient::Impl::receive_raw(std::span<char> into) {
  while (true) {
    auto const got = ::recv(fd, into.data(), into.size(), 0);
    if (got >= 0) return static_cast<std::size_t>(got);
    if (errno == EAGAIN || errno == EWOULDBLOCK) {
      HEADRACE_TRY_VOID(wait(POLLIN));
    } else if (errno != EINTR) {
      return unavailable(std::strerror(errno));
    }
  }
}

base::Result<std::size_t> HttpClient::Impl::receive(std::span<char> into) {
  if (!tls) return receive_raw(into);
  std::array<char, 16'384> cipher;
  while (true) {
    if (auto const got = tls->read(into); got > 0) return got;
    std::string due;
    tls->take(due);
    HEADRACE_TRY_VOID(flush(due));
    if (tls->failed()) return unavailable("TLS: " + tls->failure());
    if (tls->ended()) return std::size_t{0};
    HEADRACE_TRY(auto const got, receive_raw(cipher));
    if (got == 0) return std::size_t{0};
    tls->feed({cipher.data(), got});
  }
}

base::Result<HttpReply> HttpClient::Impl::read_reply(bool head_only) {
  HttpParser parser(HttpRole::kResponse, {.header_bytes_max = 64u << 10, .header_count_max = 500});
  HttpReply reply;
  std::string buffer(64u << 10, '\0');
  std::span<char> input;
  bool keep = false, at_end = false;
  while (true) {
    auto const event = at_end ? parser.finish() : parser.next(input);
    switch (event) {
      case HttpEvent::kFault:
        return base::Error{base::ErrorCode::kCorrupt,
                           fmt::format("{}: {}", url.host_header(), parser.fault().message)};
      case HttpEvent::kNeedMore: {
        if (at_end) return unavailable("the server closed the connection without an answer");
        HEADRACE_TRY(auto const got, receive(buffer));
        at_end = got == 0;
        got_any = got_any || got > 0;
        input = std::span<char>(buffer).first(got);
        break;
      }
      case HttpEvent::kHead: {
        auto const& head = parser.head();
        reply.status = head.status;
        reply.headers.clear();
        for (auto const& h : head.headers) reply.headers.emplace_back(h.name, h.value);
        keep = !head.http10 && head.framing != HttpFraming::kUntilClose &&
               !list_has_token(head.header("connection").value_or(""), "close");
        if (head_only && head.status >= 200) parser.no_body();
        break;
      }
      case HttpEvent::kBody:
        if (reply.body.size() + parser.body_piece().size() > options.body_bytes_max) {
          return base::Error{
              base::ErrorCode::kTooLarge,
              fmt::format("the reply is larger than {} bytes", options.body_bytes_max)};
        }
        reply.body.append(parser.body_piece().data(), parser.body_piece().size());
        break;
      case HttpEvent::kEnd:
        if (reply.status < 200) break;  // 100 Continue
        if (!keep || at_end) disconnect();
        return reply;
    }
  }
}

base::Result<HttpReply> HttpClient::Impl::exchange(std::string const& text, bool head_only) {
  deadline = std::chrono::steady_clock::now() + options.timeout;
  bool const kept = fd >= 0;
  got_any = false;
  if (!kept) HEADRACE_TRY_VOID(connect());
  auto sent = send_all(text);
  // A server that refuses early answers before it has read all: its reply matters more than the
  // failed send.
  auto reply = read_reply(head_only);
  if (!reply && !sent) reply = sent.error();
  if (reply) return reply;
  disconnect();
  bool const dead = kept && !got_any && reply.error().code == base::ErrorCode::kUnavailable;
  return dead ? exchange(text, head_only) : reply;
}

HttpClient::HttpClient(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
HttpClient::HttpClient(HttpClient&&) noexcept = default;
HttpClient& HttpClient::operator=(HttpClient&&) noexcept = default;
HttpClient::~HttpClient() = default;

base::Result<HttpClient> HttpClient::open(std::string_view base_url, HttpClientOptions options) {
  HEADRACE_TRY(auto url, parse_url(base_url));
  return HttpClient(std::make_unique<Impl>(std::move(url), std::move(options)));
}

base::Result<HttpReply> HttpClient::request(std::string_view method, std::string_view target,
                                            HeaderFields const& headers, std::string_view body) {
  std::string text =
      fmt::format("{} {} HTTP/1.1\r\nHost: {}\r\n", method, target, impl_->url.host_header());
  for (auto const& [name, value] : headers) {
    if (!sendable(name, value)) {
      return base::Error{base::ErrorCode::kInvalidArgument,
                         fmt::format("header '{}' cannot be sent", name)};
    }
    text += fmt::format("{}: {}\r\n", name, value);
  }
  bool const with_length =
      !body.empty() || method == "POST" || method == "PUT" || method == "PATCH";
  if (with_length) text += fmt::format("Content-Length: {}\r\n", body.size());
  text += "\r\n";
  text += body;
  return impl_->exchange(text, method == "HEAD");
}

base::Result<HttpReply> HttpClient::post(std::string_view target, std::string_view content_type,
                                         std::string_view body, HeaderFields headers) {
  headers.emplace_back("Content-Type", content_type);
  return request("POST", target, headers, body);
}

std::optional<std::string_view> HttpReply::header(std::string_view wanted) const {
  for (auto const& [header_name, value] : headers) {
    if (equals_ignoring_case(header_name, wanted)) return value;
  }
  return std::nullopt;
}

}  // namespace headrace::net
