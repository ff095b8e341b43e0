// SPDX-License-Identifier: Apache-2.0
// Records of messages with bodies of 200 bytes, written and opened; beside a plain copy of the
// bodies.
#include <benchmark/benchmark.h>

#include <cstring>

#include "codec/record/record_view.h"
#include "codec/record/record_writer.h"

namespace headrace::codec::record {
namespace {

base::Bytes write_record(RecordWriter& writer, std::string const& body, std::int64_t count) {
  writer.begin({.principal = "local", .source = "meter-1", .epoch = 1, .received = {1}});
  for (std::int64_t i = 0; i < count; ++i)
    writer.add(
        {.sequence = static_cast<std::uint64_t>(i), .time = {i}, .body = base::as_bytes(body)});
  return writer.finish();
}

void write_records(benchmark::State& state) {
  RecordWriter writer;
  std::string const body(200, 'x');
  for (auto _ : state) benchmark::DoNotOptimize(write_record(writer, body, state.range(0)).data());
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

void open_records(benchmark::State& state) {
  RecordWriter writer;
  base::Bytes const bytes = write_record(writer, std::string(200, 'x'), state.range(0));
  for (auto _ : state) {
    auto const record = RecordView::open(bytes);
    if (!record) state.SkipWithError("refused");
    benchmark::DoNotOptimize(record);
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

void copy_bodies(benchmark::State& state) {
  std::string const body(200, 'x');
  std::vector<char> buffer(224 * static_cast<std::size_t>(state.range(0)));
  for (auto _ : state) {
    for (std::int64_t i = 0; i < state.range(0); ++i)
      std::memcpy(buffer.data() + 224 * i, body.data(), body.size());
    benchmark::DoNotOptimize(buffer.data());
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

BENCHMARK(write_records)->Arg(1)->Arg(100)->Arg(1000);
BENCHMARK(open_records)->Arg(1)->Arg(100)->Arg(1000);
BENCHMARK(copy_bodies)->Arg(100)->Arg(1000);

}  // namespace
}  // namespace headrace::codec::record
