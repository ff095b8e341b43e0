// SPDX-License-Identifier: Apache-2.0
#include "ingest/http_messages/http_messages.h"

#include "ingest/http_messages/impl/reply.h"
#include "ingest/intake.h"
#include "ingest/position_token.h"

namespace headrace::ingest::http_messages {
namespace {

using base::Error;
using base::ErrorCode;
using codec::tape::Encoding;
using codec::tape::Value;

constexpr std::size_t kIdempotencyKeyBytesMax = 255;
constexpr std::size_t kRefusedShown = 100;  // of a batch that is refused as a whole
// Namespace of ids that are made from an idempotency key: uuid5(uuid5(this, principal), key)
// numbers nothing else.
constexpr base::Uuid kKeyNamespace{{0x5e, 0x1c, 0x0c, 0x5a, 0x3b, 0x0d, 0x4c, 0x0e, 0x9d, 0x53,
                                    0x7a, 0x64, 0x11, 0x8e, 0x2f, 0x90}};

// One request between its last append and its reply.
class PendingReply final : public Settler {
 public:
  PendingReply(net::Responder responder, Encoding encoding, Accepted accepted)
      : responder_(std::move(responder)), encoding_(encoding), accepted_(std::move(accepted)) {}

  void on_position(broker::TopicPartition partition, broker::Position position) override {
    token_.cover(partition, position);
  }
  bool on_settled(Settlement const& settlement) override {
    if (settlement.error) {
      responder_.send(
          net::error_response(Error{settlement.error->code,
                                    "the log did not keep all of the messages; send the request "
                                    "again with the same ids or Idempotency-Key: " +
                                        settlement.error->context}));
    } else {
      accepted_.token = token_.encode();
      responder_.send(accepted_response(encoding_, accepted_));
    }
    return false;
  }

 private:
  net::Responder responder_;
  Encoding encoding_;
  Accepted accepted_;
  PositionToken token_;
};

// What serves one io thread: parsers and scratch, used again for each request.
class Worker {
 public:
  Worker(Ingest& ingest, Gate& gate)
      : ingest_(ingest), gate_(gate), intake_(gate, ingest.types(), ingest.config().limits) {}

  void serve(net::Request const& request, net::Responder responder);

 private:
  struct Options {
    bool partial = false;
    std::string_view key;  // Idempotency-Key
    Encoding encoding = Encoding::kJson, reply = Encoding::kJson;
  };
  struct Batch {
    Value messages;  // an array, or the single message itself
    bool single = false;
    Place::Root root = Place::Root::kDocument;
    Defaults defaults;
  };
  base::Result<Options> read_options(net::Request const& request) const;
  base::Result<Value> parse(net::Request const& request, Encoding encoding);
  base::Result<Batch> open_batch(Value root);
  base::Result<std::size_t> count(Batch const& batch) const;
  bool take(Value message, Place place, Defaults const& defaults, Options const& options);
  void take_all(Batch const& batch, Options const& options);
  void add(Resolved const& resolved, Place place, Options const& options);
  void finish(Options const& options, net::Responder responder,
              std::chrono::steady_clock::time_point since);
  void refuse_all(Options const& options, net::Responder& responder);
  void note_refused(std::size_t index, bool partial);

  Ingest& ingest_;
  Gate& gate_;
  Intake intake_;
  // Of the request being served.
  identity::PrincipalPtr principal_;
  Envelope envelope_, outer_;
  std::string default_source_;
  base::Uuid key_namespace_;
  std::uint64_t first_sequence_ = 0;
  std::size_t batch_count_ = 0, accepted_count_ = 0, refused_count_ = 0;
  std::vector<Refused> refused_;
  model::Durability durability_ = model::Durability::kDisk;
  std::string id_name_;
};

std::optional<Encoding> encoding_of(std::string_view content_type) {
  if (content_type == "application/json") return Encoding::kJson;
  if (content_type == "application/msgpack") return Encoding::kMsgpack;
  return std::nullopt;
}

base::Result<Worker::Options> Worker::read_options(net::Request const& request) const {
  Options options;
  options.encoding = *encoding_of(request.content_type());
  auto const accept = request.header_or("accept", "");
  options.reply =
      accept.find("application/msgpack") != accept.npos ? Encoding::kMsgpack : Encoding::kJson;
  HEADRACE_TRY(auto const parameters, request.parameters());
  for (auto const& [key, value] : parameters) {
    if (key != "partial")
      return Error{ErrorCode::kInvalidArgument,
                   fmt::format("unknown parameter '{}'; known is partial", key.substr(0, 64))};
    if (value != "true" && value != "false")
      return Error{ErrorCode::kInvalidArgument,
                   fmt::format("partial: expected true or false, found '{}'", value.substr(0, 64))};
    options.partial = value == "true";
  }
  if (auto const key = request.header("idempotency-key")) {
    if (key->empty() || key->size() > kIdempotencyKeyBytesMax)
      return Error{ErrorCode::kInvalidArgument,
                   fmt::format("Idempotency-Key: {} bytes, expected 1 to {}", key->size(),
                               kIdempotencyKeyBytesMax)};
    options.key = *key;
  }
  return options;
}

// The depth at which bodies begin is 1, 2 or 3 for a message, an array and {"messages":[]}. An
// object is taken for a message first; when it turns out to be a batch it is parsed again.
base::Result<Value> Worker::parse(net::Request const& request, Encoding encoding) {
  auto const bytes = base::as_bytes(request.text());
  auto const document = request.text();
  auto const start = document.find_first_not_of(" \t\r\n");
  bool const starts_as_array =
      encoding == Encoding::kJson && start != document.npos && document[start] == '[';
  HEADRACE_TRY(auto root, intake_.parse(encoding, bytes, starts_as_array ? 2 : 1));
  if (root.is_array() && !starts_as_array) return intake_.parse(encoding, bytes, 2);
  if (root.is_object() && root.find("messages")) return intake_.parse(encoding, bytes, 3);
  return root;
}

base::Result<Worker::Batch> Worker::open_batch(Value root) {
  if (root.is_array()) return Batch{root, false, Place::Root::kElement, {}};
  if (!root.is_object())
    return Error{
        ErrorCode::kInvalidArgument,
        fmt::format("expected a message, an array of messages or {{\"messages\":[...]}}, found {}",
                    codec::tape::name(root.kind()))};
  if (!root.find("messages")) return Batch{root, true, Place::Root::kDocument, {}};
  constexpr auto kOuter = fields({Field::kType, Field::kSource, Field::kTime, Field::kMessages});
  if (!intake_.decoder().decode(root, kOuter, {}, intake_.received(), outer_))
    return intake_.decoder().error();
  Batch batch{*outer_.messages, false, Place::Root::kMessages, {}};
  batch.defaults.type = outer_.type;
  default_source_ = outer_.source;  // the decoder's own text goes with the next message
  batch.defaults.source = default_source_;
  if (outer_.has(Field::kTime)) batch.defaults.time = outer_.time;
  return batch;
}

base::Result<std::size_t> Worker::count(Batch const& batch) const {
  if (batch.single) return std::size_t{1};
  std::size_t n = 0;
  for (auto it = batch.messages.elements().begin(); it != batch.messages.elements().end(); ++it)
    ++n;
  auto const most = ingest_.config().limits.batch_messages_max;
  if (n > most)
    return Error{ErrorCode::kTooLarge,
                 fmt::format("{} messages, at most {} are taken in one request", n, most)};
  return n;
}

void Worker::note_refused(std::size_t index, bool partial) {
  auto const& error = intake_.decoder().error();
  ++refused_count_;
  ingest_.accounting().refused(envelope_.type, Protocol::kHttp, error.code);
  if (partial || refused_.size() < kRefusedShown) refused_.push_back({index, error});
}

bool Worker::take(Value message, Place place, Defaults const& defaults, Options const& options) {
  Resolved resolved;
  if (!intake_.decoder().decode(message, kMessageFields, place, intake_.received(), envelope_))
    return false;
  if (!intake_.resolve(envelope_, defaults, place, resolved)) return false;
  if (refused_count_ != 0 && !options.partial) return true;  // only looking for what else is wrong
  Origin const origin{principal_->id.text(), intake_.received(), 0};
  auto const slot = gate_.records().place(
      origin, *resolved.type, *resolved.source, std::max<std::size_t>(envelope_.id.size(), 16),
      envelope_.body.size(), [&]() -> base::Uuid const& { return gate_.producer(); });
  if (!slot)
    return intake_.decoder().refuse(place, "", ErrorCode::kTooLarge,
                                    "the request is too large to be kept as one");
  // Sequences ascend in the order in which the records will be appended: each record has a range of
  // its own.
  codec::record::MessageParts parts;
  parts.sequence = first_sequence_ + *slot * batch_count_ + gate_.records().count(*slot);
  parts.time = resolved.time;
  parts.encoding = envelope_.encoding;
  parts.body = envelope_.body;
  base::Uuid made;
  if (!envelope_.id.empty()) {
    parts.id_kind = codec::record::IdKind::kText;
    parts.id = base::as_bytes(envelope_.id);
  } else {
    if (options.key.empty()) {
      made = gate_.next_uuid7(intake_.received());
    } else {
      id_name_.clear();
      fmt::format_to(std::back_inserter(id_name_), "{}", place.index);
      made = base::uuid5(key_namespace_, id_name_);
    }
    parts.id_kind = codec::record::IdKind::kUuid;
    parts.id = std::as_bytes(std::span(made.bytes));
  }
  gate_.records().add(*slot, parts);
  durability_ = std::min(durability_, resolved.type->type.durability);
  ++accepted_count_;
  return true;
}

void Worker::take_all(Batch const& batch, Options const& options) {
  if (batch.single) {
    if (!take(batch.messages, {}, {}, options)) note_refused(0, options.partial);
    return;
  }
  std::size_t index = 0;
  for (auto const message : batch.messages.elements()) {
    if (!take(message, {batch.root, index}, batch.defaults, options))
      note_refused(index, options.partial);
    ++index;
  }
}

void Worker::serve(net::Request const& request, net::Responder responder) {
  auto const refuse = [&](Error const& error) {
    ingest_.accounting().refused(nullptr, Protocol::kHttp, error.code);
    responder.send(net::error_response(error));
  };
  if (!encoding_of(request.content_type())) {
    ingest_.accounting().refused(nullptr, Protocol::kHttp, ErrorCode::kInvalidArgument);
    return responder.send(
        net::error_response(415, "unsupported_media_type",
                            "Content-Type must be application/json or application/msgpack"));
  }
  auto principal = ingest_.deps().authenticator.authenticate(request, identity::Need::kReport);
  if (!principal) return responder.send(identity::refusal(principal.error()));
  if (gate_.closed()) return refuse({ErrorCode::kUnavailable, "the server is stopping"});
  if (gate_.saturated())
    return refuse({ErrorCode::kOverloaded, "too much is waiting for the log; try again"});
  auto const options = read_options(request);
  if (!options) return refuse(options.error());

  principal_ = std::move(*principal);
  accepted_count_ = refused_count_ = 0;
  refused_.clear();
  durability_ = model::Durability::kDisk;
  if (!options->key.empty())
    key_namespace_ = base::uuid5(base::uuid5(kKeyNamespace, principal_->id.text()), options->key);
  intake_.begin(principal_, ingest_.deps().clock.now());
  auto const since = ingest_.deps().clock.steady();

  auto const root = parse(request, options->encoding);
  if (!root) return refuse(root.error());
  auto const batch = open_batch(*root);
  if (!batch) return refuse(batch.error());
  auto const n = count(*batch);
  if (!n) return refuse(n.error());
  batch_count_ = *n;
  first_sequence_ = gate_.reserve_sequences(std::max<std::uint64_t>(1, *n * *n));
  take_all(*batch, *options);
  if (refused_count_ != 0 && !options->partial) return refuse_all(*options, responder);
  finish(*options, std::move(responder), since);
}

void Worker::refuse_all(Options const& options, net::Responder& responder) {
  gate_.records().abandon();
  // Those that were good go with the rest.
  auto const code = refused_.front().error.code;
  if (batch_count_ > refused_count_)
    ingest_.accounting().refused(nullptr, Protocol::kHttp, code, batch_count_ - refused_count_);
  responder.send(refused_response(options.reply, refused_, refused_count_));
}

void Worker::finish(Options const& options, net::Responder responder,
                    std::chrono::steady_clock::time_point since) {
  Accepted accepted{accepted_count_, durability_, PositionToken().encode(), std::move(refused_)};
  refused_ = {};
  auto const appended = gate_.append(Protocol::kHttp);
  if (appended.error)
    return responder.send(net::error_response(Error{
        appended.error->code,
        fmt::format("{}{}",
                    appended.tickets.any() ? "only a part was taken; send the request again: " : "",
                    appended.error->context)}));
  if (!appended.tickets.any()) return responder.send(accepted_response(options.reply, accepted));
  Gate::Wait wait;
  wait.tickets = appended.tickets;
  wait.who =
      std::make_shared<PendingReply>(std::move(responder), options.reply, std::move(accepted));
  wait.messages = static_cast<std::uint32_t>(accepted_count_);
  wait.since = since;
  wait.protocol = Protocol::kHttp;
  wait.positions = true;
  gate_.wait(std::move(wait));
}

}  // namespace

void add_route(net::HttpServer& server, Ingest& ingest) {
  auto workers = std::make_shared<std::vector<std::unique_ptr<Worker>>>();
  for (unsigned i = 0; i < ingest.deps().threads.count(); ++i)
    workers->push_back(std::make_unique<Worker>(ingest, ingest.gate(ingest.deps().threads.at(i))));
  net::RouteOptions options;
  options.body_bytes_max = ingest.config().limits.request_bytes_max;
  options.unpack_body = true;
  server.route(
      net::Method::kPost, std::string(kPath),
      [workers](net::Request const& request, net::Responder responder) {
        auto& worker = *workers->at(responder.thread().index());
        worker.serve(request, std::move(responder));
      },
      options);
}

}  // namespace headrace::ingest::http_messages
