// SPDX-License-Identifier: Apache-2.0
#include "base/file_system.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

namespace headrace::base {
namespace {

constexpr std::size_t kDirectAlignment = 4096;

Error path_error(int error_number, std::string_view action, std::string const& path) {
  Error error = system_error(error_number, fmt::format("{} '{}'", action, path));
  if (error_number == ENOENT) error.code = ErrorCode::kNotFound;
  return error;
}

template <class Call>
auto retried(Call call) {
  for (;;) {
    auto const got = call();
    if (got >= 0 || errno != EINTR) return got;
  }
}

class PosixFile final : public File {
 public:
  PosixFile(int fd, std::string path, bool direct)
      : fd_(fd), path_(std::move(path)), direct_(direct) {}
  ~PosixFile() override { ::close(fd_); }
  PosixFile(PosixFile const&) = delete;
  PosixFile& operator=(PosixFile const&) = delete;

  Result<void> write_at(std::uint64_t offset, Bytes bytes) override {
    while (!bytes.empty()) {
      auto const put = retried(
          [&] { return ::pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(offset)); });
      if (put < 0)
        return path_error(errno, fmt::format("write {} bytes at {} of", bytes.size(), offset),
                          path_);
      if (put == 0) return path_error(EIO, fmt::format("write of nothing at {} of", offset), path_);
      bytes = bytes.subspan(static_cast<std::size_t>(put));
      offset += static_cast<std::uint64_t>(put);
    }
    return {};
  }

  Result<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> out) const override {
    std::size_t count = 0;
    while (count < out.size()) {
      auto const rest = out.subspan(count);
      auto const got = retried([&] {
        return ::pread(fd_, rest.data(), rest.size(), static_cast<off_t>(offset + count));
      });
      if (got < 0)
        return path_error(errno, fmt::format("read {} bytes at {} of", rest.size(), offset + count),
                          path_);
      count += static_cast<std::size_t>(got);
      // Direct reads come back unaligned only at the file's end.
      if (got == 0 || (direct_ && static_cast<std::size_t>(got) % kDirectAlignment != 0)) break;
    }
    return count;
  }

  Result<void> sync_data() override {
    // Not retried, whatever the error: after a failed sync the kernel may have dropped the pages.
    if (::fdatasync(fd_) != 0) return path_error(errno, "fdatasync", path_);
    return {};
  }

  Result<std::uint64_t> size() const override {
    struct stat status{};
    if (::fstat(fd_, &status) != 0) return path_error(errno, "stat", path_);
    return static_cast<std::uint64_t>(status.st_size);
  }

  Result<void> truncate(std::uint64_t size) override {
    if (retried([&] { return ::ftruncate(fd_, static_cast<off_t>(size)); }) != 0)
      return path_error(errno, fmt::format("truncate to {} bytes", size), path_);
    return {};
  }

  Result<void> preallocate(std::uint64_t size) override {
    if (retried([&] { return ::fallocate(fd_, 0, 0, static_cast<off_t>(size)); }) == 0) return {};
    if (errno != EOPNOTSUPP)
      return path_error(errno, fmt::format("reserve {} bytes for", size), path_);
    // A file system without fallocate: the C library writes into each block.
    int const failed = ::posix_fallocate(fd_, 0, static_cast<off_t>(size));
    if (failed != 0) return path_error(failed, fmt::format("reserve {} bytes for", size), path_);
    return {};
  }

  bool direct() const override { return direct_; }

 private:
  int fd_;
  std::string path_;
  bool direct_;
};

class PosixFileSystem final : public FileSystem {
 public:
  Result<std::unique_ptr<File>> open(std::string const& path, OpenOptions options) override {
    int flags = O_CLOEXEC | (options.write ? O_RDWR : O_RDONLY);
    if (options.create) flags |= O_CREAT;
    if (options.truncate) flags |= O_TRUNC;
    bool direct = options.direct;
    int fd = retried([&] { return ::open(path.c_str(), flags | (direct ? O_DIRECT : 0), 0640); });
    if (fd < 0 && direct && errno == EINVAL) {
      direct = false;
      fd = retried([&] { return ::open(path.c_str(), flags, 0640); });
    }
    if (fd < 0) return path_error(errno, "open", path);
    return std::unique_ptr<File>(std::make_unique<PosixFile>(fd, path, direct));
  }

  Result<void> rename(std::string const& from, std::string const& to) override {
    if (::rename(from.c_str(), to.c_str()) != 0)
      return path_error(errno, fmt::format("rename '{}' to", from), to);
    return {};
  }

  Result<void> remove(std::string const& path) override {
    if (::unlink(path.c_str()) != 0) return path_error(errno, "remove", path);
    return {};
  }

  Result<void> make_directories(std::string const& path) override {
    for (std::size_t slash = path.find('/', 1);; slash = path.find('/', slash + 1)) {
      std::string const part = path.substr(0, slash);
      if (::mkdir(part.c_str(), 0750) != 0 && errno != EEXIST)
        return path_error(errno, "make directory", part);
      if (slash == std::string::npos) break;
    }
    struct stat status{};
    if (::stat(path.c_str(), &status) != 0) return path_error(errno, "stat", path);
    if (!S_ISDIR(status.st_mode)) return path_error(ENOTDIR, "make directory", path);
    return {};
  }

  Result<void> sync_directory(std::string const& path) override {
    int const fd =
        retried([&] { return ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); });
    if (fd < 0) return path_error(errno, "open directory", path);
    int const failed = ::fsync(fd) != 0 ? errno : 0;
    ::close(fd);
    if (failed != 0) return path_error(failed, "sync directory", path);
    return {};
  }

  Result<std::vector<std::string>> list(std::string const& path) override {
    std::unique_ptr<DIR, int (*)(DIR*)> const directory(::opendir(path.c_str()),
                                                        [](DIR* d) { return ::closedir(d); });
    if (!directory) return path_error(errno, "list", path);
    std::vector<std::string> names;
    for (;;) {
      errno = 0;
      dirent const* entry =
          ::readdir(directory.get());  // NOLINT(concurrency-mt-unsafe): the stream is ours alone
      if (entry == nullptr) break;
      std::string_view const entry_name = entry->d_name;
      if (entry_name != "." && entry_name != "..") names.emplace_back(entry_name);
    }
    if (errno != 0) return path_error(errno, "list", path);
    std::sort(names.begin(), names.end());
    return names;
  }

  Result<std::uint64_t> free_bytes(std::string const& path) override {
    struct statvfs status{};
    if (::statvfs(path.c_str(), &status) != 0)
      return path_error(errno, "ask for free space of", path);
    return static_cast<std::uint64_t>(status.f_bavail) * status.f_frsize;
  }
};

std::string directory_of(std::string const& path) {
  std::size_t const slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

Result<void> write_new(FileSystem& fs, std::string const& path, Bytes bytes) {
  HEADRACE_TRY(auto file, fs.open(path, {.create = true, .truncate = true, .write = true}));
  HEADRACE_TRY_VOID(file->write_at(0, bytes));
  return file->sync_data();
}

}  // namespace

FileSystem& real_file_system() {
  static PosixFileSystem fs;
  return fs;
}

Result<void> replace_file(FileSystem& fs, std::string const& path, Bytes bytes) {
  // A fixed name beside it: what a crash leaves behind is overwritten by the next time.
  std::string const fresh = path + ".new";
  Result<void> done = write_new(fs, fresh, bytes);
  if (done) done = fs.rename(fresh, path);
  if (!done) {
    (void)fs.remove(fresh);
    return done;
  }
  return fs.sync_directory(directory_of(path));
}

Result<std::string> read_file(FileSystem& fs, std::string const& path, std::uint64_t bytes_max) {
  HEADRACE_TRY(auto file, fs.open(path, {}));
  HEADRACE_TRY(std::uint64_t const size, file->size());
  if (size > bytes_max)
    return Error{ErrorCode::kTooLarge,
                 fmt::format("'{}' has {} bytes; at most {} are read", path, size, bytes_max)};
  // Files of /proc say 0 and have contents: read until the end rather than trust the size.
  std::string contents;
  std::size_t chunk = std::max<std::size_t>(static_cast<std::size_t>(size) + 1, 4096);
  for (;;) {
    std::size_t const had = contents.size();
    contents.resize(had + chunk);
    std::span<std::byte> const room(reinterpret_cast<std::byte*>(contents.data()) + had, chunk);
    HEADRACE_TRY(std::size_t const got, file->read_at(had, room));
    contents.resize(had + got);
    if (contents.size() > bytes_max)
      return Error{ErrorCode::kTooLarge,
                   fmt::format("'{}' has more than the {} bytes that are read", path, bytes_max)};
    if (got < chunk) return contents;
    chunk *= 2;
  }
}

}  // namespace headrace::base
