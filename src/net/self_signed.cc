// SPDX-License-Identifier: Apache-2.0
#include "net/self_signed.h"

#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include "base/assert.h"
#include "net/address.h"
#include "net/impl/tls_context.h"

namespace headrace::net {

namespace {

using KeyPtr = std::unique_ptr<EVP_PKEY, OpensslFree<EVP_PKEY, EVP_PKEY_free>>;
using CertificatePtr = std::unique_ptr<X509, OpensslFree<X509, X509_free>>;
using BioPtr = std::unique_ptr<BIO, OpensslFree<BIO, BIO_free_all>>;

base::Error failed(std::string_view what) {
  return {base::ErrorCode::kInternal, std::string(what) + ": " + openssl_reason()};
}

std::string contents(BIO* bio) {
  char* bytes = nullptr;
  auto const size = BIO_get_mem_data(bio, &bytes);
  return {bytes, static_cast<std::size_t>(size)};
}

std::string alternative_names(std::vector<std::string> const& names) {
  std::string out;
  for (auto const& name : names) {
    bool const literal = name != "localhost" && parse_address(name, 0).has_value();
    out += (out.empty() ? "" : ",") + std::string(literal ? "IP:" : "DNS:") + name;
  }
  return out;
}

bool add_extension(X509* certificate, int id, std::string const& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
  std::unique_ptr<X509_EXTENSION, OpensslFree<X509_EXTENSION, X509_EXTENSION_free>> const extension(
      X509V3_EXT_conf_nid(nullptr, &context, id, value.c_str()));
  return extension && X509_add_ext(certificate, extension.get(), -1) == 1;
}

bool fill(X509* certificate, EVP_PKEY* key, std::vector<std::string> const& names,
          std::chrono::hours valid_for) {
  std::uint64_t serial = 0;
  RAND_bytes(reinterpret_cast<unsigned char*>(&serial), sizeof serial);
  X509_set_version(certificate, 2);
  ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate), serial >> 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate), -60);
  X509_gmtime_adj(X509_getm_notAfter(certificate), std::chrono::seconds(valid_for).count());
  auto* const subject = X509_get_subject_name(certificate);
  auto const* const name = reinterpret_cast<unsigned char const*>(names.front().c_str());
  X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, name, -1, -1, 0);
  X509_set_issuer_name(certificate, subject);
  X509_set_pubkey(certificate, key);
  return add_extension(certificate, NID_basic_constraints, "critical,CA:TRUE") &&
         add_extension(certificate, NID_subject_alt_name, alternative_names(names)) &&
         X509_sign(certificate, key, EVP_sha256()) > 0;
}

}  // namespace

base::Result<SelfSigned> make_self_signed(std::vector<std::string> const& names,
                                          std::chrono::hours valid_for) {
  HEADRACE_ASSERT(!names.empty(), "a certificate needs a name");
  KeyPtr const key(EVP_EC_gen("P-256"));
  if (!key) return failed("key");
  CertificatePtr const certificate(X509_new());
  if (!certificate || !fill(certificate.get(), key.get(), names, valid_for))
    return failed("certificate");
  BioPtr const certificate_pem(BIO_new(BIO_s_mem())), key_pem(BIO_new(BIO_s_mem()));
  bool const written = PEM_write_bio_X509(certificate_pem.get(), certificate.get()) == 1 &&
                       PEM_write_bio_PrivateKey(key_pem.get(), key.get(), nullptr, nullptr, 0,
                                                nullptr, nullptr) == 1;
  if (!written) return failed("PEM");
  return SelfSigned{contents(certificate_pem.get()), contents(key_pem.get())};
}

}  // namespace headrace::net
