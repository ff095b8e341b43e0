// SPDX-License-Identifier: Apache-2.0
// Session: one agent connection from its welcome on: data frames to records, settled records to
// acks, within the window.
//   Threads:  its io thread; replaced() from any.
//   Lifetime: shared by the connection's handler and by the gate's waits: settlements may come
//             after the socket has gone.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ingest/agent_websocket/impl/frames.h"
#include "ingest/agent_websocket/impl/worker.h"
#include "net/websocket.h"

namespace headrace::ingest::agent_websocket {

using Shared = AgentWebSocket::Shared;

inline constexpr std::uint16_t kCloseBadFrame = 4400, kCloseUnauthenticated = 4401,
                               kCloseDenied = 4403, kCloseNoHello = 4408, kCloseReplaced = 4409,
                               kCloseThrottled = 4429, kCloseUnavailable = 4503;

// Sends an error frame, then closes with `code`.
void close_with_error(net::WebSocket& socket, std::string& scratch, codec::tape::Encoding encoding,
                      std::uint16_t code, base::Error const& error);
// One frame of the connection's kind.
bool send(net::WebSocket& socket, codec::tape::Encoding encoding, std::string_view frame);

class Session final : public Settler,
                      public SessionOwner,
                      public std::enable_shared_from_this<Session> {
 public:
  Session(std::shared_ptr<Shared> shared, net::WebSocket& socket, codec::tape::Encoding encoding,
          identity::PrincipalPtr principal, SourcePtr source, base::Uuid const& session);
  ~Session() override;

  base::Uuid const& id() const { return id_; }
  std::string_view principal() const { return principal_->id.text(); }
  // What names the numbering of one source of this session.
  base::Uuid producer_of(std::string_view source) const { return base::uuid5(id_, source); }
  void start(SessionStatePtr state) { state_ = std::move(state); }

  void on_data(codec::tape::Value root, std::size_t frame_bytes);
  void on_read_end();
  // Bad frame, or one of another kind: what came before is stored, then the connection closes.
  void fail(std::uint16_t close_code, base::Error const& error);
  // Closes when everything received is settled. `reason` is static text.
  void finish(std::uint16_t close_code, char const* reason);
  void on_gone();  // the socket is no more
  void begin_read();
  bool done() const { return !socket_ || failed_ || finishing_; }

  bool on_settled(Settlement const& settlement) override;
  void on_settle_end() override;
  void on_room() override;
  void replaced() override;

 private:
  using Group = ReadTotals;  // of messages that are acked together
  bool open_frame(codec::tape::Value root, std::size_t& count);
  void take(codec::tape::Value message, std::uint64_t sequence, Place place,
            Defaults const& defaults);
  bool add(std::uint64_t sequence, Envelope const& envelope, Resolved const& resolved);
  void nack(std::uint64_t first, std::uint64_t last, base::Error const& error,
            TypeEntry const* type);
  void flush();
  void ack(std::uint64_t sequence);
  void close_if_finished();
  void hold_back();
  void resume();

  std::shared_ptr<Shared> const shared_;
  Worker& worker_;
  net::WebSocket* socket_;  // null when it has gone
  identity::PrincipalPtr const principal_;
  SourcePtr const source_;
  SessionStatePtr state_;
  base::Uuid const id_;
  base::Uuid const producer_;
  std::uint64_t generation_;
  std::uint64_t last_received_ = 0;
  std::uint64_t ack_due_ = 0;
  char const* finish_reason_ = "";
  std::vector<Group> groups_;  // in order; storage is given back when it is empty
  std::size_t groups_begin_ = 0;
  std::uint32_t outstanding_messages_ = 0, outstanding_bytes_ = 0;
  codec::tape::Encoding const encoding_;
  bool read_open_ = false;
  bool failed_ = false;  // takes no more data
  bool broken_ = false;  // the log failed: nothing after it is settled
  bool finishing_ = false;
  bool awaiting_room_ = false;
  std::uint16_t finish_code_ = 0;
};

}  // namespace headrace::ingest::agent_websocket
