// SPDX-License-Identifier: Apache-2.0
// The documents receiver beside a raw bulk insert of the same rows into the same schema in the same
// batches, both with synchronous=FULL: the aim is 0.8 of raw.
#include <benchmark/benchmark.h>
#include <stdlib.h>

#include <filesystem>

#include "codec/record/record_writer.h"
#include "documents/sqlite/schema.h"
#include "documents/sqlite/sqlite_documents.h"
#include "receivers/documents/documents_receiver.h"
#include "sqlite/database.h"

namespace {

using namespace headrace;

constexpr std::size_t kBatches = 20;

std::string body_of(std::size_t i) {
  return R"({"host":"node-)" + std::to_string(i % 100) + R"(","height":)" +
         std::to_string(1'000'000 + i) + R"(,"peers":25,"pending":)" +
         std::to_string(i * 7919 % 1000) +
         R"(,"block":{"hash":"0x5f3a9c1e7b2d4860f1a2b3c4d5e6f708","uncles":0},"ok":true})";
}

// Batches as dispatch hands them over: records of 50 messages, 100 sources, two data types.
class Input {
 public:
  explicit Input(std::size_t batch) {
    for (std::size_t b = 0; b < kBatches; ++b) {
      auto& deliveries = batches.emplace_back();
      while (deliveries.size() < batch)
        add_record(deliveries, std::min<std::size_t>(50, batch - deliveries.size()));
    }
  }
  std::vector<std::vector<dispatch::Delivery>> batches;

 private:
  void add_record(std::vector<dispatch::Delivery>& deliveries, std::size_t count) {
    std::size_t const source = records_++ % 100;
    std::string const name = "node-" + std::to_string(source);
    codec::record::RecordHeader header;
    header.principal = "agent";
    header.source = name;
    header.producer.bytes[0] = static_cast<std::uint8_t>(source);
    header.received.ns = 1'700'000'000'000'000'000 + static_cast<std::int64_t>(next_) * 1'000;
    codec::record::RecordWriter writer;
    writer.begin(header);
    for (std::size_t i = 0; i < count; ++i) {
      std::string const body = body_of(next_++);
      codec::record::MessageParts parts;
      parts.sequence = next_;
      parts.time.ns = header.received.ns - 1'000'000 + static_cast<std::int64_t>(i);
      parts.body = base::as_bytes(body);
      writer.add(parts);
    }
    auto const bytes = writer.finish();
    auto const& kept =
        *kept_.emplace_back(std::make_unique<std::vector<std::byte>>(bytes.begin(), bytes.end()));
    auto const record = codec::record::RecordView::trusted(kept);
    auto message = record.first();
    for (std::size_t i = 0; i < count; ++i, message = message.next())
      deliveries.push_back(
          {source % 2 == 0 ? "ethereum_metrics" : "system_metrics", record, message, false});
  }

  std::vector<std::unique_ptr<std::vector<std::byte>>> kept_;
  std::size_t next_ = 0, records_ = 0;
};

struct Place {
  Place() {
    std::string pattern =
        (std::filesystem::temp_directory_path() / "headrace_bench_XXXXXX").string();
    directory = ::mkdtemp(pattern.data());
  }
  ~Place() { std::filesystem::remove_all(directory); }
  std::string path() const { return (directory / "documents.db").string(); }
  std::filesystem::path directory;
};

void finish(benchmark::State& state, Place const& place) {
  std::size_t const rows = kBatches * static_cast<std::size_t>(state.range(0));
  state.counters["rows_per_cpu_s"] =
      benchmark::Counter(static_cast<double>(rows), benchmark::Counter::kIsIterationInvariantRate);
  state.counters["bytes_per_row"] =
      static_cast<double>(std::filesystem::file_size(place.path())) / static_cast<double>(rows);
}

void receiver(benchmark::State& state) {
  Input const input(static_cast<std::size_t>(state.range(0)));
  for (auto _ : state) {
    state.PauseTiming();
    Place place;
    auto store = documents::open_sqlite_documents(place.path(), {}).value();
    auto const archive = receivers::documents::make_documents_receiver("archive", *store);
    std::size_t cursor = 0;
    state.ResumeTiming();
    for (auto const& deliveries : input.batches) {
      auto const outcome = archive->consume(
          {deliveries, {}},
          [&](dispatch::Outcome const&) -> base::Result<std::vector<dispatch::StateChange>> {
            // As many changes as two types and a hundred producers make.
            std::vector<dispatch::StateChange> changes;
            for (int i = 0; i < 110; ++i)
              changes.push_back({"producer/ethereum_metrics/0/0190b0a2-7c4f-7e3a-9c5d-0123456789" +
                                     std::to_string(100 + i),
                                 "0 " + std::to_string(++cursor)});
            return changes;
          });
      if (!outcome) state.SkipWithError(outcome.error().context.c_str());
    }
    state.PauseTiming();
    store.reset();
    finish(state, place);
    state.ResumeTiming();
  }
}

void raw(benchmark::State& state) {
  Input const input(static_cast<std::size_t>(state.range(0)));
  for (auto _ : state) {
    state.PauseTiming();
    Place place;
    {
      sqlite::OpenOptions options;
      options.cache_kb_max = 32'768;
      auto database = sqlite::Database::open(place.path(), options).value();
      (void)database.execute(documents::sqlite_schema::schema_sql());
      auto insert = database.prepare(documents::sqlite_schema::kInsertSql).value();
      std::int64_t row = 0;
      state.ResumeTiming();
      for (auto const& deliveries : input.batches) {
        auto transaction = sqlite::Transaction::begin(database).value();
        for (auto const& d : deliveries) {
          std::array<std::byte, 28> id{};
          auto const producer = d.record.producer();
          std::memcpy(id.data(), producer.bytes.data(), 16);
          std::uint64_t const sequence =
              __builtin_bswap64(d.record.first_sequence() + d.message.sequence_delta());
          std::memcpy(id.data() + 20, &sequence, 8);
          insert.bind(1, ++row)
              .bind(2, std::int64_t{d.data_type.front() == 'e'})
              .bind(3, std::int64_t{producer.bytes[0]});
          insert.bind(4, std::int64_t{1})
              .bind(5, d.message.time().ns)
              .bind(6, d.record.received().ns)
              .bind(7, std::int64_t{0});
          insert.bind(8, base::Bytes(id)).bind(9, d.message.body());
          if (!insert.run()) state.SkipWithError("insert");
        }
        if (!transaction.commit()) state.SkipWithError("commit");
      }
      state.PauseTiming();
    }
    finish(state, place);
    state.ResumeTiming();
  }
}

BENCHMARK(raw)->Arg(100)->Arg(1'000)->Arg(5'000)->Unit(benchmark::kMillisecond)->MinTime(0.5);
BENCHMARK(receiver)->Arg(100)->Arg(1'000)->Arg(5'000)->Unit(benchmark::kMillisecond)->MinTime(0.5);

}  // namespace
