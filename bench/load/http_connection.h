// SPDX-License-Identifier: Apache-2.0
// HttpConnection: one keep-alive client of POST /api/v1/messages with one request under way.
// Threads: one.
#pragma once

#include <cstdint>
#include <string>

#include "load/options.h"
#include "load/tcp.h"

namespace headrace::bench {

class HttpConnection {
 public:
  HttpConnection(Options const& options, int number);

  bool busy() const { return busy_; }
  void post(int count, Steady::time_point due);
  // Reads what came; true when the reply is whole.
  bool receive();
  int count() const { return count_; }
  int status() const { return status_; }
  Steady::time_point due() const { return due_; }
  Tcp& tcp() { return tcp_; }

 private:
  Tcp tcp_;
  std::string head_, message_head_, padding_;
  std::string body_, request_;  // kept for their capacity
  std::uint64_t next_ = 1;
  bool busy_ = false;
  int count_ = 0, status_ = 0;
  Steady::time_point due_;
};

}  // namespace headrace::bench
