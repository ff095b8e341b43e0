// SPDX-License-Identifier: Apache-2.0 What one 200-byte message costs from parsed bytes to a record
// in the broker's hands, without sockets.
#include <benchmark/benchmark.h>

#include <filesystem>

#include "broker/memory/memory_broker.h"
#include "ingest/ingest.h"
#include "ingest/intake.h"

namespace headrace::ingest {
namespace {

std::string message(int i) {
  auto text = fmt::format(
      R"({{"type":"system_metrics","source":"node-1","time":"2026-01-02T03:04:{:02}.{:03}Z","body":{{"load":[0.{},0.5,0.25],"memory":{},"disk":{{"read":{},"write":{}}},"name":")",
      i % 60, i % 1000, i % 97, i * 7919, i, i * 3);
  text += std::string(200 - text.size() - 3, 'x');
  return text + "\"}}";
}

// Swallows records: what is measured is ours alone.
class NullAppender final : public broker::Appender {
 public:
  base::Result<broker::Ticket> append(broker::TopicPartition, base::Bytes record) override {
    benchmark::DoNotOptimize(record.data());
    return ++last_;
  }
  broker::Progress poll() override { return {last_, {}}; }
  broker::Position position_after(broker::Ticket) const override { return {}; }
  std::size_t unsettled_bytes() const override { return 0; }

 private:
  broker::Ticket last_ = 0;
};

void batch_to_records(benchmark::State& state) {
  auto const count = static_cast<std::size_t>(state.range(0));
  auto broker = broker::memory::make_memory_broker({}, base::system_clock());
  std::string folder = (std::filesystem::temp_directory_path() / "intake_bench_XXXXXX").string();
  auto identity =
      *identity::Identity::open({.data_dir = ::mkdtemp(folder.data())}, base::system_clock());
  identity::Authenticator authenticator(*identity, base::system_clock(), {});
  base::Registry metrics;
  net::IoThreads threads(1);
  threads.start();
  model::DataType type;
  type.name = model::DataTypeName::trusted("system_metrics");
  auto ingest =
      *Ingest::make({}, {*broker, authenticator, metrics, base::system_clock(), threads}, {type});
  auto& gate = ingest->gate(threads.at(0));
  Intake intake(gate, ingest->types(), ingest->config().limits);
  std::string body = "[";
  for (std::size_t i = 0; i < count; ++i) body += (i ? "," : "") + message(static_cast<int>(i));
  body += ']';
  NullAppender appender;
  Envelope envelope;
  auto const principal = identity->local_principal();
  for (auto _ : state) {
    intake.begin(principal, base::system_clock().now());
    auto const root = *intake.parse(codec::tape::Encoding::kJson, base::as_bytes(body), 2);
    Origin const origin{"local", intake.received(), 0};
    auto sequence = gate.reserve_sequences(count);
    std::size_t index = 0;
    for (auto const element : root.elements()) {
      Place const place{Place::Root::kElement, index++};
      Resolved resolved;
      bool const good =
          intake.decoder().decode(element, kMessageFields, place, intake.received(), envelope) &&
          intake.resolve(envelope, {}, place, resolved);
      if (!good) return state.SkipWithError("refused");
      auto const slot = gate.records().place(origin, *resolved.type, *resolved.source, 16,
                                             envelope.body.size(), [&] { return gate.producer(); });
      auto const id = gate.next_uuid7(intake.received());
      gate.records().add(*slot, {.sequence = sequence++,
                                 .time = resolved.time,
                                 .id_kind = codec::record::IdKind::kUuid,
                                 .id = std::as_bytes(std::span(id.bytes)),
                                 .encoding = envelope.encoding,
                                 .body = envelope.body});
    }
    gate.records().flush([&](RecordSet::Slot&, base::Bytes record) {
      return appender.append({}, record).has_value();
    });
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(count) * state.iterations());
  state.SetBytesProcessed(static_cast<std::int64_t>(body.size()) * state.iterations());
  broker->stop();
  ingest.reset();
  threads.stop();
  identity.reset();
  std::filesystem::remove_all(folder);
}
BENCHMARK(batch_to_records)->Arg(1)->Arg(100)->Arg(1000);

}  // namespace
}  // namespace headrace::ingest
