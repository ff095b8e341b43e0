// SPDX-License-Identifier: Apache-2.0
// LiveFeed: messages as they arrive, for browsers and `headrace tail`, over WebSocket. Frames:
//           docs/protocols/live.md.
//   Way:      a receiver (make_receiver) encodes each message once and puts it into the frame of
//             every filter that wants it; a
//             thread of the feed's own closes the frames every frame_every and hands them to the io
//             threads of the readers.
//   Bounds:   readers_max readers; per filter one frame of frame_bytes_max; per reader queue_bytes
//             unsent. What does not fit is
//             dropped and counted, for the reader and in the metrics. Nobody ever waits for a
//             reader.
//   Cost:     without readers one atomic load a batch, and the thread sleeps.
//   Threads:  construct, start and stop from the controlling thread. The acceptor runs on io
//             threads, a receiver on its dispatch
//             thread; status and sources are called on the feed's thread and must be callable from
//             there.
//   Lifetime: outlives the HttpServer, the receivers that it made, and the run of the IoThreads.
//             stop() before IoThreads::stop().
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/metrics.h"
#include "dispatch/receiver.h"
#include "identity/authenticator.h"
#include "net/io_threads.h"
#include "net/websocket.h"

namespace headrace::receivers::live {

struct LiveOptions {
  std::size_t readers_max = 256;
  std::size_t queue_bytes = 1u << 20;        // unsent bytes of one reader
  std::size_t frame_bytes_max = 256u << 10;  // a frame takes no more messages when it is this large
  std::chrono::nanoseconds frame_every = std::chrono::milliseconds(50);
  std::chrono::nanoseconds status_every = std::chrono::seconds(1);
};

// A source as the feed shows it. It is sent again when `stamp` is not what it was.
struct LiveSource {
  std::string id;
  std::uint64_t stamp = 0;
  std::string json;  // an entry of GET /api/v1/sources
};

struct LiveDeps {
  net::IoThreads& threads;
  identity::Authenticator& authenticator;
  base::Registry& metrics;
  std::vector<std::string> data_types;               // that a filter may name
  std::function<std::string()> status;               // the object of GET /api/v1/status
  std::function<std::vector<LiveSource>()> sources;  // a bounded list
};

class LiveFeed {
 public:
  LiveFeed(LiveOptions options, LiveDeps deps);
  ~LiveFeed();
  LiveFeed(LiveFeed const&) = delete;
  LiveFeed& operator=(LiveFeed const&) = delete;

  void start();
  void stop();  // idempotent
  net::WebSocketAcceptor acceptor();
  // Keeps no state; its route should start at the end (dispatch::From::kAlwaysEnd).
  std::unique_ptr<dispatch::Receiver> make_receiver();
  std::size_t readers() const;
  std::uint64_t dropped_total() const;

  class Impl;

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace headrace::receivers::live
