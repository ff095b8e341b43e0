// SPDX-License-Identifier: Apache-2.0
#include "receivers/live/live_feed.h"

#include <fmt/format.h>

#include <condition_variable>
#include <thread>
#include <unordered_map>

#include "receivers/live/impl/session.h"

namespace headrace::receivers::live {
namespace {

constexpr std::string_view kSubprotocol = "headrace.live.v1";
constexpr std::uint32_t kPostsMax =
    8;  // an io thread that is this far behind gets no more; its readers count the loss

// "bearer.<token>" among the offered subprotocols.
std::string token_of(net::RequestHead const& head) {
  if (auto token = head.parameter("access_token")) return *token;
  auto offered = head.header_or("Sec-WebSocket-Protocol", "");
  while (!offered.empty()) {
    auto const comma = offered.find(',');
    auto part = offered.substr(0, comma);
    part.remove_prefix(std::min(part.find_first_not_of(' '), part.size()));
    if (part.starts_with("bearer."))
      return std::string(part.substr(7, part.find_last_not_of(' ') + 1 - 7));
    if (comma == std::string_view::npos) break;
    offered.remove_prefix(comma + 1);
  }
  return {};
}

class LiveReceiver final : public dispatch::Receiver {
 public:
  explicit LiveReceiver(Frames& frames) : frames_(frames) {}
  base::Result<void> start() override { return {}; }
  bool keeps_state() const override { return false; }
  base::Result<dispatch::Outcome> consume(dispatch::Batch const& batch,
                                          dispatch::Commit const&) override {
    frames_.put(batch);
    return dispatch::Outcome{};
  }
  void stop() override {}

 private:
  Frames& frames_;
};

}  // namespace

class LiveFeed::Impl {
 public:
  Impl(LiveOptions options, LiveDeps deps)
      : options_(options),
        deps_(std::move(deps)),
        frames_(options.frame_bytes_max),
        shards_(deps_.threads.count()),
        dropped_(deps_.metrics.counter("headrace_live_dropped_messages_total",
                                       "Messages that slow readers of the feed lost.")),
        session_deps_{.frames = frames_,
                      .identity = deps_.authenticator.identity(),
                      .data_types = deps_.data_types,
                      .queue_bytes = options.queue_bytes,
                      .readers_max = options.readers_max,
                      .readers = readers_,
                      .on_reader = [this] { wake(); },
                      .dropped = dropped_,
                      .frames_sent = deps_.metrics.counter("headrace_live_frames_total",
                                                           "Frames of messages sent.")} {
    deps_.metrics.collector(
        "headrace_live_readers", "Open feeds.", "gauge", [this](base::Registry::Emit const& emit) {
          emit({}, static_cast<double>(readers_.load(std::memory_order_relaxed)));
        });
  }

  void start() {
    thread_ = std::thread([this] { run(); });
  }

  void stop() {
    {
      std::lock_guard const lock(mutex_);
      stopping_ = true;
    }
    changed_.notify_all();
    if (thread_.joinable()) thread_.join();
  }

  std::variant<net::Response, net::Accepted> accept(net::Request const& request,
                                                    net::IoThread& thread) {
    auto principal =
        deps_.authenticator.authenticate(request, identity::Need::kRead, token_of(request));
    if (!principal) return identity::refusal(principal.error());
    auto filter = filter_of_query(request, deps_.data_types);
    if (!filter) return net::error_response(filter.error());
    if (readers_.load(std::memory_order_relaxed) >= options_.readers_max)
      return net::error_response(
          {base::ErrorCode::kOverloaded,
           fmt::format("{} feeds are open; no more are served", options_.readers_max)});
    std::string_view const supported[] = {kSubprotocol};
    net::WebSocketOptions socket;
    socket.message_bytes_max = 64u << 10;
    socket.ping_interval = std::chrono::seconds(20);
    socket.pending_bytes_max =
        options_.queue_bytes + (64u << 20);  // has_room() is the bound; one large frame must pass
    return net::Accepted{
        .handler = std::make_unique<Session>(session_deps_, shards_[thread.index()],
                                             std::move(*filter), std::move(*principal)),
        .subprotocol = net::choose_subprotocol(request, supported),
        .options = socket};
  }

  Frames& frames() { return frames_; }
  std::size_t readers() const { return readers_.load(std::memory_order_relaxed); }
  std::uint64_t dropped_total() const { return dropped_.value(); }

 private:
  struct News {
    std::vector<Frames::Closed> frames;
    std::string status, changed_sources, all_sources;
    bool empty() const { return frames.empty() && status.empty(); }
  };

  void wake() {
    {
      std::lock_guard const lock(mutex_);
      newcomer_ = true;
    }
    changed_.notify_all();
  }

  void run() {
    auto next_status = std::chrono::steady_clock::now();
    std::unique_lock lock(mutex_);
    while (!stopping_) {
      if (readers() == 0 && !newcomer_) {
        changed_.wait(lock, [this] { return stopping_ || newcomer_; });
        continue;
      }
      bool const told = std::exchange(newcomer_, false);
      lock.unlock();
      auto const now = std::chrono::steady_clock::now();
      auto news = std::make_shared<News>();
      news->frames = frames_.close();
      if (told || now >= next_status) {
        add_totals(*news);
        next_status = now + options_.status_every;
      }
      if (!news->empty()) hand_over(std::move(news));
      lock.lock();
      changed_.wait_for(lock, options_.frame_every, [this] { return stopping_ || newcomer_; });
    }
  }

  void add_totals(News& news) {
    if (deps_.status) news.status = fmt::format("{{\"status\":{}}}", deps_.status());
    if (!deps_.sources) return;
    auto const sources = deps_.sources();
    std::string all, changed;
    std::unordered_map<std::string, std::uint64_t> stamps;
    for (auto const& source : sources) {
      all += (all.empty() ? "" : ",") + source.json;
      auto const before = stamps_.find(source.id);
      if (before == stamps_.end() || before->second != source.stamp)
        changed += (changed.empty() ? "" : ",") + source.json;
      stamps.emplace(source.id, source.stamp);
    }
    stamps_ = std::move(stamps);
    if (!all.empty()) news.all_sources = "{\"sources\":[" + all + "]}";
    if (!changed.empty()) news.changed_sources = "{\"sources\":[" + changed + "]}";
  }

  void hand_over(std::shared_ptr<News const> const& news) {
    for (unsigned i = 0; i < deps_.threads.count(); ++i) {
      auto& shard = shards_[i];
      if (shard.posts.load(std::memory_order_relaxed) >= kPostsMax) continue;
      shard.posts.fetch_add(1, std::memory_order_relaxed);
      deps_.threads.at(i).post([&shard, news] {
        shard.posts.fetch_sub(1, std::memory_order_relaxed);
        deliver(shard, *news);
      });
    }
  }

  static void deliver(Shard& shard, News const& news) {
    // By index: a send may close a session, which leaves the list later, from the loop.
    for (std::size_t i = 0; i < shard.sessions.size(); ++i) {
      auto* session = shard.sessions[i];
      for (auto const& closed : news.frames)
        if (closed.group.get() == session->group()) session->deliver(*closed.frame);
      if (!news.status.empty()) session->tell(news.status, news.changed_sources, news.all_sources);
    }
  }

  LiveOptions const options_;
  LiveDeps const deps_;
  Frames frames_;
  std::vector<Shard> shards_;
  std::atomic<std::size_t> readers_{0};
  base::Counter& dropped_;
  SessionDeps const session_deps_;
  std::unordered_map<std::string, std::uint64_t> stamps_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false, newcomer_ = false;
  std::thread thread_;
};

LiveFeed::LiveFeed(LiveOptions options, LiveDeps deps)
    : impl_(std::make_unique<Impl>(options, std::move(deps))) {}
LiveFeed::~LiveFeed() { impl_->stop(); }
void LiveFeed::start() { impl_->start(); }
void LiveFeed::stop() { impl_->stop(); }
net::WebSocketAcceptor LiveFeed::acceptor() {
  return [impl = impl_.get()](net::Request const& request, net::IoThread& thread) {
    return impl->accept(request, thread);
  };
}
std::unique_ptr<dispatch::Receiver> LiveFeed::make_receiver() {
  return std::make_unique<LiveReceiver>(impl_->frames());
}
std::size_t LiveFeed::readers() const { return impl_->readers(); }
std::uint64_t LiveFeed::dropped_total() const { return impl_->dropped_total(); }

}  // namespace headrace::receivers::live
