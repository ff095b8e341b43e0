// SPDX-License-Identifier: Apache-2.0
#include "net/impl/connection.h"

#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "base/assert.h"

namespace headrace::net {

namespace {

constexpr int kReadsPerTurn = 4;  // of 256 KiB: then the other connections have their turn
constexpr std::size_t kSpareOutputBytesMax = 1u << 20;
constexpr std::chrono::seconds kLingerTime{2}, kStoppingLingerTime{1};

}  // namespace

Connection::Connection(IoThread& thread, int fd, SocketAddress const& peer,
                       std::unique_ptr<TlsEngine> tls, ConnectionOwner* owner)
    : Watch(thread.impl().loop, fd),
      thread_(thread),
      tls_(std::move(tls)),
      owner_(owner),
      peer_(peer) {}

Connection::~Connection() = default;

void Connection::start(std::unique_ptr<Protocol> protocol) {
  ref();  // held until finish()
  protocol_ = std::move(protocol);
  if (tls_ != nullptr) {
    Scope const scope(*this);
    tls_->take(output_);  // a client's hello
  }
  want_read();
}

void Connection::become(std::unique_ptr<Protocol> protocol, std::span<char> bytes) {
  HEADRACE_ASSERT(depth_ > 0, "a protocol is exchanged within its callbacks only");
  retired_ = std::move(protocol_);
  protocol_ = std::move(protocol);
  if (!bytes.empty() && !broken_) protocol_->on_bytes(bytes);
}

void Connection::on_readable() {
  Scope const scope(*this);
  for (int i = 0; i < kReadsPerTurn && may_read(); ++i) {
    if (read_once() < kSharedBufferBytes) break;
  }
  if (may_read()) want_read();
}

std::size_t Connection::read_once() {
  auto& impl = thread_.impl();
  auto buffer = thread_.shared_buffer();
  if (tls_ != nullptr) {
    if (!impl.cipher_buffer) impl.cipher_buffer.reset(new char[kCipherBufferBytes]);
    buffer = {impl.cipher_buffer.get(), kCipherBufferBytes};
  }
  ssize_t got = 0;
  do {
    got = ::recv(fd(), buffer.data(), buffer.size(), 0);
  } while (got < 0 && errno == EINTR);
  if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return 0;
  if (got < 0) {
    abort(std::strerror(errno));
    return 0;
  }
  if (got == 0) {
    peer_ended();
    return 0;
  }
  auto const bytes = buffer.first(static_cast<std::size_t>(got));
  if (owner_ != nullptr) owner_->bytes_in.fetch_add(bytes.size(), std::memory_order_relaxed);
  if (tls_ != nullptr) return read_tls(bytes);
  deliver(bytes);
  return bytes.size();
}

// Unpacks all records that are there. A full cipher buffer counts as a full read: more may wait.
std::size_t Connection::read_tls(std::span<char> cipher) {
  tls_->feed({cipher.data(), cipher.size()});
  auto const plain = thread_.shared_buffer();
  std::size_t filled = 0;
  while (!broken_) {
    auto const got = tls_->read(plain.subspan(filled));
    filled += got;
    if (got > 0 && filled < plain.size()) continue;
    if (filled > 0) deliver(plain.first(filled));
    filled = 0;
    if (got == 0) break;
  }
  tls_->take(output_);
  if (tls_->failed()) {
    flush();  // the alert
    abort("TLS: " + tls_->failure());
  } else if (tls_->ended()) {
    peer_ended();
  }
  return cipher.size() == kCipherBufferBytes ? kSharedBufferBytes : 0;
}

void Connection::deliver(std::span<char> bytes) {
  if (!closing_ && !broken_) protocol_->on_bytes(bytes);
}

void Connection::peer_ended() {
  if (std::exchange(ended_, true)) return;
  if (lingering_) {
    abort("closed");
  } else {
    protocol_->on_peer_end();
  }
}

void Connection::write(std::string_view bytes) {
  if (broken_ || closing_ || bytes.empty()) return;
  if (output_.empty() && output_.capacity() < 64) output_.swap(thread_.impl().spare_output);
  if (tls_ != nullptr) {
    tls_->write(bytes, output_);
  } else {
    output_.append(bytes);
  }
  if (depth_ == 0) settle();
}

void Connection::resume_reading() {
  paused_ = false;
  if (may_read()) want_read();
}

void Connection::close_when_sent() {
  if (closing_ || broken_) return;
  if (tls_ != nullptr) tls_->close(output_);
  closing_ = true;
  if (depth_ == 0) settle();
}

void Connection::close_idle() {
  ended_ = true;  // what the peer may yet send is of no interest
  close_when_sent();
}

void Connection::abort(std::string_view why) {
  if (broken_) return;
  broken_ = true;
  why_ = why;
  if (depth_ == 0) settle();
}

void Connection::stopping() {
  Scope const scope(*this);
  stopping_ = true;
  if (!broken_ && !closing_) protocol_->on_stopping();
}

// Runs when the outermost callback has returned, and after every call from outside.
void Connection::settle() {
  if (!broken_ && !blocked_) flush();
  if (broken_ && !finished_) {
    close_fd();
    release_output();
    if (std::exchange(finish_posted_, true)) return;
    // From the loop, so that nobody is told of the end within a call of his own.
    thread_.impl().loop.post([self = Counted<Connection>(this)] { self->finish(); });
    return;
  }
  if (depth_ > 0) return;
  retired_.reset();
  if (!drained_due_ || blocked_ || std::exchange(drain_posted_, true)) return;
  thread_.impl().loop.post([self = Counted<Connection>(this)] {
    Scope const scope(*self);
    self->drain_posted_ = false;
    self->tell_drained();
  });
}

void Connection::flush() {
  while (pending_bytes() > 0) {
    auto const sent = ::send(fd(), output_.data() + output_sent_, pending_bytes(), MSG_NOSIGNAL);
    if (sent > 0) {
      output_sent_ += static_cast<std::size_t>(sent);
      sent_total_ += static_cast<std::size_t>(sent);
      if (owner_ != nullptr)
        owner_->bytes_out.fetch_add(static_cast<std::size_t>(sent), std::memory_order_relaxed);
      continue;
    }
    if (errno == EINTR) continue;
    if (errno == EAGAIN || errno == EWOULDBLOCK) {
      blocked_ = drained_due_ = true;
      want_write();
    } else {
      broken_ = true;
      why_ = std::strerror(errno);
    }
    return;
  }
  if (output_sent_ > 0) release_output();
  if (closing_ && !lingering_) begin_linger();
}

// Empty, the buffer goes to the thread, so that an idle connection has none.
void Connection::release_output() {
  output_.clear();
  output_sent_ = 0;
  auto& spare = thread_.impl().spare_output;
  if (spare.capacity() < 64 && output_.capacity() <= kSpareOutputBytesMax) {
    output_.swap(spare);
  } else {
    std::string().swap(output_);
  }
}

void Connection::on_writable() {
  Scope const scope(*this);
  blocked_ = false;
  flush();
  tell_drained();
}

void Connection::tell_drained() {
  if (blocked_ || broken_ || closing_ || pending_bytes() > 0) return;
  if (std::exchange(drained_due_, false)) protocol_->on_drained();
}

// The peer may still be sending: closing at once would make the kernel reset the connection and
// lose our last bytes.
void Connection::begin_linger() {
  lingering_ = true;
  paused_ = false;
  if (ended_) {
    broken_ = true;
    why_ = "closed";
    return;
  }
  ::shutdown(fd(), SHUT_WR);
  linger_ = std::make_unique<Timer>(
      [](void* self) { static_cast<Connection*>(self)->abort("closed"); }, this);
  thread_.arm(*linger_, stopping_ ? kStoppingLingerTime : kLingerTime);
  want_read();
}

void Connection::finish() {
  if (std::exchange(finished_, true)) return;
  linger_.reset();
  {
    Scope const scope(*this);
    protocol_->on_closed(why_);
  }
  retired_.reset();
  if (owner_ != nullptr) owner_->on_gone(*this);
  owner_ = nullptr;
  unref();  // of start()
}

}  // namespace headrace::net
