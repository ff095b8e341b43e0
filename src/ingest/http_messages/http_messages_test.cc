// SPDX-License-Identifier: Apache-2.0
#include "ingest/http_messages/http_messages.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <future>
#include <set>

#include "codec/json/json.h"
#include "codec/msgpack/msgpack.h"
#include "codec/msgpack/msgpack_write.h"
#include "ingest/ingest_fixture.h"
#include "ingest/position_token.h"

namespace headrace::ingest::http_messages {
namespace {

using codec::msgpack::MsgpackWriter;

class HttpMessagesTest : public IngestFixture {
 protected:
  void add_routes(net::HttpServer& server) override { http_messages::add_route(server, *ingest_); }
  net::HttpReply post(std::string_view body, net::HeaderFields headers = {},
                      std::string_view query = "", std::string_view type = "application/json") {
    auto http = client();
    auto reply = http.post(std::string(kPath) + std::string(query), type, body, std::move(headers));
    EXPECT_TRUE(reply) << base::to_string(reply.error());
    return reply ? *reply : net::HttpReply{};
  }
  std::string text(net::HttpReply const& reply, std::string_view key) {
    codec::json::Parser parser;
    auto const root = parser.parse(reply.body);
    std::string scratch;
    if (!root || !root->find(key)) return "";
    return std::string(root->find(key)->is_string() ? root->find(key)->text(scratch)
                                                    : base::as_text(root->find(key)->raw()));
  }
};

constexpr std::string_view kGood = R"({"type":"system_metrics","source":"s1","body":{"a":1}})";

TEST_F(HttpMessagesTest, OneMessageIsStoredAsItArrivedBeforeTheReply) {
  start();
  auto const reply = post(
      R"( {"id":"m1","type":"system_metrics","source":"s1","time":"2026-01-02T03:04:05.000000006Z",
                               "body":{"a" : [1, 2.50, "x\u0041"]}} )");
  EXPECT_EQ(reply.status, 200) << reply.body;
  EXPECT_EQ(text(reply, "accepted"), "1");
  EXPECT_EQ(text(reply, "durability"), "disk");
  EXPECT_EQ(text(reply, "refused"), "[]");
  EXPECT_EQ(reply.header("headrace-durability"), "disk");
  auto const all = stored();
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].id, "m1");
  EXPECT_EQ(all[0].principal, "local");
  EXPECT_EQ(all[0].source, "s1");
  EXPECT_EQ(all[0].body, R"({"a" : [1, 2.50, "x\u0041"]})");
  EXPECT_EQ(base::to_rfc3339(all[0].time), "2026-01-02T03:04:05.000000006Z");
}

TEST_F(HttpMessagesTest, ArraysAndBatchesWithDefaultsAreTaken) {
  start();
  EXPECT_EQ(
      post(
          R"([{"type":"system_metrics","source":"a","body":1},{"type":"ethereum_metrics","source":"b","body":null}])")
          .status,
      200);
  EXPECT_EQ(
      post(
          R"({"type":"system_metrics","source":"c","time":7,"messages":[{"body":{"x":[[]]}},{"source":"d","time":8,"body":""}]})")
          .status,
      200);
  EXPECT_EQ(post("[]").status, 200);
  auto const all = stored();
  ASSERT_EQ(all.size(), 4u);
  std::map<std::string, Stored> by_source;
  for (auto const& s : all) by_source[s.source] = s;
  EXPECT_EQ(by_source["b"].type, "ethereum_metrics");
  EXPECT_EQ(by_source["c"].time.ns, 7);
  EXPECT_EQ(by_source["c"].body, R"({"x":[[]]})");
  EXPECT_EQ(by_source["d"].time.ns, 8);
}

TEST_F(HttpMessagesTest, ABatchOfManySourcesKeepsSequencesAscendingPerPartition) {
  start();
  std::string body = "[";
  for (int i = 0; i < 2000; ++i) {
    if (i) body += ',';
    body += fmt::format(R"({{"type":"system_metrics","source":"s{}","body":{}}})", i % 701, i);
  }
  ASSERT_EQ(post(body + "]").status, 200);
  EXPECT_EQ(stored().size(), 2000u);
  // As readers do it: by partition, in order, everything at or below the last sequence of a
  // producer is a repeat.
  auto const topic = inner_broker_->topics()[0];
  std::size_t kept = 0;
  for (std::uint32_t p = 0; p < topic.partition_count; ++p) {
    auto reader = inner_broker_->make_reader({{{topic.id, p}, {}}}, [] {});
    std::map<base::Uuid, std::uint64_t> last;
    for (bool end = false; !end;) {
      auto const fetched = *reader->fetch(1 << 16);
      end = fetched.at_end;
      for (auto const& f : fetched.records) {
        auto const record = codec::record::RecordView::trusted(f.record);
        EXPECT_GT(record.first_sequence(), last[record.producer()]);
        last[record.producer()] = record.last_sequence();
        kept += record.count();
      }
    }
  }
  EXPECT_EQ(kept, 2000u);
}

TEST_F(HttpMessagesTest, MessagePackIsTakenAndAnsweredWhenAskedFor) {
  start();
  std::string body;
  MsgpackWriter w(body);
  w.array(1)
      .map(4)
      .member("type", "system_metrics")
      .member("source", "s")
      .member("time", base::Timestamp{1'700'000'000'000'000'001});
  w.value("body").map(2).member("a", 1.5).value(7).value("seven");
  auto const reply = post(body, {{"Accept", "application/msgpack"}}, "", "application/msgpack");
  ASSERT_EQ(reply.status, 200);
  EXPECT_EQ(reply.header("content-type"), "application/msgpack");
  codec::msgpack::Parser parser;
  auto const root = parser.parse(reply.body);
  ASSERT_TRUE(root);
  EXPECT_EQ(root->find("accepted")->as_int64(), 1);
  auto const all = stored();
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].body, R"({"a":1.5,"7":"seven"})");
  EXPECT_EQ(all[0].time.ns, 1'700'000'000'000'000'001);
  body.clear();
  MsgpackWriter(body)
      .map(2)
      .member("source", "s")
      .value("messages")
      .array(1)
      .map(2)
      .member("type", "ethereum_metrics")
      .member("body", 1);
  EXPECT_EQ(post(body, {}, "", "application/msgpack").status, 200);
  EXPECT_EQ(stored().size(), 2u);
}

struct BadCase {
  char const* name;
  std::string_view body;
  int status;
  std::string_view says;  // within the reply
};
constexpr BadCase kBad[] = {
    {"empty body", "", 400, "byte 0"},
    {"truncated", R"({"type":"system_metrics","source":"s","body":{"a":1)", 400, "byte"},
    {"trailing comma", R"({"type":"system_metrics","source":"s","body":{"a":1,}})", 400, "byte"},
    {"broken inside a body",
     R"({"type":"system_metrics","source":"s","body":{"skip":[1,,tru],"id":"a"}})", 400, "byte 56"},
    {"invalid UTF-8", "{\"type\":\"system_metrics\",\"source\":\"s\",\"body\":\"\xff\"}", 400,
     "UTF-8"},
    {"a number out of range", R"({"type":"system_metrics","source":"s","body":1e400})", 400,
     "byte"},
    {"a number as document", "7", 400, "expected a message"},
    {"a string in the array", R"(["x"])", 400, "[0]: expected an object, found string"},
    {"no type", R"({"source":"s","body":1})", 400, "type: missing"},
    {"no source", R"({"type":"system_metrics","body":1})", 400, "source: missing"},
    {"no body", R"({"type":"system_metrics","source":"s"})", 400, "body: missing"},
    {"unknown type", R"({"type":"system_metric","source":"s","body":1})", 400,
     "did you mean 'system_metrics'"},
    {"type is no string", R"({"type":7,"source":"s","body":1})", 400,
     "type: expected a string, found integer (byte 8)"},
    {"unknown key", R"({"type":"system_metrics","source":"s","bdy":1})", 400,
     "did you mean 'body'"},
    {"key of a frame", R"({"seq":1,"type":"system_metrics","source":"s","body":1})", 400,
     "unknown key 'seq'"},
    {"key twice", R"({"type":"system_metrics","source":"s","body":1,"body":2})", 400,
     "body: is there twice (byte 47)"},
    {"empty id", R"({"id":"","type":"system_metrics","source":"s","body":1})", 400, "id:"},
    {"control character in source", R"({"type":"system_metrics","source":"a\nb","body":1})", 400,
     "source:"},
    {"bad time", R"({"type":"system_metrics","source":"s","time":"yesterday","body":1})", 400,
     "time:"},
    {"time is a float", R"({"type":"system_metrics","source":"s","time":1.5,"body":1})", 400,
     "time: expected RFC 3339"},
    {"far future",
     R"({"type":"system_metrics","source":"s","time":"2200-01-01T00:00:00Z","body":1})", 400,
     "in the future"},
    {"points", R"({"type":"meter_points","source":"s","body":[]})", 400, "takes points"},
    {"messages is no array", R"({"messages":{}})", 400, "messages: expected an array"},
    {"body beside messages", R"({"messages":[],"body":1})", 400, "unknown key 'body'"},
    {"second of a batch",
     R"([{"type":"system_metrics","source":"s","body":1},{"type":"system_metrics","source":"s","time":true,"body":1}])",
     400, "[1].time"},
    {"second of messages",
     R"({"messages":[{"type":"system_metrics","source":"s","body":1},{"source":"s","body":1}]})",
     400, "messages[1].type: missing"},
};

TEST_F(HttpMessagesTest, BadInputIsRefusedWithPathAndByteAndNothingIsStored) {
  start();
  for (auto const& c : kBad) {
    SCOPED_TRACE(c.name);
    auto const reply = post(c.body);
    EXPECT_EQ(reply.status, c.status) << reply.body;
    EXPECT_NE(reply.body.find(c.says), std::string::npos) << reply.body;
  }
  EXPECT_TRUE(stored().empty());
  EXPECT_EQ(post(kGood).status, 200);
}

TEST_F(HttpMessagesTest, BoundsAreAnsweredAndNothingIsStored) {
  Config config;
  config.limits.body_bytes_max = 100;
  config.limits.request_bytes_max = 4000;
  config.limits.batch_messages_max = 3;
  config.limits.nesting_max = 4;
  start(config);
  auto const message = [](std::string_view body) {
    return fmt::format(R"({{"type":"system_metrics","source":"s","body":{}}})", body);
  };
  EXPECT_EQ(post(message("\"" + std::string(99, 'x') + "\"")).status, 413);
  EXPECT_EQ(post(message("[[[[[]]]]]")).status, 413);
  EXPECT_EQ(post(message(std::string(500, '[') + std::string(500, ']'))).status, 413);
  EXPECT_EQ(post(message("\"" + std::string(5000, 'x') + "\"")).status, 413);
  EXPECT_EQ(
      post("[" + message("1") + "," + message("1") + "," + message("1") + "," + message("1") + "]")
          .status,
      413);
  EXPECT_TRUE(stored().empty());
  EXPECT_EQ(post(message("[[[[]]]]")).status, 200);
}

TEST_F(HttpMessagesTest, OtherMediaTypesAreRefused) {
  start();
  for (auto const* type : {"text/plain", "application/x-www-form-urlencoded", "application/jsonp"})
    EXPECT_EQ(post(kGood, {}, "", type).status, 415) << type;
  EXPECT_EQ(post(kGood, {{"Content-Encoding", "br"}}).status, 415);
  EXPECT_EQ(post(kGood, {}, "", "application/json; charset=utf-8").status, 200);
  EXPECT_EQ(stored().size(), 1u);
}

std::string gzip(std::string_view text) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string out(deflateBound(&stream, text.size()) + 32, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

TEST_F(HttpMessagesTest, CompressedBodiesAreTakenAndBombsAreNot) {
  Config config;
  config.limits.request_bytes_max = 1u << 20;
  start(config);
  EXPECT_EQ(post(gzip(kGood), {{"Content-Encoding", "gzip"}}).status, 200);
  auto const bomb = gzip("\"" + std::string(8u << 20, ' ') + "\"");
  EXPECT_LT(bomb.size(), 20'000u);
  EXPECT_EQ(post(bomb, {{"Content-Encoding", "gzip"}}).status, 413);
  EXPECT_EQ(post("not gzip at all", {{"Content-Encoding", "gzip"}}).status, 400);
  EXPECT_EQ(stored().size(), 1u);
}

TEST_F(HttpMessagesTest, ABatchIsRefusedInWholeUnlessPartialIsAskedFor) {
  start();
  constexpr std::string_view kMixed =
      R"([{"id":"g","type":"system_metrics","source":"s","body":1},{"type":"nope","source":"s","body":1},{"source":"s","body":1}])";
  auto const whole = post(kMixed);
  EXPECT_EQ(whole.status, 400);
  EXPECT_NE(text(whole, "refused").find(R"("index":1,"code":"not_found")"), std::string::npos)
      << whole.body;
  EXPECT_NE(text(whole, "refused").find(R"("index":2)"), std::string::npos);
  EXPECT_TRUE(stored().empty());
  auto const partial = post(kMixed, {}, "?partial=true");
  EXPECT_EQ(partial.status, 200);
  EXPECT_EQ(text(partial, "accepted"), "1");
  EXPECT_NE(text(partial, "refused").find(R"("index":2)"), std::string::npos);
  ASSERT_EQ(stored().size(), 1u);
  EXPECT_EQ(stored()[0].id, "g");
  EXPECT_EQ(post(kMixed, {}, "?partial=maybe").status, 400);
  EXPECT_EQ(post(kMixed, {}, "?partal=true").status, 400);
}

TEST_F(HttpMessagesTest, AnIdempotencyKeyGivesTheSameIdsAgain) {
  start();
  constexpr std::string_view kBatch =
      R"([{"type":"system_metrics","source":"s","body":1},{"type":"system_metrics","source":"s","body":2}])";
  auto const ids_of = [&](std::string_view key) {
    auto const before = stored().size();
    EXPECT_EQ(post(kBatch, {{"Idempotency-Key", std::string(key)}}).status, 200);
    std::set<std::string> ids;
    auto const all = stored();
    for (auto i = all.begin() + static_cast<std::ptrdiff_t>(before); i != all.end(); ++i)
      ids.insert(i->id);
    return ids;
  };
  auto const first = ids_of("k1");
  EXPECT_EQ(first.size(), 2u);
  EXPECT_EQ(ids_of("k1"), first);
  EXPECT_NE(ids_of("k2"), first);
  EXPECT_EQ(post(kBatch, {{"Idempotency-Key", std::string(300, 'k')}}).status, 400);
}

TEST_F(HttpMessagesTest, WithoutIdsMessagesGetUuidsOrderedByTime) {
  start();
  ASSERT_EQ(
      post(
          R"([{"type":"system_metrics","source":"s","body":1},{"type":"system_metrics","source":"s","body":2},{"type":"system_metrics","source":"s","body":3}])")
          .status,
      200);
  auto const all = stored();
  ASSERT_EQ(all.size(), 3u);
  EXPECT_EQ(all[0].id[14], '7');
  EXPECT_LT(all[0].id, all[1].id);
  EXPECT_LT(all[1].id, all[2].id);
}

TEST_F(HttpMessagesTest, TheTokenCoversWhereTheMessagesAre) {
  start();
  auto const reply = post(
      R"([{"type":"system_metrics","source":"a","body":1},{"type":"ethereum_metrics","source":"b","body":2}])");
  auto const token = PositionToken::decode(text(reply, "token"));
  ASSERT_TRUE(token);
  ASSERT_EQ(token->entries().size(), 2u);
  for (auto const& entry : token->entries())
    EXPECT_EQ(entry.position, inner_broker_->end(entry.partition));
  EXPECT_EQ(reply.header("headrace-token"), text(reply, "token"));
}

TEST_F(HttpMessagesTest, TheReplyWaitsForTheLog) {
  start();
  gated_->hold();
  auto reply = std::async(std::launch::async, [&] { return post(kGood); });
  EXPECT_EQ(reply.wait_for(std::chrono::milliseconds(50)), std::future_status::timeout);
  EXPECT_TRUE(stored().empty());
  gated_->release();
  EXPECT_EQ(reply.get().status, 200);
  EXPECT_EQ(stored().size(), 1u);
}

TEST_F(HttpMessagesTest, WhatTheLogDoesNotTakeIsNotAcknowledged) {
  start();
  gated_->refuse_appends(base::Error{base::ErrorCode::kOverloaded, "queue full"});
  auto const refused = post(kGood);
  EXPECT_EQ(refused.status, 503);
  EXPECT_TRUE(refused.header("retry-after"));
  gated_->refuse_appends({});
  gated_->hold();
  auto failed = std::async(std::launch::async, [&] { return post(kGood); });
  EXPECT_EQ(failed.wait_for(std::chrono::milliseconds(20)), std::future_status::timeout);
  gated_->fail_held({base::ErrorCode::kOverloaded, "disk full"});
  EXPECT_EQ(failed.get().status, 503);
  EXPECT_TRUE(stored().empty());
  EXPECT_EQ(post(kGood).status, 200);
}

TEST_F(HttpMessagesTest, WhenTooMuchWaitsForTheLogNewRequestsAreTurnedAway) {
  Config config;
  config.gate.unsettled_bytes_max = 1;
  start(config);
  gated_->hold();
  std::vector<std::future<net::HttpReply>> first;
  for (int i = 0; i < 4; ++i)
    first.push_back(std::async(std::launch::async, [&] { return post(kGood); }));
  // Every thread has one waiting once a request is turned away; connections go to the threads in
  // turn.
  int turned_away = 0;
  for (auto& f : first)
    if (f.wait_for(std::chrono::milliseconds(200)) == std::future_status::ready)
      turned_away += f.get().status == 503;
  EXPECT_GE(turned_away, 1);
  gated_->release();
  for (auto& f : first) {
    if (!f.valid()) continue;
    EXPECT_EQ(f.get().status, 200);
  }
}

TEST_F(HttpMessagesTest, APeerThatLeavesBeforeTheReplyHarmsNothing) {
  start();
  gated_->hold();
  {
    auto http = *net::HttpClient::open("http://127.0.0.1:" + std::to_string(port()),
                                       {.timeout = std::chrono::milliseconds(50), .tls = {}});
    EXPECT_FALSE(http.post(kPath, "application/json", kGood));
  }
  gated_->release();
  EXPECT_EQ(post(kGood).status, 200);
  EXPECT_EQ(stored().size(), 2u);
}

TEST_F(HttpMessagesTest, CredentialsRolesAndClaimsDecide) {
  start();
  auto const token = [&](std::string_view user, identity::Role role) {
    EXPECT_TRUE(identity_->add_user("root", user, role));
    return net::HeaderFields{
        {"Authorization", "Bearer " + identity_->add_token("root", user, {})->secret}};
  };
  EXPECT_EQ(post(kGood, {{"Origin", "http://evil.example"}}).status, 403);
  auto const a = token("a", identity::Role::kAgent);
  auto const b = token("b", identity::Role::kAgent);
  auto const viewer = token("v", identity::Role::kViewer);
  auto const anonymous = post(kGood);
  EXPECT_EQ(anonymous.status, 401);
  EXPECT_TRUE(anonymous.header("www-authenticate"));
  EXPECT_EQ(post(kGood, viewer).status, 403);
  EXPECT_TRUE(stored().empty());
  EXPECT_EQ(post(kGood, a).status, 200);
  auto const taken = post(kGood, b);
  EXPECT_EQ(taken.status, 403);
  EXPECT_NE(taken.body.find("belongs to another"), std::string::npos);
  ASSERT_EQ(stored().size(), 1u);
  EXPECT_EQ(stored()[0].principal, "a");
  ASSERT_TRUE(identity_->set_active("root", "a", false));
  EXPECT_EQ(post(kGood, a).status, 401);
}

TEST_F(HttpMessagesTest, EverythingIsCountedAndSourcesAreListed) {
  start();
  post(kGood);
  post(
      R"([{"type":"system_metrics","source":"s2","body":1},{"type":"ethereum_metrics","source":"s1","body":1}])");
  post(R"({"type":"nope","source":"s","body":1})");
  auto const text = metrics_.render();
  EXPECT_NE(
      text.find(
          "headrace_ingest_accepted_messages_total{type=\"system_metrics\",handler=\"http\"} 2"),
      std::string::npos)
      << text;
  EXPECT_NE(text.find("code=\"not_found\"} 1"), std::string::npos);
  EXPECT_EQ(ingest_->accounting().accepted_messages(*ingest_->types().find("ethereum_metrics")),
            1u);
  auto const sources = ingest_->sources().list({}, ingest_->types(), base::system_clock().now());
  ASSERT_EQ(sources.size(), 2u);
  EXPECT_EQ(sources[0].id, "s1");
  EXPECT_EQ(sources[0].messages, 2u);
  EXPECT_EQ(sources[0].data_types,
            (std::vector<std::string>{"system_metrics", "ethereum_metrics"}));
  EXPECT_EQ(sources[0].protocol, Protocol::kHttp);
  EXPECT_TRUE(sources[0].active);
}

TEST_F(HttpMessagesTest, ManyClientsAtOnceLoseNothing) {
  start();
  std::vector<std::thread> clients;
  for (int c = 0; c < 4; ++c)
    clients.emplace_back([&, c] {
      auto http = client();
      for (int i = 0; i < 50; ++i) {
        auto const reply = http.post(
            kPath, "application/json",
            fmt::format(R"({{"id":"{}-{}","type":"system_metrics","source":"s{}","body":{}}})", c,
                        i, i % 3, i));
        ASSERT_TRUE(reply);
        EXPECT_EQ(reply->status, 200);
      }
    });
  for (auto& c : clients) c.join();
  std::set<std::string> ids;
  for (auto const& s : stored()) ids.insert(s.id);
  EXPECT_EQ(ids.size(), 200u);
}

}  // namespace
}  // namespace headrace::ingest::http_messages
