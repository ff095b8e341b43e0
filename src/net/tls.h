// SPDX-License-Identifier: Apache-2.0
// TLS by OpenSSL: server contexts from PEM files, with reload; options of clients. TLS 1.2 and 1.3
// only.
//   Threads: TlsServerContext from any thread.
//   Errors:  invalid_argument names the file and OpenSSL's reason (unreadable, not PEM, key does
//   not match, key file missing).
#pragma once

#include <memory>
#include <string>

#include "base/error.h"

namespace headrace::net {

struct TlsFiles {
  std::string certificate_file;  // PEM: the server's certificate, then its chain
  std::string key_file;          // PEM, not encrypted
};

class TlsServerContext {
 public:
  struct Impl;
  static base::Result<std::shared_ptr<TlsServerContext>> load(TlsFiles files);
  explicit TlsServerContext(std::unique_ptr<Impl> impl);
  ~TlsServerContext();
  // Reads the files again; new connections use them. On an error the old ones stay.
  base::Result<void> reload();
  Impl& impl() { return *impl_; }

 private:
  std::unique_ptr<Impl> impl_;
};

struct TlsClientOptions {
  bool verify = true;  // chain and host name; false accepts anything (for self-signed test servers)
  std::string ca_file = {};      // PEM; empty: the system's
  std::string server_name = {};  // SNI and the name to verify; empty: the host
};

}  // namespace headrace::net
