// SPDX-License-Identifier: Apache-2.0
#include "app/config/keys.h"

#include <utility>

namespace headrace::app {
namespace {

using enum KeyKind;

constexpr Key kKeys[] = {
    {"data_dir", kPath, "./data", "", "Where everything that is kept lives; created when missing."},
    {"threads", kInteger, "0", "0..64",
     "Threads that serve connections; 0: one per core, at most 8."},
    {"stop_deadline", kDuration, "10s", "1s..10m",
     "How long a stop may take to settle what is under way."},

    {"http.listen", kListen, "127.0.0.1:8080", "",
     "Addresses of the public server; port 0 picks a free one."},
    {"http.tls.cert", kPath, "", "",
     "PEM file with the certificate chain; with `key` the server speaks TLS."},
    {"http.tls.key", kPath, "", "", "PEM file with the private key."},
    {"http.tls.self_signed", kBool, "false", "",
     "Speak TLS with a certificate that is made at the first start and kept in data_dir."},
    {"http.allowed_hosts", kTextList, "", "",
     "Host names by which clients may call this server, beside localhost and its addresses."},
    {"http.allowed_origins", kTextList, "", "",
     "Web origins, as https://example.org, whose pages may call this server."},
    {"http.connections_max", kInteger, "20000", "1..1000000",
     "Open connections; more are answered 503."},
    {"http.header_bytes_max", kSize, "16KiB", "1KiB..1MiB", "Request line and headers together."},
    {"http.idle_timeout", kDuration, "60s", "1s..1h",
     "A kept-alive connection without a request is closed after this."},
    {"http.header_timeout", kDuration, "10s", "100ms..1h",
     "Request line and headers must have arrived within this."},
    {"http.body_grace", kDuration, "10s", "100ms..1h",
     "So long a body may arrive at less than 1000 bytes a second."},

    {"data_types.*.body", kChoice, "document", "document|points",
     "What messages of the type carry."},
    {"data_types.*.durability", kChoice, "", "disk|os|memory",
     "What an acknowledgement promises; default: broker.durability."},
    {"data_types.*.retention", kDuration, "7d", "1s..36500d",
     "How long the log keeps messages; stores have their own."},
    {"data_types.*.partitions", kInteger, "8", "1..1024", "Fixed when the type is first used."},

    {"receivers.*.type", kChoice, "", "documents|live",
     "What kind of receiver it is; must be given."},
    {"receivers.*.store", kChoice, "sqlite", "sqlite",
     "Where a receiver of type documents keeps messages."},
    {"receivers.*.path", kPath, "", "", "The store's file; default: data_dir/documents/NAME.db."},
    {"receivers.*.body_bytes_max", kSize, "", "1KiB..64MB",
     "Larger bodies become dead letters of a receiver of type documents; default: "
     "limits.body_bytes."},
    {"receivers.*.required", kBool, "", "",
     "The log keeps what it has not consumed, up to the disk budget; default: true for stores."},
    {"receivers.*.from", kChoice, "begin", "begin|end",
     "Where a new receiver with a store starts in the log."},
    {"receivers.*.batch_bytes_max", kSize, "4MiB", "4KiB..64MiB",
     "Log bytes that one call of the receiver consumes at most."},
    {"receivers.*.retry_min", kDuration, "100ms", "1ms..1h",
     "First wait after a failure; it doubles, with jitter."},
    {"receivers.*.retry_max", kDuration, "30s", "1ms..1d", "Longest wait between attempts."},
    {"receivers.*.dead_letters_max", kInteger, "100000", "1..1000000000",
     "Dead letters that are kept; at the bound the receiver stops and says so."},
    {"receivers.*.hang_after", kDuration, "30s", "100ms..1d",
     "A call that takes longer is shown as hanging."},

    {"subscriptions.*", kNameList, "", "",
     "The receivers to which messages of this data type are led."},

    {"handlers.agent_websocket.enabled", kBool, "true", "", "Serve agents over WebSocket."},
    {"handlers.agent_websocket.path", kText, "/agent", "", "Its path on the public server."},
    {"handlers.agent_websocket.window_messages", kInteger, "8192", "1..1000000",
     "Unacknowledged messages of one connection."},
    {"handlers.agent_websocket.window_bytes", kSize, "256KiB", "4KiB..1GiB",
     "Unacknowledged bytes of one connection."},
    {"handlers.agent_websocket.ping_every", kDuration, "30s", "1s..1h",
     "A silent connection is asked for a sign of life."},
    {"handlers.agent_websocket.hello_timeout", kDuration, "10s", "100ms..10m",
     "A connection must say hello within this."},
    {"handlers.http_messages.enabled", kBool, "true", "", "Serve POST /api/v1/messages."},

    {"broker.type", kChoice, "log", "log|memory",
     "log: on disk; memory: gone at a restart, for tests."},
    {"broker.durability", kChoice, "disk", "disk|os|memory",
     "What an acknowledgement promises: survives a power failure, our end, or nothing."},
    {"broker.segment_bytes", kSize, "64MiB", "64KiB..1GiB", "Size of one file of the log."},
    {"broker.disk_budget", kSize, "10GiB", "0..1PiB",
     "The log's size, at least four segments; the oldest go first. 0: no budget."},
    {"broker.disk_reserve", kSize, "16MiB", "0..1TiB",
     "Disk space kept aside, so that cursors and dead letters can be written when it is full."},
    {"broker.queue_bytes", kSize, "32MiB", "1MiB..4GiB",
     "Bytes of one thread that wait for the disk; beyond, senders get overloaded."},
    {"broker.group_bytes", kSize, "4MiB", "64KiB..64MiB",
     "Bytes that are written and synced together at most."},
    {"broker.group_delay", kDuration, "500us", "0us..1s",
     "How long a small group waits for company."},
    {"broker.cache_bytes", kSize, "32MiB", "0..64GiB",
     "The log's newest bytes that are kept in memory for receivers."},
    {"broker.direct_io", kBool, "true", "", "Write past the page cache where the file system can."},

    {"limits.id_bytes", kSize, "128", "16..4096", "Message id."},
    {"limits.source_bytes", kSize, "200", "16..4096", "Source id."},
    {"limits.body_bytes", kSize, "8MB", "1KiB..64MB", "Body of one message."},
    {"limits.request_bytes", kSize, "32MB", "1KiB..256MB",
     "One request or frame, after decompression."},
    {"limits.anonymous_bytes", kSize, "256KiB", "1KiB..64MiB",
     "Body of a request before its credentials are known."},
    {"limits.batch_messages", kInteger, "10000", "1..1000000", "Messages in one request or frame."},
    {"limits.nesting", kInteger, "32", "1..256", "Arrays and objects within one another."},
    {"limits.future", kDuration, "24h", "0s..36500d",
     "How far a message's time may be ahead of ours."},

    {"identity.mode", kChoice, "claim", "claim|any|listed",
     "Who may report a source: who did so first, anybody, or only who was given it."},

    {"sources.known_max", kInteger, "100000", "100..10000000",
     "Sources that are remembered; those seen longest ago go first."},
    {"sources.inactive_after", kDuration, "60s", "1s..30d",
     "A source that reported nothing for this long counts as inactive."},

    {"api.query_threads", kInteger, "2", "1..64", "Questions that run at the same time."},
    {"api.query_queue", kInteger, "64", "1..10000", "Questions that wait; more are answered 503."},
    {"api.query_timeout", kDuration, "30s", "100ms..1h",
     "A question that takes longer ends with an error."},
    {"api.fresh_wait", kDuration, "2s", "0s..1m",
     "How long a question waits to see all that was acknowledged before it."},

    {"live.readers_max", kInteger, "256", "1..100000", "Open feeds; more are answered 503."},
    {"live.queue_bytes", kSize, "1MiB", "16KiB..256MiB",
     "What may wait for one slow reader before messages are dropped."},
    {"live.frame_every", kDuration, "50ms", "1ms..10s",
     "Messages are gathered this long into one frame."},

    {"log.level", kChoice, "info", "debug|info|warn|error|off", "The least level that is logged."},
    {"log.format", kChoice, "auto", "auto|text|json",
     "auto: text on a terminal, JSON lines otherwise."},

    {"agent.server", kText, "ws://127.0.0.1:8080/agent", "", "Where `headrace agent` reports to."},
    {"agent.token", kSecret, "", "",
     "Its credential; write it as ${NAME} to take it from the environment."},
    {"agent.token_file", kPath, "", "", "File that holds its credential."},
    {"agent.source", kText, "", "", "Name under which it reports; default: the host's name."},
    {"agent.tls.verify", kBool, "true", "", "wss://: check the server's certificate."},
    {"agent.tls.ca_file", kPath, "", "",
     "wss://: PEM file with the certificates to trust; default: the system's."},
    {"agent.batch_messages_max", kInteger, "500", "1..10000", "Messages in one frame."},
    {"agent.retry_min", kDuration, "250ms", "1ms..1h",
     "First wait after a lost connection; it doubles, with jitter."},
    {"agent.retry_max", kDuration, "30s", "1ms..1d", "Longest wait between attempts."},
    {"agent.spool.path", kPath, "", "",
     "Where unacknowledged messages wait; default: data_dir/agent."},
    {"agent.spool.bytes_max", kSize, "64MiB", "1MiB..1TiB",
     "What the spool may hold; beyond, the oldest messages are dropped and counted."},
    {"agent.spool.sync", kChoice, "second", "always|second|never",
     "When the spool is synced; matters only when the power fails."},
    {"agent.collectors.system.enabled", kBool, "true", "",
     "Report this machine's cpu, memory, disks, network and load."},
    {"agent.collectors.system.period", kDuration, "1s", "100ms..1d", "How often."},
    {"agent.collectors.system.data_type", kName, "system_metrics", "", "As which data type."},
};

constexpr std::pair<std::string_view, std::string_view> kGroups[] = {
    {"http", "The public server: pages, API, handlers, feeds."},
    {"data_types",
     "The types of data that are taken in, each with its own durability and retention."},
    {"receivers", "Who consumes messages; the names are yours."},
    {"subscriptions",
     "Which receivers get which data type. Without it every type is led to every receiver."},
    {"handlers", "The protocols that sources speak."},
    {"broker", "The ordered, durable log between handlers and receivers."},
    {"limits", "The bounds on what a message may be."},
    {"identity", "Who may report and read."},
    {"sources", "How sources are shown."},
    {"api", "Questions."},
    {"live", "The live feed."},
    {"log", "The program's own log, on standard error."},
    {"agent", "What `headrace agent` does."},
};

}  // namespace

std::span<Key const> keys() { return kKeys; }

std::string_view group_meaning(std::string_view group) {
  for (auto const& [name, meaning] : kGroups)
    if (name == group) return meaning;
  return {};
}

std::string_view kind_name(KeyKind kind) {
  switch (kind) {
    case kText: return "text";
    case kPath: return "path";
    case kBool: return "true or false";
    case kInteger: return "whole number";
    case kSize: return "size (64MiB, 8MB, 512)";
    case kDuration: return "duration (250ms, 7s, 30d)";
    case kChoice: return "choice";
    case kName: return "name";
    case kListen: return "host:port, or a list of them";
    case kTextList: return "list of texts";
    case kNameList: return "list of names";
    case kSecret: return "secret";
  }
  return "";
}

}  // namespace headrace::app
