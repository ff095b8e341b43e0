// SPDX-License-Identifier: Apache-2.0
// Cost per frame of a read full of masked frames: parse, unmask, validate, deliver.
#include <benchmark/benchmark.h>

#include "net/impl/websocket_codec.h"

namespace {

using namespace headrace::net;

// One read's worth of frames, as a client sends them.
std::string read_of_frames(std::size_t payload_bytes) {
  std::string out;
  while (out.size() + payload_bytes + 14 < (256u << 10))
    append_frame(out, opcode::kText, std::string(payload_bytes, 'm'), 0x31415926);
  return out;
}

void read_frames(benchmark::State& state) {
  auto const source = read_of_frames(static_cast<std::size_t>(state.range(0)));
  std::string buffer = source;
  buffer.reserve(buffer.size() + kPayloadPadding);
  FrameReader reader(WebSocketRole::kServer);
  WebSocketOptions options;
  options.validate_utf8 = state.range(1) != 0;
  std::int64_t frames = 0;
  for (auto _ : state) {
    state.PauseTiming();
    std::copy(source.begin(), source.end(), buffer.begin());
    state.ResumeTiming();
    std::span<char> input(buffer);
    while (reader.next(input, options) == FrameEvent::kMessage) {
      benchmark::DoNotOptimize(reader.payload().data());
      ++frames;
    }
  }
  state.SetItemsProcessed(frames);
  state.SetBytesProcessed(static_cast<std::int64_t>(source.size()) *
                          static_cast<std::int64_t>(state.iterations()));
}
BENCHMARK(read_frames)
    ->ArgNames({"bytes", "utf8"})
    ->Args({200, 0})
    ->Args({200, 1})
    ->Args({20'000, 0})
    ->Args({20'000, 1});

}  // namespace
