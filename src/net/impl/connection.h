// SPDX-License-Identifier: Apache-2.0
// Connection: one TCP connection on its io thread, plain or TLS: reads into the thread's shared
// buffer, hands the bytes to its
// Protocol, sends what the protocol writes. The protocol can be exchanged (upgrade).
//   Threads:  its io thread.
//   Lifetime: counted; holds itself while open. The protocol's on_closed is its last callback; the
//             object lives on until the last
//             reference goes.
//   Cost:     what is written within a callback leaves in one send when the callback returns. No
//             buffer is kept when idle.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "net/address.h"
#include "net/impl/event_loop.h"
#include "net/impl/io_thread_impl.h"
#include "net/impl/tls_engine.h"
#include "net/io_threads.h"

namespace headrace::net {

class Connection;

class Protocol {
 public:
  virtual ~Protocol() = default;
  // Bytes of one read, in the shared buffer, with kPayloadPadding behind them; to be used or copied
  // before it returns.
  virtual void on_bytes(std::span<char> bytes) = 0;
  virtual void on_peer_end() = 0;  // the peer sends no more; we still can
  virtual void on_drained() {}
  virtual void on_closed(std::string_view why) = 0;  // once
  virtual void on_stopping() = 0;                    // the server drains
};

// Who made the connection and wants to know when it has gone. Counts traffic.
class ConnectionOwner {
 public:
  virtual void on_gone(Connection& connection) = 0;
  std::atomic<std::uint64_t> bytes_in{0}, bytes_out{0};

 protected:
  ~ConnectionOwner() = default;
};

class Connection final : public Watch {
 public:
  Connection(IoThread& thread, int fd, SocketAddress const& peer, std::unique_ptr<TlsEngine> tls,
             ConnectionOwner* owner);

  void start(std::unique_ptr<Protocol> protocol);
  // Exchanges the protocol and gives it `bytes`. The old one is destroyed when the current callback
  // has returned.
  void become(std::unique_ptr<Protocol> protocol, std::span<char> bytes);

  void write(std::string_view bytes);
  std::size_t pending_bytes() const { return output_.size() - output_sent_; }
  // on_drained follows once all that is written has gone to the kernel, even if that is at once.
  void notify_when_drained() { drained_due_ = true; }
  std::uint64_t sent_total() const { return sent_total_; }
  void pause_reading() { paused_ = true; }
  void resume_reading();
  bool reading_paused() const { return paused_; }
  // Sends what is written, then closes so that the peer can read it all (half-close, then a bounded
  // wait for the peer's end).
  void close_when_sent();
  // The same when the peer owes us nothing: no wait.
  void close_idle();
  // Ends now; on_closed follows from the loop.
  void abort(std::string_view why);
  bool closing() const { return closing_ || broken_; }

  // Runs `call` as a callback: what it writes leaves in one send at its end.
  template <class Call>
  void within(Call&& call) {
    Scope const scope(*this);
    call();
  }

  IoThread& thread() const { return thread_; }
  SocketAddress const& peer() const { return peer_; }
  bool tls() const { return tls_ != nullptr; }
  Protocol* protocol() { return protocol_.get(); }
  bool in_callback() const { return depth_ > 0; }
  void stopping();

  // Links of the owner's list.
  Connection* next_in_owner = nullptr;
  Connection* previous_in_owner = nullptr;
  std::uint32_t listener = 0;

 private:
  // While one is on the stack, output waits and the end is not told.
  class Scope {
   public:
    explicit Scope(Connection& connection) : connection_(&connection) { ++connection.depth_; }
    Scope(Scope const&) = delete;
    Scope& operator=(Scope const&) = delete;
    ~Scope() {
      if (--connection_->depth_ == 0) connection_->settle();
    }

   private:
    Counted<Connection> connection_;
  };

  ~Connection() override;
  void on_readable() override;
  void on_writable() override;
  std::size_t read_once();  // bytes read; 0: nothing more now
  std::size_t read_tls(std::span<char> cipher);
  void deliver(std::span<char> bytes);
  void peer_ended();
  bool may_read() const { return !paused_ && !ended_ && !broken_ && open(); }
  void settle();
  void tell_drained();
  void flush();
  void release_output();
  void begin_linger();
  void finish();

  IoThread& thread_;
  std::unique_ptr<Protocol> protocol_;
  std::unique_ptr<Protocol> retired_;
  std::unique_ptr<TlsEngine> tls_;
  ConnectionOwner* owner_;
  std::string output_;
  std::size_t output_sent_ = 0;
  std::uint64_t sent_total_ = 0;
  std::unique_ptr<Timer> linger_;
  std::string why_;
  SocketAddress peer_;
  std::uint16_t depth_ = 0;
  bool paused_ = false, ended_ = false, closing_ = false, lingering_ = false, broken_ = false;
  bool blocked_ = false, drained_due_ = false, finish_posted_ = false, drain_posted_ = false,
       finished_ = false, stopping_ = false;
};

}  // namespace headrace::net
