// SPDX-License-Identifier: Apache-2.0
#include "app/config/config.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

namespace headrace::app {
namespace {

using testing::HasSubstr;

std::string problems_of(std::string const& yaml, std::vector<std::string> const& sets = {}) {
  return to_string(load_config_text(yaml, "f.yaml", sets).problems);
}

// One row a mistake: what is said, with its place.
struct Mistake {
  char const* name;
  char const* yaml;
  char const* said;
};
constexpr Mistake kMistakes[] = {
    {"unknown key", "htpp: {}\n", "f.yaml:1:1: unknown key 'htpp'; nearest: 'http'"},
    {"unknown key within", "broker:\n  durabilty: disk\n",
     "f.yaml:2:3: unknown key 'broker.durabilty'; nearest: 'broker.durability'"},
    {"a key of another place", "listen: 127.0.0.1:1\n",
     "f.yaml:1:1: unknown key 'listen'; nearest: 'http.listen'"},
    {"dotted key", "http.listen: 127.0.0.1:1\n", "f.yaml:1:1: unknown key 'http.listen'"},
    {"twice", "broker: {type: log, type: log}\n", "f.yaml:1:21: 'broker.type' is given twice"},
    {"map for scalar", "data_dir: {a: 1}\n", "f.yaml:1:11: data_dir: expected path, got a map"},
    {"scalar for map", "http: 8080\n", "f.yaml:1:7: http: expected a map, got '8080'"},
    {"list for map", "receivers: [a]\n", "f.yaml:1:12: receivers: expected a map, got a list"},
    {"root is a list", "- a\n", "f.yaml:1:1: the file: expected a map, got a list"},
    {"nothing for a scalar", "data_dir:\n", "data_dir: expected path, got nothing"},
    {"wrong choice", "broker: {durability: dsik}\n",
     "f.yaml:1:22: broker.durability: 'dsik': expected one of disk, os, memory; nearest: 'disk'"},
    {"bad duration", "stop_deadline: 10 s\n", "stop_deadline: '10 s': expected a duration"},
    {"duration out of bounds", "stop_deadline: 10ms\n",
     "f.yaml:1:16: stop_deadline: '10ms': out of bounds; expected duration (250ms, 7s, 30d) within "
     "1s..10m"},
    {"bad size", "broker: {segment_bytes: 64 MiB}\n",
     "broker.segment_bytes: '64 MiB': expected a size"},
    {"huge size", "broker: {segment_bytes: 99999999999999999999}\n", "the number is too large"},
    {"overflowing size", "broker: {segment_bytes: 99999999TiB}\n", "the number is too large"},
    {"bad number", "threads: four\n", "f.yaml:1:10: threads: 'four': expected a whole number"},
    {"number out of bounds", "threads: 65\n",
     "threads: '65': out of bounds; expected whole number within 0..64"},
    {"negative number", "threads: -1\n", "out of bounds"},
    {"bad bool", "http: {tls: {self_signed: yes}}\n",
     "http.tls.self_signed: 'yes': expected true or false"},
    {"bad listen", "http: {listen: 8080}\n",
     "f.yaml:1:16: http.listen: '8080': expected host:port"},
    {"bad port", "http: {listen: 'localhost:70000'}\n", "expected a port within 0..65535"},
    {"no listen", "http: {listen: []}\n", "http.listen: expected at least one host:port"},
    {"port clash", "http: {listen: ['127.0.0.1:80', '0.0.0.0:80']}\n",
     "f.yaml:1:33: http.listen: 0.0.0.0:80 clashes with 127.0.0.1:80"},
    {"cert without key", "http: {tls: {cert: a.pem}}\n",
     "f.yaml:1:20: http.tls: cert and key go together; key is missing"},
    {"self-signed and cert", "http: {tls: {cert: a, key: b, self_signed: true}}\n",
     "expected either self_signed or cert"},
    {"unknown receiver", "subscriptions:\n  system_metrics: [archive, lvie]\n",
     "f.yaml:2:29: subscriptions.system_metrics: unknown receiver 'lvie'; nearest: 'live'"},
    {"unknown data type", "subscriptions: {sytem_metrics: [live]}\n",
     "f.yaml:1:32: subscriptions.sytem_metrics: unknown data type 'sytem_metrics'; nearest: "
     "'system_metrics'"},
    {"receiver twice", "subscriptions: {system_metrics: [live, live]}\n",
     "receiver 'live' is named twice"},
    {"receiver without type", "receivers: {a: {}}\n",
     "f.yaml:1:16: receivers.a.type: must be given"},
    {"unknown receiver type", "receivers: {a: {type: docments}}\n", "nearest: 'documents'"},
    {"store of live", "receivers: {a: {type: live, store: sqlite}}\n",
     "f.yaml:1:36: receivers.a.store: a receiver of type live has no store"},
    {"bad receiver name", "receivers: {A b: {type: live}}\n", "receivers.A b: expected a name"},
    {"bad data type name", "data_types: {Temp: {}}\n", "data_types.Temp: "},
    {"one store for two",
     "receivers: {a: {type: documents, path: x.db}, b: {type: documents, path: x.db}}\n",
     "'x.db' is the store of receiver 'a' already"},
    {"two feeds", "receivers: {a: {type: live}, b: {type: live}}\n",
     "receivers.b: there is one live feed, and receiver 'a' is it"},
    {"retry bounds", "receivers: {a: {type: live, retry_min: 2s, retry_max: 1s}}\n",
     "expected retry_min <= retry_max"},
    {"path clash", "handlers: {agent_websocket: {path: /live}}\n",
     "f.yaml:1:36: handlers.agent_websocket.path: '/live' is taken"},
    {"relative path", "handlers: {agent_websocket: {path: agent}}\n",
     "expected a path that begins with /"},
    {"api path", "handlers: {agent_websocket: {path: /api/x}}\n", "/api/ is taken"},
    {"small budget", "broker: {disk_budget: 1MiB}\n", "expected at least four segments"},
    {"a promise that memory cannot keep", "broker: {type: memory, durability: disk}\n",
     "f.yaml:1:36: broker.durability: a broker of type memory keeps no 'disk'; expected memory"},
    {"body over request", "limits: {body_bytes: 8MB, request_bytes: 1MB}\n",
     "expected body_bytes <= request_bytes"},
    {"unset environment", "agent: {token: '${HEADRACE_TEST_UNSET}'}\n",
     "f.yaml:1:16: agent.token: the environment has no 'HEADRACE_TEST_UNSET'"},
    {"environment in a flow map", "agent: {token: ${HEADRACE_TEST_UNSET}}\n",
     "(within { } and [ ] write '${NAME}' in quotes)"},
    {"token file is not there", "agent: {token_file: /nonexistent/token}\n",
     "agent.token_file: cannot be read"},
    {"agent address", "agent: {server: 'http://x/agent'}\n",
     "expected an address that begins with ws:// or wss://"},
    {"not YAML", "http: {listen: \n", "not YAML"},
    {"two documents", "threads: 1\n---\nthreads: 2\n", "expected one YAML document"},
};

TEST(Config, EveryMistakeIsNamedWithItsPlace) {
  for (auto const& c : kMistakes) {
    SCOPED_TRACE(c.name);
    EXPECT_THAT(problems_of(c.yaml), HasSubstr(c.said));
  }
}

TEST(Config, AllProblemsAreReportedAtOnceInTheOrderOfTheFile) {
  auto const loaded = load_config_text(
      "threads: x\n"
      "http: { listen: 127.0.0.1 }\n"
      "subscriptions: { system_metrics: [archive, nobody] }\n"
      "brokr: {}\n",
      "f.yaml");
  ASSERT_EQ(loaded.problems.size(), 4u) << to_string(loaded.problems);
  for (int i = 0; i < 4; ++i)
    EXPECT_EQ(loaded.problems[static_cast<std::size_t>(i)].where.line, i + 1);
}

TEST(Config, WithoutAFileEverythingIsLedToEveryReceiver) {
  auto const loaded = load_config({});
  ASSERT_TRUE(loaded.problems.empty()) << to_string(loaded.problems);
  auto const& c = loaded.config;
  ASSERT_EQ(c.data_types.size(), 3u);
  EXPECT_EQ(c.data_types[2].name.text(), "system_metrics");
  EXPECT_EQ(c.data_types[2].durability, model::Durability::kDisk);
  ASSERT_EQ(c.receivers.size(), 2u);
  for (auto const& r : c.receivers)
    EXPECT_THAT(r.data_types,
                testing::ElementsAre("ethereum_metrics", "networking_metrics", "system_metrics"));
  EXPECT_TRUE(c.receivers[0].required);
  EXPECT_FALSE(c.receivers[1].required);
  EXPECT_EQ(c.http.listen.at(0), (ListenAddress{"127.0.0.1", 8080}));
  EXPECT_GE(c.threads, 1u);
}

TEST(Config, TheDocumentedShapeIsTaken) {
  auto const loaded = load_config_text(R"(
data_dir: ./data
http:       { listen: 127.0.0.1:8080 }
data_types: { ethereum_metrics: {}, networking_metrics: {},
              system_metrics: { durability: os, retention: 30d } }
receivers:
  archive: { type: documents, store: sqlite }
  live:    { type: live }
subscriptions:
  ethereum_metrics:   [archive, live]
  networking_metrics: [live]
  system_metrics:     [archive, live]
handlers:
  agent_websocket: { path: /agent }
broker:     { type: log, durability: disk }
)",
                                       "headrace.yaml");
  ASSERT_TRUE(loaded.problems.empty()) << to_string(loaded.problems);
  EXPECT_EQ(loaded.config.data_types[2].retention, std::chrono::hours(24 * 30));
  EXPECT_EQ(loaded.config.data_types[2].durability, model::Durability::kOs);
  EXPECT_EQ(loaded.config.data_types[0].durability, model::Durability::kDisk);
  EXPECT_THAT(loaded.config.receivers[0].data_types,
              testing::ElementsAre("ethereum_metrics", "system_metrics"));
}

TEST(Config, SetOverridesAnyKey) {
  auto const loaded =
      load_config_text("http: {listen: '127.0.0.1:1'}\n", "f.yaml",
                       {"http.listen=[::1]:0,127.0.0.1:0", "data_types.doors.retention=90d",
                        "receivers.other.type=documents", "broker.durability=memory"});
  ASSERT_TRUE(loaded.problems.empty()) << to_string(loaded.problems);
  ASSERT_EQ(loaded.config.http.listen.size(), 2u);
  EXPECT_EQ(loaded.config.http.listen[0], (ListenAddress{"::1", 0}));
  EXPECT_EQ(loaded.config.data_types.back().name.text(), "doors");
  EXPECT_EQ(loaded.config.data_types.back().durability, model::Durability::kMemory);
  EXPECT_THAT(loaded.config.receivers.back().data_types, testing::Contains("doors"));
}

TEST(Config, SetOfASubscriptionReplacesItAlone) {
  auto const loaded = load_config_text(
      "", "f.yaml", {"subscriptions.system_metrics=[]", "subscriptions.ethereum_metrics=live"});
  ASSERT_TRUE(loaded.problems.empty()) << to_string(loaded.problems);
  EXPECT_THAT(loaded.config.receivers[0].data_types, testing::ElementsAre("networking_metrics"));
  EXPECT_THAT(loaded.config.receivers[1].data_types,
              testing::ElementsAre("ethereum_metrics", "networking_metrics"));
}

TEST(Config, SetTakesTheEnvironmentToo) {
  ::setenv("HEADRACE_TEST_LISTEN", "127.0.0.1:7", 1);
  auto const loaded = load_config_text("", "f.yaml", {"http.listen=${HEADRACE_TEST_LISTEN}"});
  ASSERT_TRUE(loaded.problems.empty()) << to_string(loaded.problems);
  EXPECT_EQ(loaded.config.http.listen.at(0), (ListenAddress{"127.0.0.1", 7}));
  ::setenv("HEADRACE_TEST_LISTEN", "nowhere", 1);
  EXPECT_THAT(problems_of("", {"http.listen=${HEADRACE_TEST_LISTEN}"}),
              HasSubstr("'${HEADRACE_TEST_LISTEN}', which is 'nowhere': expected host:port"));
}

TEST(Config, AReceiversWrongTypeIsSaidOnce) {
  auto const loaded = load_config_text("receivers: {a: {type: docments}}\n", "f.yaml", {});
  EXPECT_EQ(loaded.problems.size(), 1u) << to_string(loaded.problems);
}

TEST(Config, MistakesInSetNameTheKey) {
  EXPECT_THAT(problems_of("", {"http.lisen=x:1"}),
              HasSubstr("--set http.lisen: unknown key 'http.lisen'; nearest: 'http.listen'"));
  EXPECT_THAT(problems_of("", {"threads=many"}),
              HasSubstr("--set threads: threads: 'many': expected a whole number"));
  EXPECT_THAT(problems_of("", {"http.listen.x=5"}),
              HasSubstr("'http.listen.x'; 'http.listen' is a value, nothing is below it"));
  EXPECT_THAT(problems_of("", {"threads"}), HasSubstr("expected KEY=VALUE"));
  EXPECT_THAT(problems_of("", {"data_types={a"}), HasSubstr("not YAML"));
}

TEST(Config, PointsAreNotLedToTheDocumentArchiveUnlessAsked) {
  auto const quiet = load_config_text("data_types: {power: {body: points}}\n", "f.yaml");
  EXPECT_TRUE(quiet.config.receivers[0].data_types.empty());
  EXPECT_THAT(quiet.config.receivers[1].data_types, testing::ElementsAre("power"));
  auto const asked = load_config_text(
      "data_types: {power: {body: points}}\nsubscriptions: {power: [archive]}\n", "f.yaml");
  EXPECT_THAT(asked.config.receivers[0].data_types, testing::ElementsAre("power"));
}

TEST(Config, SecretsComeFromTheEnvironmentAndAreNeverPrinted) {
  ::setenv("HEADRACE_TEST_TOKEN", "s3cr3t-value", 1);
  auto const loaded = load_config_text(
      "agent: {token: '${HEADRACE_TEST_TOKEN}', source: '${HEADRACE_TEST_TOKEN}'}\n", "f.yaml");
  ASSERT_TRUE(loaded.problems.empty()) << to_string(loaded.problems);
  EXPECT_EQ(loaded.config.agent.token, "s3cr3t-value");
  auto const printed = print_effective(loaded.settings);
  EXPECT_THAT(printed, testing::Not(HasSubstr("s3cr3t-value")));
  EXPECT_THAT(printed, HasSubstr("<hidden>"));
}

TEST(Config, TheEffectiveConfigReadsBackTheSame) {
  auto const first = load_config_text(
      "data_types: {a: {retention: 3d}}\nhttp: {allowed_hosts: ['x y', z]}\n", "f.yaml");
  ASSERT_TRUE(first.problems.empty());
  auto const printed = print_effective(first.settings);
  auto const second = load_config_text(printed, "printed.yaml");
  // What only says "default" is refused where a key has no empty value; none may remain.
  EXPECT_TRUE(second.problems.empty()) << to_string(second.problems) << printed;
  EXPECT_EQ(second.config.http.allowed_hosts, first.config.http.allowed_hosts);
  EXPECT_EQ(second.config.data_types, first.config.data_types);
  EXPECT_EQ(second.config.receivers.size(), first.config.receivers.size());
}

TEST(Config, EveryDefaultIsWithinItsOwnBounds) {
  for (auto const& key : keys()) {
    SCOPED_TRACE(key.path);
    EXPECT_FALSE(key.meaning.empty());
    for (auto const& item : split(key.default_text, ','))
      if (auto const good = check_value(key, item); !good) ADD_FAILURE() << good.error().context;
  }
}

TEST(Config, TheReferencePageIsCurrent) {
  std::ifstream file("docs/guide/configuration.md");
  std::stringstream text;
  text << file.rdbuf();
  EXPECT_EQ(text.str(), print_reference())
      << "run: headrace config --reference > docs/guide/configuration.md";
}

struct SizeCase {
  char const* text;
  std::optional<std::uint64_t> want;
};
constexpr SizeCase kSizes[] = {{"0", 0},           {"512", 512},       {"64KiB", 65536},
                               {"8MB", 8'000'000}, {"1GiB", 1u << 30}, {"1 MB", {}},
                               {"MB", {}},         {"-1", {}},         {"1.5MB", {}},
                               {"1mb", {}},        {"", {}},           {"8191PiB", 8191ull << 50},
                               {"8192PiB", {}},    {"0x10", {}}};
TEST(ParseSize, Table) {
  for (auto const& c : kSizes) {
    SCOPED_TRACE(c.text);
    auto const got = parse_size(c.text);
    ASSERT_EQ(got.has_value(), c.want.has_value());
    if (c.want) {
      EXPECT_EQ(*got, *c.want);
    }
  }
}

struct ListenCase {
  char const* text;
  std::optional<ListenAddress> want;
};
TEST(ParseListen, Table) {
  ListenCase const cases[] = {{"127.0.0.1:80", ListenAddress{"127.0.0.1", 80}},
                              {"[::1]:0", ListenAddress{"::1", 0}},
                              {"localhost:8080", ListenAddress{"localhost", 8080}},
                              {"::1:80", {}},
                              {"[]:80", {}},
                              {":80", {}},
                              {"host:", {}},
                              {"host:-1", {}},
                              {"host:65536", {}},
                              {"a b:1", {}},
                              {"http://x:1", {}}};
  for (auto const& c : cases) {
    SCOPED_TRACE(c.text);
    auto const got = parse_listen(c.text);
    ASSERT_EQ(got.has_value(), c.want.has_value());
    if (c.want) {
      EXPECT_EQ(*got, *c.want);
    }
  }
}

}  // namespace
}  // namespace headrace::app
