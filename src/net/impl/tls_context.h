// SPDX-License-Identifier: Apache-2.0
// OpenSSL objects with owners, and the inside of TlsServerContext.   Threads: as tls.h.
#pragma once

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <memory>
#include <mutex>
#include <string>

#include "base/error.h"
#include "net/tls.h"

namespace headrace::net {

template <class T, void (*Free)(T*)>
struct OpensslFree {
  void operator()(T* object) const { Free(object); }
};
using SslContextPtr = std::shared_ptr<SSL_CTX>;
using SslPtr = std::unique_ptr<SSL, OpensslFree<SSL, SSL_free>>;

struct TlsServerContext::Impl {
  TlsFiles files;
  std::mutex mutex;
  SslContextPtr context;

  SslContextPtr current() {
    std::lock_guard const lock(mutex);
    return context;
  }
};

// OpenSSL's queue of errors of this thread as one line, emptied.
std::string openssl_reason();
// TLS 1.2 and up, without renegotiation and compression, buffers released when idle.
SslContextPtr make_ssl_context(SSL_METHOD const* method);

}  // namespace headrace::net
