// SPDX-License-Identifier: Apache-2.0
#include <benchmark/benchmark.h>

#include <vector>

#include "base/crc32c.h"

namespace headrace::base {
namespace {

void run(benchmark::State& state,
         std::uint32_t (*checksum)(std::span<std::byte const>, std::uint32_t)) {
  std::vector<std::byte> const bytes(static_cast<std::size_t>(state.range(0)), std::byte{7});
  for (auto _ : state) benchmark::DoNotOptimize(checksum(bytes, 0));
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations()) * state.range(0));
}
void crc32c_instruction(benchmark::State& state) { run(state, crc32c); }
void crc32c_table(benchmark::State& state) { run(state, crc32c_portable); }

BENCHMARK(crc32c_instruction)->Arg(64)->Arg(400)->Arg(4096)->Arg(1 << 20);
BENCHMARK(crc32c_table)->Arg(400)->Arg(1 << 20);

}  // namespace
}  // namespace headrace::base
