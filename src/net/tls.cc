// SPDX-License-Identifier: Apache-2.0
#include "net/tls.h"

#include <fmt/format.h>
#include <openssl/err.h>

#include "net/impl/tls_context.h"

namespace headrace::net {

std::string openssl_reason() {
  std::string out;
  while (auto const code = ERR_get_error()) {
    char const* const reason = ERR_reason_error_string(code);
    if (!out.empty()) out += "; ";
    out += reason != nullptr ? reason : fmt::format("error {:x}", code);
  }
  return out.empty() ? "unknown reason" : out;
}

SslContextPtr make_ssl_context(SSL_METHOD const* method) {
  SslContextPtr context(SSL_CTX_new(method), SSL_CTX_free);
  if (!context) return context;
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  SSL_CTX_set_options(context.get(), SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                         SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_mode(context.get(), SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                      SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  return context;
}

namespace {

base::Error wrong(std::string const& file, std::string_view what) {
  return {base::ErrorCode::kInvalidArgument,
          fmt::format("{}: {}: {}", file, what, openssl_reason())};
}

base::Result<SslContextPtr> make_server_context(TlsFiles const& files) {
  ERR_clear_error();
  auto context = make_ssl_context(TLS_server_method());
  if (!context) return base::Error{base::ErrorCode::kInternal, "TLS context: " + openssl_reason()};
  if (SSL_CTX_use_certificate_chain_file(context.get(), files.certificate_file.c_str()) != 1) {
    return wrong(files.certificate_file, "expected a PEM file with a certificate chain");
  }
  if (SSL_CTX_use_PrivateKey_file(context.get(), files.key_file.c_str(), SSL_FILETYPE_PEM) != 1) {
    return wrong(files.key_file, "expected a PEM file with the private key of the certificate");
  }
  if (SSL_CTX_check_private_key(context.get()) != 1) {
    return wrong(files.key_file, "the key does not belong to " + files.certificate_file);
  }
  return context;
}

}  // namespace

TlsServerContext::TlsServerContext(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
TlsServerContext::~TlsServerContext() = default;

base::Result<std::shared_ptr<TlsServerContext>> TlsServerContext::load(TlsFiles files) {
  auto impl = std::make_unique<Impl>();
  HEADRACE_TRY(impl->context, make_server_context(files));
  impl->files = std::move(files);
  return std::make_shared<TlsServerContext>(std::move(impl));
}

base::Result<void> TlsServerContext::reload() {
  HEADRACE_TRY(auto fresh, make_server_context(impl_->files));
  std::lock_guard const lock(impl_->mutex);
  impl_->context = std::move(fresh);
  return {};
}

}  // namespace headrace::net
