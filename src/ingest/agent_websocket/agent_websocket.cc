// SPDX-License-Identifier: Apache-2.0
#include "ingest/agent_websocket/agent_websocket.h"

#include "base/utf8.h"
#include "ingest/agent_websocket/impl/session.h"

namespace headrace::ingest::agent_websocket {
namespace {

using base::Error;
using base::ErrorCode;
using codec::tape::Encoding;
using codec::tape::Value;

constexpr std::size_t kHelloBytesMax = 64u << 10;
// Namespace of sessions: uuid5(uuid5(this, principal), session uuid). Part of the protocol's stored
// ids: never changes.
constexpr base::Uuid kSessionNamespace{{0x3d, 0x1f, 0x60, 0x11, 0x86, 0x0b, 0x4a, 0x7c, 0xa1, 0x5e,
                                        0x4e, 0x0d, 0x2b, 0x91, 0x5c, 0x07}};

// One connection: before the welcome by itself, then through its Session.
class Connection final : public net::WebSocketHandler {
 public:
  Connection(std::shared_ptr<Shared> shared, Encoding encoding, identity::PrincipalPtr principal)
      : shared_(std::move(shared)), principal_(std::move(principal)), encoding_(encoding) {}

  void on_open(net::WebSocket& socket) override {
    socket_ = &socket;
    hello_timer_ = std::make_unique<net::Timer>(
        [](void* self) { static_cast<Connection*>(self)->on_hello_late(); }, this);
    socket.thread().arm(*hello_timer_, shared_->config.hello_timeout);
  }
  void on_message(net::MessageKind kind, std::span<char> payload) override;
  void on_read_end() override {
    if (session_) session_->on_read_end();
  }
  void on_closed(net::CloseCode, std::string_view) override {
    hello_timer_.reset();
    if (session_) session_->on_gone();
  }
  void on_stopping(net::WebSocket& socket) override {
    constexpr char const* kReason = "server is stopping";
    if (session_)
      return session_->finish(static_cast<std::uint16_t>(net::CloseCode::kGoingAway), kReason);
    socket.close(net::CloseCode::kGoingAway, kReason);
  }
  void on_hello_late() { fail(kCloseNoHello, {ErrorCode::kTimedOut, "no hello in time"}); }

 private:
  Worker& worker() { return *shared_->workers[socket_->thread().index()]; }
  bool is_data(Value root);
  base::Result<Value> parse(std::span<char> payload);
  void on_control(Value root);
  void on_hello(Control const& hello);
  void welcome(Control const& hello, SessionStatePtr const& state);
  SessionStatePtr enter_session(Control const& hello, std::shared_ptr<Session> const& session);
  void fail(std::uint16_t code, Error const& error) {
    if (session_) return session_->fail(code, error);
    failed_ = true;
    close_with_error(*socket_, worker().out, encoding_, code, error);
  }

  std::shared_ptr<Shared> const shared_;
  net::WebSocket* socket_ = nullptr;
  identity::PrincipalPtr principal_;  // from the Authorization header, until the hello
  std::shared_ptr<Session> session_;
  std::unique_ptr<net::Timer> hello_timer_;  // until the hello
  Encoding const encoding_;
  bool failed_ = false;
};

// Bodies begin at depth 1 in a single and 3 in a batch. A batch's "messages" stands near the
// frame's beginning, as a rule; a wrong guess only costs a second parse.
base::Result<Value> Connection::parse(std::span<char> payload) {
  constexpr std::size_t kLookedAt = 256;
  std::string_view const text(payload.data(), payload.size());
  auto const bytes = base::as_bytes(text);
  bool const batch = text.substr(0, kLookedAt).find("messages") != text.npos;
  if (!batch) {
    HEADRACE_TRY(auto root, worker().intake.parse(encoding_, bytes, 1));
    auto const messages = root.find("messages");
    if (!messages || !messages->is_array()) return root;
  }
  return worker().intake.parse(encoding_, bytes, 3);
}

void Connection::on_message(net::MessageKind kind, std::span<char> payload) {
  if (failed_ || (session_ && session_->done())) return;
  bool const text = kind == net::MessageKind::kText;
  if (text != (encoding_ == Encoding::kJson))
    return fail(static_cast<std::uint16_t>(net::CloseCode::kUnsupportedData),
                {ErrorCode::kInvalidArgument, text ? "text frame on a binary subprotocol"
                                                   : "binary frame on a text subprotocol"});
  if (session_) session_->begin_read();
  if (session_ && session_->done()) return;
  auto const root = parse(payload);
  if (!root) {
    bool const bad_text = text && !base::valid_utf8({payload.data(), payload.size()});
    return fail(
        bad_text ? static_cast<std::uint16_t>(net::CloseCode::kInvalidData) : kCloseBadFrame,
        root.error());
  }
  if (!is_data(*root)) return on_control(*root);
  if (!session_)
    return fail(kCloseBadFrame, {ErrorCode::kInvalidArgument, "data before the hello"});
  session_->on_data(*root, payload.size());
}

bool Connection::is_data(Value root) {
  auto const members = root.members();
  if (members.empty()) return false;
  auto const first = (*members.begin()).key;
  return first.text(worker().out) == "seq" || root.find("seq").has_value();
}

void Connection::on_control(Value root) {
  auto const control = read_control(root, shared_->ingest.config().limits);
  if (!control) return fail(kCloseBadFrame, control.error());
  switch (control->kind) {
    case Control::Kind::kHello: return on_hello(*control);
    case Control::Kind::kPing:
      write_pong(worker().out, encoding_, control->id);
      send(*socket_, encoding_, worker().out);
      return;
    case Control::Kind::kBye:
      if (session_)
        return session_->finish(static_cast<std::uint16_t>(net::CloseCode::kNormal), "bye");
      return socket_->close(net::CloseCode::kNormal, "bye");
  }
}

std::uint16_t close_code_of(Error const& error) {
  switch (error.code) {
    case ErrorCode::kUnauthenticated: return kCloseUnauthenticated;
    case ErrorCode::kDenied: return kCloseDenied;
    case ErrorCode::kOverloaded: return kCloseThrottled;
    default: return kCloseBadFrame;
  }
}

void Connection::on_hello(Control const& hello) {
  if (session_)
    return fail(kCloseBadFrame, {ErrorCode::kInvalidArgument, "hello: there was one already"});
  if (worker().gate.closed())
    return fail(kCloseUnavailable, {ErrorCode::kUnavailable, "the server is stopping"});
  auto& authenticator = shared_->ingest.deps().authenticator;
  // As in a header, a token counts where none was asked for, too.
  bool const by_header = principal_ && !principal_->local;
  if (!by_header && (!principal_ || !hello.token.empty())) {
    auto principal =
        authenticator.authenticate_token(socket_->peer(), identity::Need::kReport, hello.token);
    if (!principal) return fail(close_code_of(principal.error()), principal.error());
    principal_ = std::move(*principal);
  }
  auto source = worker().gate.resolve(principal_, hello.source);
  if (!source) {
    bool const full = source.error().code == ErrorCode::kOverloaded;
    return fail(full ? kCloseUnavailable : close_code_of(source.error()), source.error());
  }
  auto const by_principal = base::uuid5(kSessionNamespace, principal_->id.text());
  auto session = std::make_shared<Session>(
      shared_, *socket_, encoding_, std::move(principal_), std::move(*source),
      base::uuid5(by_principal, base::to_string(hello.session)));
  hello_timer_.reset();
  session_ = session;  // from here on it closes the connection
  auto const state = enter_session(hello, session);
  if (!state)
    return fail(kCloseReplaced,
                {ErrorCode::kInvalidArgument, "epoch: below one that this session has used"});
  session->start(state);
  socket_->set_message_bytes_max(shared_->ingest.config().limits.request_bytes_max);
  welcome(hello, state);
}

SessionStatePtr Connection::enter_session(Control const& hello,
                                          std::shared_ptr<Session> const& session) {
  auto const& deps = shared_->ingest.deps();
  return shared_->sessions.enter(
      session->id(), hello.epoch, session, deps.clock.now(),
      [&]() -> std::optional<SessionTable::Hint> {
        auto const known = deps.broker.find_producer(session->producer_of(hello.source));
        if (!known) return std::nullopt;
        return SessionTable::Hint{known->epoch, known->last_sequence};
      });
}

void Connection::welcome(Control const& hello, SessionStatePtr const& state) {
  auto const& config = shared_->config;
  Welcome welcome;
  welcome.session = hello.session;
  welcome.epoch = state->epoch();
  welcome.principal = session_->principal();
  welcome.last_sequence = state->settled();
  welcome.highest_sequence = std::max(state->highest(), welcome.last_sequence);
  welcome.durability = shared_->ingest.types().weakest_durability();
  welcome.window_messages = config.window_messages;
  welcome.window_bytes = config.window_bytes;
  welcome.ping_ms = config.ping_interval.count();
  write_welcome(worker().out, encoding_, welcome, shared_->ingest.config().limits);
  send(*socket_, encoding_, worker().out);
}

std::variant<net::Response, net::Accepted> accept(std::shared_ptr<Shared> const& shared,
                                                  net::Request const& request,
                                                  net::IoThread& thread) {
  static constexpr std::string_view kSupported[] = {kJsonSubprotocol, kMsgpackSubprotocol};
  auto const subprotocol = net::choose_subprotocol(request, kSupported);
  if (subprotocol.empty())
    return net::error_response(400, "invalid_argument",
                               fmt::format("Sec-WebSocket-Protocol must offer {} or {}",
                                           kJsonSubprotocol, kMsgpackSubprotocol));
  if (shared->ingest.gate(thread).closed())
    return net::error_response(Error{ErrorCode::kUnavailable, "the server is stopping"});
  auto& authenticator = shared->ingest.deps().authenticator;
  identity::PrincipalPtr principal;
  // Without the header, and with users, the hello must bring the token; without users Host and
  // Origin are checked here.
  if (request.header("authorization") || !authenticator.credentials_required()) {
    auto verified = authenticator.authenticate(request, identity::Need::kReport);
    if (!verified) return identity::refusal(verified.error());
    principal = std::move(*verified);
  }
  auto const encoding = subprotocol == kJsonSubprotocol ? Encoding::kJson : Encoding::kMsgpack;
  net::Accepted accepted;
  accepted.handler = std::make_unique<Connection>(shared, encoding, std::move(principal));
  accepted.subprotocol = subprotocol;
  accepted.options.message_bytes_max = kHelloBytesMax;  // more once it is known who sends
  accepted.options.validate_utf8 = false;               // the JSON parser does
  accepted.options.ping_interval = shared->config.ping_interval;
  accepted.options.idle_timeout = 2 * shared->config.ping_interval;
  return accepted;
}

}  // namespace

AgentWebSocket::AgentWebSocket(Config config, Ingest& ingest)
    : shared_(std::make_shared<Shared>(std::move(config), ingest)) {}
AgentWebSocket::~AgentWebSocket() = default;

void AgentWebSocket::add_route(net::HttpServer& server) {
  server.websocket(shared_->config.path,
                   [shared = shared_](net::Request const& request, net::IoThread& thread) {
                     return accept(shared, request, thread);
                   });
}

std::size_t AgentWebSocket::open_sessions() const {
  return shared_->open_sessions.load(std::memory_order_relaxed);
}

}  // namespace headrace::ingest::agent_websocket
