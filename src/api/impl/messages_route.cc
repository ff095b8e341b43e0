// SPDX-License-Identifier: Apache-2.0
// A reply goes out in pieces: a search on the pool fills one piece and ends; the piece is sent;
// when the peer has taken it, the
// next search goes on from the cursor. So a slow peer holds neither a thread nor a snapshot of the
// store.
#include "api/impl/messages_route.h"

#include <fmt/format.h>

#include <algorithm>

#include "api/impl/parameters.h"
#include "base/log.h"
#include "codec/json/json_write.h"
#include "ingest/position_token.h"
#include "ingest/type_table.h"
#include "receivers/live/message_json.h"

namespace headrace::api {
namespace {

constexpr std::size_t kPieceBytes = 256u << 10;
constexpr std::size_t kWaitingMax =
    1'000;  // questions that wait for a store; more are answered at once, as not complete
constexpr std::size_t kLimitDefault = 100, kLimitMax = 1'000'000;

struct Question {
  Archive archive;
  documents::Query query;
  std::vector<broker::Assignment> see;  // what must be applied before it is asked
  bool see_known = true;  // false: the receiver has not started, nobody knows what it has
  std::chrono::nanoseconds fresh_wait{};
};

base::Result<Archive> find_archive(Context const& context, std::string const& receiver) {
  auto const& archives = context.deps.archives;
  if (archives.empty())
    return base::Error{base::ErrorCode::kNotFound,
                       "no receiver of type documents is configured: there is nothing to search"};
  if (receiver.empty()) return archives.front();
  std::vector<std::string_view> names;
  for (auto const& archive : archives) {
    if (archive.receiver == receiver) return archive;
    names.push_back(archive.receiver);
  }
  return base::Error{base::ErrorCode::kInvalidArgument,
                     fmt::format("receiver: '{}' keeps no documents; expected one of {}", receiver,
                                 fmt::join(names, ", "))};
}

// A source that never reported is no mistake, a data type that nobody declared is one.
base::Result<std::vector<std::string>> read_types(Parameters const& parameters,
                                                  ingest::TypeTable const& known) {
  auto types = parameters.list("type");
  for (auto const& type : types)
    if (known.find(type) == nullptr)
      return base::Error{base::ErrorCode::kInvalidArgument, "type: " + known.unknown(type)};
  return types;
}

base::Result<void> read_query(Parameters const& parameters, ingest::TypeTable const& known,
                              documents::Query& query) {
  HEADRACE_TRY(query.types, read_types(parameters, known));
  HEADRACE_TRY(query.source, parameters.text("source"));
  HEADRACE_TRY(query.from, parameters.time("from"));
  HEADRACE_TRY(query.to, parameters.time("to"));
  if (query.from && query.to && *query.to < *query.from)
    return base::Error{base::ErrorCode::kInvalidArgument, "to: expected a time at or after `from`"};
  HEADRACE_TRY(auto const where, parameters.text("where"));
  HEADRACE_TRY(query.where, documents::parse_where(where));
  HEADRACE_TRY(auto const order, parameters.text("order"));
  if (!order.empty() && order != "asc" && order != "desc")
    return base::Error{base::ErrorCode::kInvalidArgument,
                       fmt::format("order: '{}': expected asc or desc", order)};
  query.order = order == "desc" ? documents::Order::kDescending : documents::Order::kAscending;
  HEADRACE_TRY(query.limit, parameters.number("limit", kLimitDefault, 1, kLimitMax));
  HEADRACE_TRY(query.cursor, parameters.text("cursor"));
  return {};
}

base::Result<Question> read_question(net::RequestHead const& head, Context const& context) {
  HEADRACE_TRY(auto const parameters,
               Parameters::read(head, {"type", "source", "from", "to", "where", "limit", "cursor",
                                       "order", "token", "wait", "receiver"}));
  Question question;
  HEADRACE_TRY(auto const receiver, parameters.text("receiver"));
  HEADRACE_TRY(question.archive, find_archive(context, receiver));
  HEADRACE_TRY_VOID(read_query(parameters, context.deps.ingest.types(), question.query));
  question.fresh_wait = context.options.fresh_wait;
  HEADRACE_TRY(auto const wait, parameters.one("wait"));
  if (wait) {
    auto const span = base::parse_duration(*wait);
    if (!span || *span > std::chrono::minutes(1))
      return base::Error{base::ErrorCode::kInvalidArgument,
                         fmt::format("wait: '{}': expected a duration up to 1m, as 500ms", *wait)};
    question.fresh_wait = *span;
  }
  HEADRACE_TRY(auto const token, parameters.text("token"));
  if (!token.empty()) {
    auto const decoded = ingest::PositionToken::decode(token);
    if (!decoded) return base::Error{decoded.error().code, "token: " + decoded.error().context};
    for (auto const& entry : decoded->entries())
      question.see.push_back({entry.partition, entry.position});
    return question;
  }
  // The ends as they are now; a receiver that has not started yet has none, and then the reply says
  // that it is not complete.
  auto ends = context.deps.dispatcher.ends(question.archive.receiver);
  question.see_known = ends.has_value();
  if (ends) question.see = std::move(*ends);
  return question;
}

// One reply. Lives on its io thread; a piece is filled on the pool while nothing else touches it.
class Reply : public std::enable_shared_from_this<Reply> {
 public:
  Reply(Context& context, Question question, net::Responder responder)
      : context_(context),
        question_(std::move(question)),
        responder_(std::move(responder)),
        thread_(responder_.thread()),
        left_(question_.query.limit) {}

  // Keeps itself alive until the reply has left or the peer has gone.
  void start() {
    auto self = shared_from_this();
    responder_.on_closed([self] { self->gone_ = true; });
    auto& waiting = context_.waiting_questions;
    if (!question_.see_known || waiting.load(std::memory_order_relaxed) >= kWaitingMax)
      return on_fresh(false);
    timeout_ = thread_.schedule(question_.fresh_wait, [self] { self->on_fresh(false); });
    waiting.fetch_add(1, std::memory_order_relaxed);
    auto const asked = context_.deps.dispatcher.when_applied(
        question_.archive.receiver, question_.see,
        [weak = weak_from_this(), &waiting, &thread = thread_](bool applied) {
          waiting.fetch_sub(1, std::memory_order_relaxed);
          thread.post([weak, applied] {
            if (auto const reply = weak.lock()) reply->on_fresh(applied);
          });
        });
    if (asked) return;
    waiting.fetch_sub(1, std::memory_order_relaxed);
    on_fresh(false);
  }

 private:
  struct Piece {
    std::string text;
    base::Result<documents::SearchEnd> end = documents::SearchEnd{};
  };

  void on_fresh(bool applied) {
    if (std::exchange(asked_, true)) return;
    timeout_.cancel();
    complete_ = applied;
    ask();
  }

  void ask() {
    if (gone_) return finish();
    auto const taken = context_.query_pool.run([self = shared_from_this()] {
      auto piece = std::make_shared<Piece>(self->fill());
      auto& thread = self->thread_;
      thread.post([self, piece] { self->on_piece(*piece); });
    });
    if (!taken) fail(taken.error());
  }

  // On the pool.
  Piece fill() {
    Piece piece;
    question_.query.limit = left_;
    documents::SearchControl const control{
        .deadline = std::chrono::steady_clock::now() + context_.options.query_timeout,
        .stop = context_.query_pool.stop_token()};
    piece.text.reserve(4096);
    bool first = first_;
    piece.end = question_.archive.documents->search(
        question_.query, control, [&](documents::FoundMessage const& found) {
          if (!std::exchange(first, false)) piece.text += ',';
          receivers::live::append_message_json(piece.text, {.id = found.id,
                                                            .type = found.type,
                                                            .source = found.source,
                                                            .time = found.time,
                                                            .received = found.received,
                                                            .encoding = found.encoding,
                                                            .body = found.body});
          return piece.text.size() < kPieceBytes;
        });
    return piece;
  }

  void on_piece(Piece& piece) {
    if (!piece.end) return fail(piece.end.error());
    auto const& end = *piece.end;
    first_ = first_ && end.found == 0;
    left_ -= std::min<std::size_t>(left_, end.found);
    bool const last = !end.next || left_ == 0 || end.out_of_time;
    if (!last) {
      question_.query.cursor = *end.next;
      return send_piece(piece.text);
    }
    piece.text += "],\"next\":";
    if (end.next)
      codec::json::append_string(piece.text, *end.next);
    else
      piece.text += "null";
    piece.text += fmt::format(",\"complete\":{}{}}}", complete_,
                              end.out_of_time ? ",\"timed_out\":true" : "");
    send_last(std::move(piece.text));
  }

  net::HeaderFields headers() const {
    return {{"Content-Type", "application/json"},
            {"Cache-Control", "no-store"},
            {"Headrace-Complete", complete_ ? "true" : "false"}};
  }

  void send_piece(std::string const& text) {
    if (!streaming_) {
      streaming_ = true;
      writer_ = responder_.begin(200, headers());
      writer_.on_closed([weak = weak_from_this()] {
        if (auto const reply = weak.lock()) reply->gone_ = true;
      });
      writer_.on_drained([self = shared_from_this()] {
        if (std::exchange(self->waiting_, false)) self->ask();
      });
      writer_.write("{\"messages\":[");
    }
    if (writer_.write(text)) return ask();
    waiting_ = true;
  }

  void send_last(std::string text) {
    if (!streaming_) {
      responder_.send({.status = 200,
                       .headers = headers(),
                       .body = "{\"messages\":[" + text,
                       .static_body = {}});
    } else if (!gone_) {
      writer_.write(text);
      writer_.finish();
    }
    finish();
  }

  void fail(base::Error const& error) {
    if (!streaming_) responder_.send(net::error_response(error));
    if (streaming_)
      base::log_warn("a reply of messages broke off", {{"error", base::to_string(error)}});
    // a streamed reply that is not finished breaks the connection: the peer sees that it is not
    // whole
    finish();
  }

  // Lets go of what holds this object.
  void finish() {
    if (streaming_ && !gone_) writer_.on_drained(nullptr);
    writer_ = net::ResponseWriter();
    responder_ = net::Responder();
  }

  Context& context_;
  Question question_;
  net::Responder responder_;
  net::IoThread& thread_;
  net::ResponseWriter writer_;
  net::ScheduledCall timeout_;
  std::size_t left_;
  bool asked_ = false, complete_ = false, streaming_ = false, waiting_ = false, gone_ = false;
  bool first_ = true;
};

}  // namespace

void add_messages_route(net::HttpServer& server, Context& context) {
  server.route(
      net::Method::kGet, "/api/v1/messages",
      [&context](net::Request const& request, net::Responder responder) {
        auto question = read_question(request, context);
        if (!question) return responder.send(net::error_response(question.error()));
        std::shared_ptr<Reply>(new Reply(context, std::move(*question), std::move(responder)))
            ->start();
      });
}

}  // namespace headrace::api
