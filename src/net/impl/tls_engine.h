// SPDX-License-Identifier: Apache-2.0
// TlsEngine: one TLS connection between byte strings, without a socket: cipher bytes in, plain
// bytes out, and back.
//   Threads: one.   Lifetime: keeps its context alive.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/error.h"
#include "net/tls.h"

namespace headrace::net {

class TlsEngine {
 public:
  struct Impl;
  static std::unique_ptr<TlsEngine> server(TlsServerContext& context);
  static base::Result<std::unique_ptr<TlsEngine>> client(TlsClientOptions const& options,
                                                         std::string const& host);
  explicit TlsEngine(std::unique_ptr<Impl> impl);
  ~TlsEngine();

  void feed(std::string_view cipher);
  // Plain bytes that are there; 0: none now (see failed() and ended()). Call until it gives 0, then
  // take().
  std::size_t read(std::span<char> out);
  // Appends the cipher bytes of `plain` to `out`; before the handshake is done they wait inside.
  void write(std::string_view plain, std::string& out);
  // Appends handshake and alert bytes that are due.
  void take(std::string& out);
  void close(std::string& out);  // appends close_notify
  bool ended() const;            // the peer's close_notify came
  bool failed() const;
  std::string const& failure() const;  // OpenSSL's reason, for people

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace headrace::net
