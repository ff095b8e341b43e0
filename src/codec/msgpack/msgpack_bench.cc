// SPDX-License-Identifier: Apache-2.0
#include <benchmark/benchmark.h>

#include "codec/msgpack/msgpack.h"
#include "codec/msgpack/msgpack_write.h"

namespace headrace::codec::msgpack {
namespace {

void write_message(std::string& out) {
  MsgpackWriter w(out);
  w.map(10).member("seq", 100007).member("source", "meter-0007").member("type", "system_metrics");
  w.member("time", base::Timestamp{1'767'323'045'007'000'000})
      .member("cpu", 7.25)
      .member("mem", 48.5);
  w.member("disk", 71).member("up", true).member("host", "node-a").value("body").map(2);
  w.value("load").array(3).value(0.5).value(0.75).value(1.0).member("procs", 312);
}

void parse_message(benchmark::State& state) {
  std::string data;
  write_message(data);
  Parser parser;
  for (auto _ : state) {
    auto const root = parser.parse(data);
    if (!root) state.SkipWithError("refused");
    benchmark::DoNotOptimize(root);
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * data.size()));
}

void write_one_message(benchmark::State& state) {
  std::string data;
  for (auto _ : state) {
    data.clear();
    write_message(data);
    benchmark::DoNotOptimize(data.data());
  }
}

BENCHMARK(parse_message);
BENCHMARK(write_one_message);

}  // namespace
}  // namespace headrace::codec::msgpack
