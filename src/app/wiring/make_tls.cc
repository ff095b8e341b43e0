// SPDX-License-Identifier: Apache-2.0
#include "app/wiring/make_tls.h"

#include <sys/stat.h>
#include <unistd.h>

#include "base/file_system.h"
#include "net/self_signed.h"

namespace headrace::app {
namespace {

base::Result<void> make_files(Config const& config, net::TlsFiles const& files) {
  std::vector<std::string> names = {"localhost", "127.0.0.1", "::1"};
  for (auto const& name : config.http.allowed_hosts) names.push_back(name);
  char host[256] = {};
  if (::gethostname(host, sizeof host - 1) == 0 && host[0] != '\0') names.emplace_back(host);
  HEADRACE_TRY(auto const made, net::make_self_signed(names, std::chrono::hours(24 * 3650)));
  auto& fs = base::real_file_system();
  auto const before = ::umask(0077);  // the key is for us alone
  auto const key = base::replace_file(fs, files.key_file, base::as_bytes(made.key_pem));
  ::umask(before);
  HEADRACE_TRY_VOID(key);
  return base::replace_file(fs, files.certificate_file, base::as_bytes(made.certificate_pem));
}

}  // namespace

base::Result<std::optional<net::TlsFiles>> make_tls(Config const& config, DataDir const& data) {
  auto const& http = config.http;
  if (!http.tls()) return std::optional<net::TlsFiles>();
  net::TlsFiles files{.certificate_file = http.tls_cert, .key_file = http.tls_key};
  if (!http.tls_self_signed) return std::optional(files);
  HEADRACE_TRY_VOID(base::real_file_system().make_directories(data.file("tls")));
  files = {.certificate_file = data.file("tls/cert.pem"), .key_file = data.file("tls/key.pem")};
  if (::access(files.certificate_file.c_str(), R_OK) != 0)
    HEADRACE_TRY_VOID(make_files(config, files));
  return std::optional(files);
}

}  // namespace headrace::app
