// SPDX-License-Identifier: Apache-2.0
// Arbitrary bytes as a log's only segment: opening, verifying and repairing it answer, never
// crash. The first byte says whether
// the bytes' header and groups get right checksums, so that what lies behind them is reached.
#include <cstdint>

#include "base/faulty_file_system.h"
#include "base/log.h"
#include "broker/log/impl/log_engine.h"
#include "broker/log/log_check.h"

namespace {

using namespace headrace;
using namespace headrace::broker::log;

// Puts right what a random change can never get right.
void mend(std::vector<std::byte>& bytes) {
  if (bytes.size() < kBlockBytes) return;
  encode_segment_header({1, 42, 0, 0, 0}, std::span(bytes).first(kBlockBytes));
  for (std::uint64_t at = kBlockBytes; at + kGroupHeaderBytes <= bytes.size(); at += kBlockBytes) {
    auto* p = bytes.data() + at;
    auto const length = base::load<std::uint32_t>(p + 8) % 8192 / 8 * 8;
    if (length < kGroupHeaderBytes || at + length > bytes.size()) continue;
    encode_group_header({length, base::load<std::uint32_t>(p + 12) % 64, at,
                         base::load<std::uint64_t>(p + 24), 0, 0, 0, 0, 0},
                        group_seed(1, 42), {p, length});
  }
}

void read_back(broker::Broker& broker) {
  std::vector<broker::Assignment> all;
  for (std::uint32_t topic = 0; topic < 4; ++topic) {
    for (std::uint32_t p = 0; p < 4; ++p) all.push_back({{topic, p}, {}});
  }
  auto const reader = broker.make_reader(all, nullptr);
  for (auto fetched = reader->fetch(4096); fetched && !fetched->at_end;
       fetched = reader->fetch(4096)) {
  }
  (void)broker.count_after({1, 0}, {1, 5000});
  (void)broker.time_at({1, 0}, {});
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  base::configure_log(base::LogLevel::kOff, base::LogFormat::kText);
  if (size < 2 || size > (1u << 18)) return 0;
  auto const* from = reinterpret_cast<std::byte const*>(data);
  std::vector<std::byte> bytes(from + 1, from + size);
  if (data[0] % 2 == 1) mend(bytes);
  base::FaultyFileSystem files(1);
  base::ManualClock clock(base::Timestamp{0});
  LogOptions options;
  options.directory = "/log";
  options.segment_bytes = 64u << 10;
  options.disk_budget_bytes = 0;
  options.reserve_bytes = 0;
  (void)files.make_directories("/log");
  (void)base::replace_file(files, "/log/format", base::as_bytes("headrace-log 1\n"));
  (void)base::replace_file(files, "/log/" + segment_name(1), bytes);
  (void)verify_log("/log", files);
  if (data[0] % 4 >= 2) (void)repair_log("/log", files);
  if (auto broker = LogBroker::open(options, files, clock, false)) {
    read_back(**broker);
    (*broker)->stop();
  }
  return 0;
}
