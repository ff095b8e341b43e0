// SPDX-License-Identifier: Apache-2.0
// Config: what the program runs by, as typed values. Made from a file, overrides and defaults;
//         every problem is found before anything
// starts.
//   Threads: a value.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "app/config/settings.h"
#include "app/config/values.h"
#include "base/log.h"
#include "model/data_type.h"
#include "model/limits.h"

namespace headrace::app {

using Span = std::chrono::nanoseconds;

struct HttpConfig {
  std::vector<ListenAddress> listen;
  std::string tls_cert, tls_key;
  bool tls_self_signed = false;
  std::vector<std::string> allowed_hosts, allowed_origins;
  std::size_t connections_max = 0, header_bytes_max = 0;
  Span idle_timeout{}, header_timeout{}, body_grace{};

  bool tls() const { return tls_self_signed || !tls_cert.empty(); }
};

struct ReceiverConfig {
  std::string name;
  std::string type;   // "documents", "live"
  std::string store;  // "sqlite"
  std::string path;   // empty: the default
  bool required = false;
  bool from_begin = true;
  std::size_t body_bytes_max = 0, batch_bytes_max = 0, dead_letters_max = 0;
  Span retry_min{}, retry_max{}, hang_after{};
  std::vector<std::string> data_types;  // that are led to it
};

struct AgentWebsocketConfig {
  bool enabled = true;
  std::string path;
  std::size_t window_messages = 0, window_bytes = 0;
  Span ping_every{}, hello_timeout{};
};

struct BrokerConfig {
  std::string type;  // "log", "memory"
  model::Durability durability = model::Durability::kDisk;
  std::uint64_t segment_bytes = 0, disk_budget = 0, disk_reserve = 0;
  std::size_t queue_bytes = 0, group_bytes = 0, cache_bytes = 0;
  Span group_delay{};
  bool direct_io = true;
};

struct ApiConfig {
  std::size_t query_threads = 0, query_queue = 0;
  Span query_timeout{}, fresh_wait{};
};

struct LiveConfig {
  std::size_t readers_max = 0, queue_bytes = 0;
  Span frame_every{};
};

struct AgentConfig {
  std::string server, token, source;
  bool tls_verify = true;
  std::string tls_ca_file;
  std::string spool_path;
  std::uint64_t spool_bytes_max = 0;
  std::string spool_sync;
  std::size_t batch_messages_max = 0;
  Span retry_min{}, retry_max{};
  bool system_enabled = true;
  Span system_period{};
  std::string system_data_type;
};

struct Config {
  std::string data_dir;
  std::size_t threads = 0;  // resolved: at least 1
  Span stop_deadline{};
  HttpConfig http;
  std::vector<model::DataType> data_types;
  std::vector<ReceiverConfig> receivers;
  AgentWebsocketConfig agent_websocket;
  bool http_messages_enabled = true;
  BrokerConfig broker;
  model::Limits limits;
  std::size_t anonymous_bytes_max = 0;
  std::string identity_mode;  // "claim", "any", "listed"
  Span inactive_after{};
  std::size_t sources_max = 0;
  ApiConfig api;
  LiveConfig live;
  base::LogLevel log_level = base::LogLevel::kInfo;
  base::LogFormat log_format = base::LogFormat::kAuto;
  AgentConfig agent;
};

struct ConfigSource {
  std::optional<std::string> file;     // none: defaults alone
  std::vector<std::string> overrides;  // KEY=VALUE
};

struct Loaded {
  Config config;
  Settings settings;
  std::vector<Problem> problems;  // in the order of the file; empty: the config is good
};

// Reads, checks, builds. A file that cannot be read is a problem too.
Loaded load_config(ConfigSource const& source);
// The same from text, for tests and `headrace check -`.
Loaded load_config_text(std::string const& text, std::string const& file,
                        std::vector<std::string> const& overrides = {});
// "headrace.yaml:3:5: unknown key 'htpp'; nearest: 'http'", one a line.
std::string to_string(std::vector<Problem> const& problems);

// The effective config as a file with comments; secrets are not shown.
std::string print_effective(Settings const& settings);
// docs/guide/configuration.md.
std::string print_reference();

}  // namespace headrace::app
