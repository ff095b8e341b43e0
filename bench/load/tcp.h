// SPDX-License-Identifier: Apache-2.0
// Tcp: a client connection with buffers; blocking until set otherwise. Threads: one.
//   Errors: there is no recovery in a benchmark: fail() prints and ends the program.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace headrace::bench {

[[noreturn]] void fail(std::string_view what);

class Tcp {
 public:
  Tcp(std::string const& host, std::uint16_t port);
  ~Tcp();
  Tcp(Tcp const&) = delete;
  Tcp& operator=(Tcp const&) = delete;

  int fd() const { return fd_; }
  void set_nonblocking();
  // Blocking: all of it leaves. Non-blocking: what does not fit waits for flush().
  void write(std::string_view bytes);
  // Keeps it for the next flush(), so that many frames leave in one system call.
  void queue(std::string_view bytes) { out_.append(bytes); }
  std::size_t queued_bytes() const { return out_.size() - sent_; }
  // True when nothing waits any more.
  bool flush();
  bool wants_to_write() const { return sent_ < out_.size(); }
  // Reads all that is there into in(); blocking: at least one byte. Fails at the end of the
  // connection.
  void read();
  std::string_view in() const { return std::string_view(in_).substr(taken_); }
  void take(std::size_t bytes);

 private:
  int fd_ = -1;
  bool nonblocking_ = false;
  std::string out_, in_;
  std::size_t sent_ = 0, taken_ = 0;
};

}  // namespace headrace::bench
