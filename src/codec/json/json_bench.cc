// SPDX-License-Identifier: Apache-2.0
// A message of 200 bytes and ten members, a batch of a thousand, text with escapes and beyond
// ASCII; beside simdjson's DOM, which validates as much but gives no extents.
#include <benchmark/benchmark.h>
#include <simdjson.h>

#include "codec/json/json.h"

namespace headrace::codec::json {
namespace {

std::string message(int i) {
  return fmt::format(
      R"({{"seq":{},"source":"meter-{:04}","type":"system_metrics","time":"2026-01-02T03:04:05.{:03}Z","cpu":{}.25,"mem":48.5,)"
      R"("disk":71,"up":true,"host":"node-a","body":{{"load":[0.5,0.75,1.0],"procs":312}}}})",
      100000 + i, i % 50, i % 1000, i % 100);
}

std::string batch(int count) {
  std::string text = "[";
  for (int i = 0; i < count; ++i) text += (i > 0 ? "," : "") + message(i);
  return text + "]";
}

std::string accented() {
  std::string text = "{";
  for (int i = 0; i < 20; ++i)
    text += fmt::format(R"({}"clé{}":"mesuré à \"Zürich\" \u20ac {}")", i > 0 ? "," : "", i, i);
  return text + "}";
}

void run_ours(benchmark::State& state, std::string const& text, std::size_t depth) {
  Parser parser({.recorded_depth = depth});
  for (auto _ : state) {
    auto const root = parser.parse(text);
    if (!root) state.SkipWithError("refused");
    benchmark::DoNotOptimize(root);
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * text.size()));
}

void run_simdjson(benchmark::State& state, std::string const& text) {
  simdjson::dom::parser parser;
  simdjson::padded_string const padded(text);
  for (auto _ : state) {
    auto root = parser.parse(padded);
    if (root.error() != simdjson::SUCCESS) state.SkipWithError("refused");
    benchmark::DoNotOptimize(root);
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * text.size()));
}

void message_ours(benchmark::State& state) { run_ours(state, message(7), SIZE_MAX); }
void message_ours_envelope(benchmark::State& state) { run_ours(state, message(7), 1); }
void message_simdjson_dom(benchmark::State& state) { run_simdjson(state, message(7)); }
void batch_ours(benchmark::State& state) { run_ours(state, batch(1000), SIZE_MAX); }
void batch_ours_envelope(benchmark::State& state) { run_ours(state, batch(1000), 2); }
void batch_simdjson_dom(benchmark::State& state) { run_simdjson(state, batch(1000)); }
void accented_ours(benchmark::State& state) { run_ours(state, accented(), SIZE_MAX); }
void accented_simdjson_dom(benchmark::State& state) { run_simdjson(state, accented()); }

// As ingest does: each message is another.
void varied_messages_ours(benchmark::State& state) {
  std::vector<std::string> texts;
  for (int i = 0; i < 4096; ++i) texts.push_back(message(i * 7919));
  Parser parser({.recorded_depth = 1});
  std::size_t at = 0;
  for (auto _ : state) {
    auto const root = parser.parse(texts[at++ & 4095]);
    if (!root) state.SkipWithError("refused");
    benchmark::DoNotOptimize(root);
  }
}
void varied_messages_simdjson_dom(benchmark::State& state) {
  std::vector<simdjson::padded_string> texts;
  for (int i = 0; i < 4096; ++i) texts.emplace_back(message(i * 7919));
  simdjson::dom::parser parser;
  std::size_t at = 0;
  for (auto _ : state) {
    auto root = parser.parse(texts[at++ & 4095]);
    if (root.error() != simdjson::SUCCESS) state.SkipWithError("refused");
    benchmark::DoNotOptimize(root);
  }
}

BENCHMARK(message_ours);
BENCHMARK(message_ours_envelope);
BENCHMARK(message_simdjson_dom);
BENCHMARK(varied_messages_ours);
BENCHMARK(varied_messages_simdjson_dom);
BENCHMARK(batch_ours);
BENCHMARK(batch_ours_envelope);
BENCHMARK(batch_simdjson_dom);
BENCHMARK(accented_ours);
BENCHMARK(accented_simdjson_dom);

}  // namespace
}  // namespace headrace::codec::json
