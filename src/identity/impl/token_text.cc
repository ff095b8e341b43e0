// SPDX-License-Identifier: Apache-2.0
#include "identity/impl/token_text.h"

#include <fcntl.h>
#include <sodium.h>
#include <unistd.h>

#include <cerrno>

#include "base/bytes.h"
#include "base/uuid.h"

namespace headrace::identity {
namespace {

constexpr std::string_view kPrefix = "hr_";
constexpr std::size_t kIdLength = 8;       // 40 bits
constexpr std::size_t kSecretLength = 32;  // 160 bits
constexpr std::string_view kAlphabet = "abcdefghijklmnopqrstuvwxyz234567";

// One character per random byte's low 5 bits: no bias, 256 being a multiple of 32.
std::string random_text(std::size_t length) {
  std::array<std::byte, kSecretLength> bytes;
  base::random_bytes({bytes.data(), length});
  std::string text;
  for (std::size_t i = 0; i < length; ++i) text += kAlphabet[static_cast<unsigned>(bytes[i]) & 31];
  return text;
}

base::Error file_error(std::filesystem::path const& path, std::string_view what) {
  return base::system_error(errno, fmt::format("{}: {}", path.string(), what));
}

class File {
 public:
  File(std::filesystem::path const& path, int flags)
      : fd_(::open(path.c_str(), flags | O_CLOEXEC, 0600)) {}
  ~File() {
    if (fd_ >= 0) ::close(fd_);
  }
  File(File const&) = delete;
  File& operator=(File const&) = delete;
  explicit operator bool() const { return fd_ >= 0; }
  bool write_and_sync(base::Bytes bytes) {
    while (!bytes.empty()) {
      auto const n = ::write(fd_, bytes.data(), bytes.size());
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) return false;
      bytes = bytes.subspan(static_cast<std::size_t>(n));
    }
    return ::fsync(fd_) == 0;
  }
  // All of it, when it is no longer than `room`; a longer file gives room + 1.
  ssize_t read(std::byte* to, std::size_t room) {
    std::size_t got = 0;
    while (got <= room) {
      std::byte extra;
      auto const n = got < room ? ::read(fd_, to + got, room - got) : ::read(fd_, &extra, 1);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return n;
      if (n == 0) break;
      got += static_cast<std::size_t>(n);
    }
    return static_cast<ssize_t>(got);
  }

 private:
  int fd_;
};

void sync_folder(std::filesystem::path const& path) {
  int const fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return;
  ::fsync(fd);
  ::close(fd);
}

}  // namespace

std::size_t TokenHashHasher::operator()(TokenHash const& hash) const noexcept {
  return base::load<std::uint64_t>(hash.data());  // it is a hash already
}

TokenText generate_token() {
  TokenText token;
  token.id = random_text(kIdLength);
  token.text = fmt::format("{}{}_{}", kPrefix, token.id, random_text(kSecretLength));
  return token;
}

std::optional<std::string_view> token_id(std::string_view text) {
  if (text.size() != kPrefix.size() + kIdLength + 1 + kSecretLength || !text.starts_with(kPrefix))
    return std::nullopt;
  if (text[kPrefix.size() + kIdLength] != '_') return std::nullopt;
  return text.substr(kPrefix.size(), kIdLength);
}

TokenHash hash_token(TokenKey const& key, std::string_view text) {
  TokenHash hash;
  crypto_generichash(reinterpret_cast<unsigned char*>(hash.data()), hash.size(),
                     reinterpret_cast<unsigned char const*>(text.data()), text.size(),
                     reinterpret_cast<unsigned char const*>(key.data()), key.size());
  return hash;
}

base::Result<TokenKey> load_or_make_key(std::filesystem::path const& path) {
  TokenKey key;
  if (File file(path, O_RDONLY); file) {
    auto const got = file.read(key.data(), key.size());
    if (got < 0) return file_error(path, "cannot read");
    if (got != static_cast<ssize_t>(key.size()))
      return base::Error{base::ErrorCode::kCorrupt,
                         fmt::format("{}: expected a key of {} bytes", path.string(), key.size())};
    return key;
  }
  if (errno != ENOENT) return file_error(path, "cannot open");
  base::random_bytes(key);
  HEADRACE_TRY_VOID(write_secret_file(path, base::as_text(key)));
  return key;
}

base::Result<void> write_secret_file(std::filesystem::path const& path, std::string_view text) {
  auto const fresh = std::filesystem::path(path.string() + ".new");
  {
    ::unlink(fresh.c_str());
    File file(fresh, O_WRONLY | O_CREAT | O_EXCL);
    if (!file) return file_error(fresh, "cannot create");
    if (!file.write_and_sync(base::as_bytes(text))) return file_error(fresh, "cannot write");
  }
  if (::rename(fresh.c_str(), path.c_str()) != 0)
    return file_error(path, "cannot rename into place");
  sync_folder(path.parent_path());
  return {};
}

}  // namespace headrace::identity
