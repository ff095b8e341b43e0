// SPDX-License-Identifier: Apache-2.0
// For tests of dispatch and of receivers: a world with a broker in memory, a clock that stands
//                                         still, and receivers that do
// what they are told.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <condition_variable>
#include <filesystem>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "broker/memory/memory_broker.h"
#include "codec/record/points.h"
#include "codec/record/record_writer.h"
#include "dispatch/dispatcher.h"

namespace headrace::dispatch::testing {

inline constexpr auto kPatience = std::chrono::seconds(20);  // only failing tests wait this long

inline std::chrono::steady_clock::time_point soon() {
  return std::chrono::steady_clock::now() + kPatience;
}

// For what has no event to wait for.
inline bool eventually(std::function<bool()> const& condition) {
  auto const deadline = soon();
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::yield();
  }
  return true;
}

class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string pattern =
        (std::filesystem::temp_directory_path() / "headrace_dispatch_XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
  }
  ~TemporaryDirectory() { std::filesystem::remove_all(path_); }
  TemporaryDirectory(TemporaryDirectory const&) = delete;
  TemporaryDirectory& operator=(TemporaryDirectory const&) = delete;
  std::string path(std::string const& name = "") const {
    return name.empty() ? path_.string() : (path_ / name).string();
  }

 private:
  std::filesystem::path path_;
};

// A gate that opens once.
class Gate {
 public:
  void open() {
    std::lock_guard const lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }
  bool wait() {
    std::unique_lock lock(mutex_);
    return changed_.wait_until(lock, soon(), [this] { return open_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = false;
};

// What survives the end of a process: the log and the stores.
struct World {
  base::ManualClock clock;
  std::unique_ptr<broker::Broker> broker;
  std::unique_ptr<broker::Appender> appender;
  std::map<std::string, Subscription> types;

  explicit World(broker::memory::MemoryOptions options = {})
      : broker(broker::memory::make_memory_broker(options, clock)) {
    appender = broker->make_appender([] {});
  }
  ~World() {
    appender.reset();
    broker->stop();
  }

  // Another log in place of this one, as after the loss of its directory. No dispatcher may be
  // using it.
  void replace_log() {
    appender.reset();
    broker->stop();
    types.clear();
    broker = broker::memory::make_memory_broker({}, clock);
    appender = broker->make_appender([] {});
  }

  Subscription type(std::string const& name, std::uint32_t partitions = 1,
                    std::chrono::nanoseconds retention = std::chrono::hours(24)) {
    auto const known = types.find(name);
    if (known != types.end()) return known->second;
    model::DataType type;
    type.name = model::DataTypeName::trusted(name);
    type.partition_count = partitions;
    type.retention = retention;
    return types[name] = {broker->open_topic(type).value(), type};
  }

  struct Append {
    std::string type = "t";
    std::uint32_t partition = 0;
    std::string source = "s";
    std::uint8_t producer = 1;
    std::uint32_t epoch = 0;
    std::vector<std::uint64_t> sequences = {};
    std::string body = "{}";
    codec::record::Kind kind = codec::record::Kind::kMessages;
  };
  void append(Append const& a) {
    codec::record::RecordHeader header;
    header.kind = a.kind;
    header.principal = "p";
    header.source = a.source;
    header.producer.bytes[0] = a.producer;
    header.epoch = a.epoch;
    header.received = clock.now();
    codec::record::RecordWriter writer;
    writer.begin(header);
    for (std::uint64_t const sequence : a.sequences) {
      codec::record::MessageParts parts;
      parts.sequence = sequence;
      parts.time = clock.now();
      parts.body = base::as_bytes(a.body);
      writer.add(parts);
    }
    auto const ticket = appender->append({type(a.type).topic.id, a.partition}, writer.finish());
    ASSERT_TRUE(ticket) << base::to_string(ticket.error());
    ASSERT_TRUE(eventually([&] { return appender->poll().settled >= *ticket; }));
  }
};

// Consumes by a function that the test gives. The counts may be read from any thread.
class ScriptedReceiver final : public Receiver {
 public:
  using Consume = std::function<base::Result<Outcome>(Batch const&, Commit const&)>;
  explicit ScriptedReceiver(Consume consume) : consume_(std::move(consume)) {}
  base::Result<void> start() override { return on_start ? on_start() : base::Result<void>(); }
  bool keeps_state() const override { return false; }
  base::Result<Outcome> consume(Batch const& batch, Commit const& commit) override {
    return consume_(batch, commit);
  }
  void stop() override {}

  std::function<base::Result<void>()> on_start;

 private:
  Consume consume_;
};

inline std::string describe(Delivery const& d) {
  return std::string(d.data_type) + "/" + std::string(d.record.source()) + "/" +
         codec::record::message_id(d.record, d.message);
}

// A store of ids that outlives its receivers: what is committed is committed with dispatch's state.
struct IdStore {
  std::mutex mutex;
  std::vector<std::string> ids;
  std::map<std::string, std::string> state;

  std::size_t count() {
    std::lock_guard const lock(mutex);
    return ids.size();
  }
};

enum class Fault {
  kNone,
  kFailFirst,
  kThrow,
  kFailBeforeCommit,
  kAmbiguous,
  kCrashFirst,
  kCrashBeforeCommit,
  kCrashAfterCommit
};

// Keeps ids in an IdStore; `fault` says at each call what happens, `rejects` which messages it
// refuses for good.
class StoreReceiver final : public Receiver {
 public:
  StoreReceiver(IdStore& store, std::function<Fault()> fault,
                std::function<bool(Delivery const&)> rejects, std::function<void()> crashed)
      : store_(store),
        fault_(std::move(fault)),
        rejects_(std::move(rejects)),
        crashed_(std::move(crashed)) {}

  base::Result<void> start() override { return {}; }
  bool keeps_state() const override { return true; }
  void stop() override {}

  base::Result<std::vector<StateChange>> load_state() override {
    if (dead_) return base::Error{base::ErrorCode::kUnavailable, "crashed"};
    std::lock_guard const lock(store_.mutex);
    std::vector<StateChange> state;
    for (auto const& [key, value] : store_.state) state.push_back({key, value});
    return state;
  }

  base::Result<Outcome> consume(Batch const& batch, Commit const& commit) override {
    if (dead_) return base::Error{base::ErrorCode::kUnavailable, "crashed"};
    Fault const fault = fault_();
    if (fault == Fault::kCrashFirst) return crash();
    if (fault == Fault::kFailFirst) return base::Error{base::ErrorCode::kUnavailable, "away"};
    if (fault == Fault::kThrow) throw std::runtime_error("thrown");
    std::vector<std::string> ids;
    {
      std::lock_guard const lock(store_.mutex);
      ids = store_.ids;
    }
    std::set<std::string> known(ids.begin(), ids.end());
    Outcome outcome;
    for (std::size_t i = 0; i < batch.messages.size(); ++i) {
      Delivery const& d = batch.messages[i];
      if (rejects_(d)) {
        outcome.fates.push_back(Fate::kRejected);
        outcome.rejected.push_back({i, {base::ErrorCode::kInvalidArgument, "not to my taste"}});
        continue;
      }
      bool const fresh = known.insert(describe(d)).second;
      outcome.fates.push_back(fresh ? Fate::kStored : Fate::kDuplicate);
      if (fresh) ids.push_back(describe(d));
    }
    HEADRACE_TRY(auto const changes, commit(outcome));
    if (fault == Fault::kFailBeforeCommit) return base::Error{base::ErrorCode::kOverloaded, "full"};
    if (fault == Fault::kCrashBeforeCommit) return crash();
    {
      std::lock_guard const lock(store_.mutex);
      store_.ids = std::move(ids);
      for (StateChange const& change : changes) {
        if (change.value.empty())
          store_.state.erase(change.key);
        else
          store_.state[change.key] = change.value;
      }
    }
    if (fault == Fault::kAmbiguous) return base::Error{base::ErrorCode::kIo, "the answer got lost"};
    if (fault == Fault::kCrashAfterCommit) return crash();
    return outcome;
  }

 private:
  base::Error crash() {
    dead_ = true;
    crashed_();
    return {base::ErrorCode::kUnavailable, "crashed"};
  }

  IdStore& store_;
  std::function<Fault()> fault_;
  std::function<bool(Delivery const&)> rejects_;
  std::function<void()> crashed_;
  bool dead_ = false;
};

}  // namespace headrace::dispatch::testing
