// SPDX-License-Identifier: Apache-2.0
#include "net/impl/http_connection.h"

#include <fmt/format.h>

#include <algorithm>

#include "net/impl/unpack.h"
#include "net/impl/websocket_codec.h"
#include "net/impl/websocket_connection.h"

namespace headrace::net {

namespace {

constexpr std::size_t kHeldBytesMax = 256u << 10;  // pipelined, while a request is handled
constexpr std::size_t kReadOffBytesMax =
    256u << 10;  // of a refused request's body, to keep the connection

// Path and query of a target in origin or absolute form.
std::string_view origin_form(std::string_view target) {
  auto const scheme_end = target.front() == '/' ? target.npos : target.find("://");
  if (scheme_end == target.npos) return target;
  auto const path = target.find_first_of("/?", scheme_end + 3);
  return path == target.npos ? "/" : target.substr(path);
}

}  // namespace

HttpConnection::HttpConnection(Connection& connection, HttpServerOptions const& options,
                               Router const& router, ServerCounters& counters,
                               std::uint16_t local_port)
    : connection_(connection),
      options_(options),
      router_(router),
      counters_(counters),
      parser_(HttpRole::kRequest, {options.header_bytes_max, options.header_count_max}),
      receiving_(&counters.receiving),
      local_port_(local_port) {
  set_phase(Phase::kFirst);
}

void HttpConnection::on_bytes(std::span<char> bytes) {
  if (stage_ == Stage::kReading) {
    process(bytes);
  } else {
    hold(bytes);
  }
}

void HttpConnection::hold(std::span<char> bytes) {
  held_.append(bytes.data(), bytes.size());
  if (held_.size() >= kHeldBytesMax) connection_.pause_reading();
}

void HttpConnection::process(std::span<char> bytes) {
  processing_ = true;
  while (stage_ == Stage::kReading && !connection_.closing() && !gone_) {
    if (!take(parser_.next(bytes), bytes)) break;
  }
  processing_ = false;
  if (upgraded_ || gone_ || connection_.closing()) return;
  if (stage_ != Stage::kReading && !bytes.empty()) hold(bytes);
  if (stage_ == Stage::kReading) parser_.keep_head();
  update_phase();
}

// False: nothing more can be done with these bytes.
bool HttpConnection::take(HttpEvent event, std::span<char>& bytes) {
  switch (event) {
    case HttpEvent::kNeedMore: return false;
    case HttpEvent::kHead: accept_head(); return true;
    case HttpEvent::kBody: accept_body(parser_.body_piece()); return true;
    case HttpEvent::kEnd:
      if (!refusal_ && wants_upgrade()) {
        upgrade(bytes);
        return false;
      }
      dispatch();
      return true;
    case HttpEvent::kFault: {
      auto const& fault = parser_.fault();
      counters_.requests.fetch_add(1, std::memory_order_relaxed);
      refuse_now(error_response(fault.status, fault.code, fault.message));
      return false;
    }
  }
  return false;
}

void HttpConnection::accept_head() {
  counters_.requests.fetch_add(1, std::memory_order_relaxed);
  ++exchange_;
  body_.release();
  whole_body_ = {};
  body_received_ = 0;
  refusal_.reset();
  routed_ = nullptr;
  route_ = nullptr;
  close_after_ = !keeps_alive();
  if (auto refused = describe_request()) return refuse_head(std::move(*refused));
  if (auto refused = check_request()) return refuse_head(std::move(*refused));
  auto const& head = parser_.head();
  bool const asks_first =
      head.framing != HttpFraming::kNone && !head.http10 && request_.header("expect");
  if (asks_first) connection_.write("HTTP/1.1 100 Continue\r\n\r\n");
}

bool HttpConnection::keeps_alive() const {
  auto const& head = parser_.head();
  auto const connection = head.header("connection").value_or("");
  if (list_has_token(connection, "close")) return false;
  return !head.http10 || list_has_token(connection, "keep-alive");
}

std::optional<Response> HttpConnection::describe_request() {
  auto const& head = parser_.head();
  auto const target = origin_form(head.target);
  auto const query = std::min(target.find('?'), target.size());
  request_ = Request{};
  request_.method = head.method;
  request_.method_name = head.method_name;
  request_.target = head.target;
  request_.raw_path = request_.path = target.substr(0, query);
  if (request_.raw_path.empty()) request_.raw_path = request_.path = "/";
  request_.query = query < target.size() ? target.substr(query + 1) : std::string_view();
  request_.headers = head.headers;
  request_.http10 = head.http10;
  request_.peer = connection_.peer();
  request_.local_port = local_port_;
  request_.tls = connection_.tls();
  if (request_.raw_path.find('%') == std::string_view::npos) return std::nullopt;
  auto decoded = percent_decode(request_.raw_path, false);
  if (!decoded || decoded->find('\0') != std::string::npos) {
    return error_response(400, "invalid_argument",
                          "the path has a broken escape; expected '%' and two hexadecimal digits");
  }
  decoded_path_ = std::move(*decoded);
  request_.path = decoded_path_;
  return std::nullopt;
}

std::optional<Response> HttpConnection::check_request() {
  if (options_.origin_policy) {
    if (auto refused = check_origin(request_, *options_.origin_policy)) return refused;
  }
  if (auto refused = check_route()) return refused;
  if (wants_upgrade()) return check_upgrade();
  return check_body_head();
}

std::optional<Response> HttpConnection::check_route() {
  routed_ = router_.find(request_.path);
  if (routed_ == nullptr) {
    return error_response(404, "not_found",
                          fmt::format("there is nothing at {}", request_.raw_path));
  }
  if (wants_upgrade()) return std::nullopt;
  route_ = routed_->find(request_.method);
  if (route_ != nullptr) return std::nullopt;
  if (routed_->acceptor && request_.method == Method::kGet) {
    auto response = error_response(426, "invalid_argument",
                                   fmt::format("{} speaks WebSocket only", request_.raw_path));
    response.headers.insert(response.headers.end(),
                            {{"Upgrade", "websocket"}, {"Connection", "Upgrade"}});
    return response;
  }
  auto const allow = routed_->allow();
  auto response = error_response(405, "invalid_argument",
                                 fmt::format("{} does not take {}; expected {}", request_.raw_path,
                                             request_.method_name, allow));
  response.headers.emplace_back("Allow", allow);
  return response;
}

std::optional<Response> HttpConnection::check_body_head() {
  auto const& head = parser_.head();
  if (auto const expect = request_.header("expect");
      expect && !equals_ignoring_case(*expect, "100-continue")) {
    return error_response(417, "invalid_argument", "the only expectation met is 100-continue");
  }
  bool const length_lost = head.http10 && head.framing == HttpFraming::kNone &&
                           !head.header("content-length") &&
                           (head.method == Method::kPost || head.method == Method::kPut);
  if (length_lost)
    return error_response(411, "invalid_argument", "HTTP/1.0 needs Content-Length for a body");
  auto const encoding = request_.header_or("content-encoding", "identity");
  bool const packed = !equals_ignoring_case(encoding, "identity");
  bool const known =
      equals_ignoring_case(encoding, "gzip") || equals_ignoring_case(encoding, "zstd");
  if (packed && !(known && route_->options.unpack_body)) {
    auto const* const accepted = route_->options.unpack_body ? "gzip, zstd" : "identity";
    auto response = error_response(
        415, "unsupported_media_type",
        fmt::format("Content-Encoding '{}' is not accepted; expected {}", encoding, accepted));
    response.headers.emplace_back("Accept-Encoding", accepted);
    return response;
  }
  body_bytes_max_ = route_->options.body_bytes_max;
  if (auto refused = admit()) return refused;
  if (head.content_length > body_bytes_max_) {
    return error_response(413, "too_large",
                          fmt::format("the body is larger than {} bytes", body_bytes_max_));
  }
  return std::nullopt;
}

std::optional<Response> HttpConnection::admit() {
  if (!route_->options.authorize || !options_.authorize) return std::nullopt;
  auto admission = options_.authorize(request_);
  switch (admission.kind) {
    case Admission::Kind::kAllowed: break;
    case Admission::Kind::kUndecided:
      body_bytes_max_ = std::min(body_bytes_max_, options_.body_bytes_before_auth_max);
      break;
    case Admission::Kind::kRefused:
      return admission.refusal ? std::move(*admission.refusal)
                               : error_response(401, "unauthenticated", "credentials are required");
  }
  return std::nullopt;
}

// A small body is read off first, so that the connection can be kept.
void HttpConnection::refuse_head(Response response) {
  auto const& head = parser_.head();
  bool const small =
      head.framing == HttpFraming::kNone ||
      (head.framing == HttpFraming::kLength && head.content_length <= kReadOffBytesMax);
  if (!small || head.header("expect")) return refuse_now(std::move(response));
  refusal_ = std::move(response);
}

void HttpConnection::refuse_now(Response response) {
  close_after_ = true;
  if (!parser_.in_body()) request_.method = Method::kGet;  // no head of this request was understood
  send_response(response);
  connection_.close_when_sent();
}

void HttpConnection::accept_body(std::span<char> piece) {
  body_received_ += piece.size();
  if (refusal_) return;
  if (body_received_ > body_bytes_max_) {
    return refuse_now(error_response(
        413, "too_large", fmt::format("the body is larger than {} bytes", body_bytes_max_)));
  }
  auto const& head = parser_.head();
  if (head.framing == HttpFraming::kLength && piece.size() == head.content_length) {
    whole_body_ = piece;
  } else {
    body_.append(piece.data(), piece.size());
    if (receiving_.hold(body_.size())) return;
    body_.release();
    receiving_.release();
    refuse_now(error_response(
        base::Error{base::ErrorCode::kOverloaded, "too much is being received; try again"}));
  }
}

void HttpConnection::dispatch() {
  stage_ = Stage::kHandling;
  if (refusal_) {
    auto const response = std::exchange(refusal_, std::nullopt);
    send_response(*response);
    return complete();
  }
  // The parser may have moved the head to its own memory since it was described.
  if (request_.target.data() != parser_.head().target.data()) describe_request();
  auto body = whole_body_.empty() ? body_.span() : whole_body_;
  PaddedBuffer unpacked;
  if (!body.empty()) {
    if (auto refused = unpack_body(body, unpacked)) {
      send_response(*refused);
      return complete();
    }
  }
  call_handler(body);
}

void HttpConnection::call_handler(std::span<char> body) {
  static char nothing[kPayloadPadding] = {};
  request_.body = body.empty() ? std::span<char>(nothing, 0) : body;
  route_->handler(request_, Responder(this, exchange_));
  body_.release();
  receiving_.release();
}

std::optional<Response> HttpConnection::unpack_body(std::span<char>& body, PaddedBuffer& unpacked) {
  auto const encoding = request_.header_or("content-encoding", "identity");
  if (equals_ignoring_case(encoding, "identity")) return std::nullopt;
  auto const packing = equals_ignoring_case(encoding, "gzip") ? Packing::kGzip : Packing::kZstd;
  auto result = unpack(packing, {body.data(), body.size()}, body_bytes_max_);
  if (!result) return error_response(result.error());
  unpacked = std::move(*result);
  body = unpacked.span();
  return std::nullopt;
}

bool HttpConnection::wants_upgrade() const {
  return routed_ != nullptr && routed_->acceptor &&
         list_has_token(parser_.head().header("upgrade").value_or(""), "websocket");
}

std::optional<Response> HttpConnection::check_upgrade() const {
  auto const& head = parser_.head();
  auto const wrong = [](std::string_view why) {
    return error_response(400, "invalid_argument", why);
  };
  if (head.method != Method::kGet || head.http10)
    return wrong("a WebSocket starts with GET and HTTP/1.1");
  if (head.framing != HttpFraming::kNone) return wrong("a WebSocket's request has no body");
  if (!list_has_token(head.header("connection").value_or(""), "upgrade")) {
    return wrong("the header Connection: Upgrade is missing");
  }
  if (head.header("sec-websocket-version") != "13") {
    auto response = error_response(426, "invalid_argument", "Sec-WebSocket-Version must be 13");
    response.headers.emplace_back("Sec-WebSocket-Version", "13");
    return response;
  }
  if (!is_key(head.header("sec-websocket-key").value_or(""))) {
    return wrong("Sec-WebSocket-Key must be 16 bytes in base64");
  }
  return std::nullopt;
}

void HttpConnection::upgrade(std::span<char>& bytes) {
  describe_request();
  stage_ = Stage::kHandling;
  auto answer = draining_ ? std::variant<Response, Accepted>(
                                error_response(503, "unavailable", "the server is stopping"))
                          : routed_->acceptor(request_, connection_.thread());
  if (auto* const refused = std::get_if<Response>(&answer)) {
    close_after_ = true;
    send_response(*refused);
    return complete();
  }
  auto& accepted = std::get<Accepted>(answer);
  std::string reply =
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: "
      "Upgrade\r\nSec-WebSocket-Accept: ";
  reply += accept_key(request_.header_or("sec-websocket-key", ""));
  if (!accepted.subprotocol.empty()) reply += "\r\nSec-WebSocket-Protocol: " + accepted.subprotocol;
  connection_.write(reply += "\r\n\r\n");
  counters_.websockets.fetch_add(1, std::memory_order_relaxed);
  upgraded_ = true;
  timer_.cancel();
  auto socket = std::make_unique<WebSocketConnection>(
      connection_, WebSocketRole::kServer, std::move(accepted), &counters_.websockets_open,
      &counters_.receiving);
  auto& opened = *socket;
  connection_.become(std::move(socket), {});
  opened.open();
  if (!bytes.empty() && !connection_.closing()) opened.on_bytes(bytes);
}

void HttpConnection::send_response(Response const& response) {
  if (response.status >= 500) counters_.responses_5xx.fetch_add(1, std::memory_order_relaxed);
  if (response.status >= 400 && response.status < 500)
    counters_.responses_4xx.fetch_add(1, std::memory_order_relaxed);
  std::string_view const body =
      response.body.empty() ? response.static_body : std::string_view(response.body);
  bool const no_body = response.status == 204 || response.status == 304;
  if (draining_ || peer_ended_) close_after_ = true;
  send_head({response.status,
             response.headers,
             no_body ? ReplyFraming::kNoBody : ReplyFraming::kLength,
             body.size(),
             close_after_,
             request_.http10,
             options_.server_name,
             {}});
  if (!no_body && request_.method != Method::kHead) connection_.write(body);
}

void HttpConnection::send_head(ReplyHead head) {
  std::string text;
  text.reserve(512);
  head.date = date_header(connection_.thread());
  append_reply_head(text, head);
  connection_.write(text);
}

void HttpConnection::reply(std::uint32_t exchange, Response response) {
  if (!live(exchange)) return;
  connection_.within([&] {
    send_response(response);
    complete();
  });
}

// The exchange is over: the next request may be read.
void HttpConnection::complete() {
  stage_ = Stage::kReading;
  ++exchange_;
  drained_call_ = nullptr;
  closed_call_ = nullptr;
  wants_drained_ = false;
  if (close_after_) return connection_.close_when_sent();
  if (processing_) return;
  auto held = std::exchange(held_, {});
  if (connection_.reading_paused()) connection_.resume_reading();
  process(held.span());
}

void HttpConnection::on_peer_end() {
  peer_ended_ = true;
  if (stage_ == Stage::kReading) return connection_.close_when_sent();
  if (stage_ == Stage::kStreaming) connection_.abort("the peer closed within a response");
}

void HttpConnection::on_stopping() {
  draining_ = true;
  if (stage_ == Stage::kReading && parser_.between_messages()) connection_.close_idle();
}

void HttpConnection::on_closed(std::string_view) {
  gone_ = true;
  timer_.cancel();
  receiving_.release();
  drained_call_ = nullptr;
  if (auto const call = std::exchange(closed_call_, nullptr)) call();
}

}  // namespace headrace::net
