// SPDX-License-Identifier: Apache-2.0
#include "net/impl/tls_engine.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "base/assert.h"
#include "net/impl/tls_context.h"

namespace headrace::net {

struct TlsEngine::Impl {
  SslContextPtr context;
  SslPtr ssl;
  BIO* in = nullptr;    // owned by ssl
  BIO* out = nullptr;   // owned by ssl
  std::string waiting;  // plain bytes written before the handshake was done
  bool ended = false, failed = false;
  std::string failure;

  void fail();
  void write_some(std::string_view plain);
};

namespace {

std::unique_ptr<TlsEngine::Impl> make_impl(SslContextPtr context) {
  auto impl = std::make_unique<TlsEngine::Impl>();
  impl->ssl.reset(SSL_new(context.get()));
  HEADRACE_ASSERT(impl->ssl != nullptr, "out of memory for TLS");
  impl->context = std::move(context);
  impl->in = BIO_new(BIO_s_mem());
  impl->out = BIO_new(BIO_s_mem());
  BIO_set_mem_eof_return(impl->in, -1);  // empty means "wait", not "end"
  BIO_set_mem_eof_return(impl->out, -1);
  SSL_set_bio(impl->ssl.get(), impl->in, impl->out);
  return impl;
}

bool is_literal_address(std::string const& host) {
  in6_addr buffer;
  return inet_pton(AF_INET, host.c_str(), &buffer) == 1 ||
         inet_pton(AF_INET6, host.c_str(), &buffer) == 1;
}

}  // namespace

void TlsEngine::Impl::fail() {
  auto const verify = SSL_get_verify_result(ssl.get());
  failed = true;
  failure = verify != X509_V_OK ? X509_verify_cert_error_string(verify) : openssl_reason();
  ERR_clear_error();
}

TlsEngine::TlsEngine(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
TlsEngine::~TlsEngine() = default;

std::unique_ptr<TlsEngine> TlsEngine::server(TlsServerContext& context) {
  auto impl = make_impl(context.impl().current());
  SSL_set_accept_state(impl->ssl.get());
  return std::make_unique<TlsEngine>(std::move(impl));
}

base::Result<std::unique_ptr<TlsEngine>> TlsEngine::client(TlsClientOptions const& options,
                                                           std::string const& host) {
  ERR_clear_error();
  auto context = make_ssl_context(TLS_client_method());
  if (!context) return base::Error{base::ErrorCode::kInternal, "TLS context: " + openssl_reason()};
  bool const trusted = options.ca_file.empty()
                           ? SSL_CTX_set_default_verify_paths(context.get()) == 1
                           : SSL_CTX_load_verify_file(context.get(), options.ca_file.c_str()) == 1;
  if (options.verify && !trusted) {
    return base::Error{base::ErrorCode::kInvalidArgument,
                       fmt::format("{}: expected a PEM file with certificates to trust: {}",
                                   options.ca_file, openssl_reason())};
  }
  SSL_CTX_set_verify(context.get(), options.verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nullptr);
  auto impl = make_impl(std::move(context));
  auto* const ssl = impl->ssl.get();
  auto const& name = options.server_name.empty() ? host : options.server_name;
  if (is_literal_address(name)) {
    X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name.c_str());
  } else {
    SSL_set_tlsext_host_name(ssl, name.c_str());
    SSL_set1_host(ssl, name.c_str());
  }
  SSL_set_connect_state(ssl);
  return std::make_unique<TlsEngine>(std::move(impl));
}

void TlsEngine::feed(std::string_view cipher) {
  if (!impl_->failed) BIO_write(impl_->in, cipher.data(), static_cast<int>(cipher.size()));
}

std::size_t TlsEngine::read(std::span<char> out) {
  if (impl_->failed || impl_->ended) return 0;
  ERR_clear_error();
  int const got = SSL_read(impl_->ssl.get(), out.data(), static_cast<int>(out.size()));
  if (got > 0) return static_cast<std::size_t>(got);
  switch (SSL_get_error(impl_->ssl.get(), got)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE: break;
    case SSL_ERROR_ZERO_RETURN: impl_->ended = true; break;
    default: impl_->fail();
  }
  return 0;
}

void TlsEngine::Impl::write_some(std::string_view plain) {
  ERR_clear_error();
  int const done = SSL_write(ssl.get(), plain.data(), static_cast<int>(plain.size()));
  if (done > 0) return;
  int const error = SSL_get_error(ssl.get(), done);
  if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) {
    waiting.append(plain);
  } else {
    fail();
  }
}

void TlsEngine::write(std::string_view plain, std::string& out) {
  constexpr std::size_t kRecordBytes = 16'384;
  while (!plain.empty() && !impl_->failed) {
    if (!SSL_is_init_finished(impl_->ssl.get()) || !impl_->waiting.empty()) {
      impl_->waiting.append(plain);
      break;
    }
    auto const piece = plain.substr(0, kRecordBytes);
    impl_->write_some(piece);
    plain.remove_prefix(piece.size());
  }
  take(out);
}

void TlsEngine::take(std::string& out) {
  auto* const ssl = impl_->ssl.get();
  if (!impl_->failed && !SSL_is_init_finished(ssl)) {
    ERR_clear_error();
    int const done = SSL_do_handshake(ssl);
    int const error = done == 1 ? SSL_ERROR_NONE : SSL_get_error(ssl, done);
    bool const going_on =
        error == SSL_ERROR_NONE || error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE;
    if (!going_on) impl_->fail();
  }
  char* bytes = nullptr;
  if (!impl_->failed && SSL_is_init_finished(ssl) && !impl_->waiting.empty()) {
    auto const plain = std::exchange(impl_->waiting, {});
    write(plain, out);
    return;
  }
  auto const count = BIO_get_mem_data(impl_->out, &bytes);
  if (count > 0) out.append(bytes, static_cast<std::size_t>(count));
  (void)BIO_reset(impl_->out);
}

void TlsEngine::close(std::string& out) {
  if (!impl_->failed && SSL_is_init_finished(impl_->ssl.get())) SSL_shutdown(impl_->ssl.get());
  take(out);
}

bool TlsEngine::ended() const { return impl_->ended; }
bool TlsEngine::failed() const { return impl_->failed; }
std::string const& TlsEngine::failure() const { return impl_->failure; }

}  // namespace headrace::net
