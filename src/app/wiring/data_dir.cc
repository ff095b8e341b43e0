// SPDX-License-Identifier: Apache-2.0
#include "app/wiring/data_dir.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <utility>

#include "base/file_system.h"

namespace headrace::app {
namespace {

constexpr int kFormat = 1;
constexpr std::string_view kFormatPrefix = "headrace data ";

// "pid 123\nurl http://...\n"
Holder read_holder(int fd) {
  char text[1024];
  auto const count = ::pread(fd, text, sizeof text, 0);
  Holder holder;
  std::string_view rest(text, count > 0 ? static_cast<std::size_t>(count) : 0);
  while (!rest.empty()) {
    auto const line = rest.substr(0, rest.find('\n'));
    if (line.starts_with("pid "))
      std::from_chars(line.data() + 4, line.data() + line.size(), holder.pid);
    if (line.starts_with("url ")) holder.url = line.substr(4);
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
  }
  return holder;
}

// Something that only a server leaves behind, or nothing.
base::Result<std::string> stored_data(base::FileSystem& fs, std::string const& path) {
  HEADRACE_TRY(auto const names, fs.list(path));
  for (auto const& name : names)
    if (name.ends_with(".db")) return path + "/" + name;
  for (auto const* folder : {"log", "dispatch", "documents"}) {
    auto const there = fs.list(path + "/" + folder);
    if (!there && there.error().code != base::ErrorCode::kNotFound) return there.error();
    if (there && !there->empty()) return path + "/" + folder + "/" + there->front();
  }
  return std::string();
}

}  // namespace

DataDir::DataDir(DataDir&& other) noexcept
    : path_(std::move(other.path_)), fd_(std::exchange(other.fd_, -1)) {}

DataDir::~DataDir() {
  if (fd_ < 0) return;
  static_cast<void>(::ftruncate(fd_, 0));
  ::close(fd_);
}

base::Result<DataDir> DataDir::open(std::string const& path) {
  auto& fs = base::real_file_system();
  HEADRACE_TRY_VOID(fs.make_directories(path));
  auto const lock = path + "/LOCK";
  int const fd = ::open(lock.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return base::system_error(errno, "open " + lock);
  DataDir dir(path, fd);
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    auto const holder = read_holder(fd);
    ::close(std::exchange(dir.fd_, -1));
    return base::Error{
        base::ErrorCode::kUnavailable,
        fmt::format("the data directory {} is locked by process {}{}", path, holder.pid,
                    holder.url.empty() ? "" : ", which serves " + holder.url)};
  }
  HEADRACE_TRY_VOID(dir.check_format());
  HEADRACE_TRY_VOID(dir.write_holder(""));
  return dir;
}

std::optional<Holder> DataDir::holder(std::string const& path) {
  int const fd = ::open((path + "/LOCK").c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return std::nullopt;
  std::optional<Holder> holder;
  if (::flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK) holder = read_holder(fd);
  ::close(fd);
  return holder;
}

base::Result<void> DataDir::announce(std::string const& url) { return write_holder(url); }

base::Result<void> DataDir::write_holder(std::string const& url) {
  auto const text = fmt::format("pid {}\nurl {}\n", ::getpid(), url);
  if (::ftruncate(fd_, 0) != 0 ||
      ::pwrite(fd_, text.data(), text.size(), 0) != static_cast<ssize_t>(text.size()))
    return base::system_error(errno, "write " + file("LOCK"));
  return {};
}

base::Result<void> DataDir::check_format() {
  auto& fs = base::real_file_system();
  auto const name = file("FORMAT");
  auto const text = base::read_file(fs, name, 100);
  if (!text && text.error().code != base::ErrorCode::kNotFound) return text.error();
  if (text) {
    std::string_view rest = *text;
    int version = 0;
    bool good = rest.starts_with(kFormatPrefix);
    if (good) rest.remove_prefix(kFormatPrefix.size());
    good = good &&
           std::from_chars(rest.data(), rest.data() + rest.size(), version).ec == std::errc{} &&
           version >= 1;
    if (!good)
      return base::Error{base::ErrorCode::kInvalidArgument,
                         fmt::format("{}: expected '{}{}'; is {} a data directory?", name,
                                     kFormatPrefix, kFormat, path_)};
    if (version > kFormat)
      return base::Error{
          base::ErrorCode::kInvalidArgument,
          fmt::format(
              "{} has format {}, this program knows up to {}: it was written by a newer one", path_,
              version, kFormat)};
    return {};
  }
  HEADRACE_TRY(auto const kept, stored_data(fs, path_));
  if (!kept.empty())
    return base::Error{
        base::ErrorCode::kCorrupt,
        fmt::format("{}: missing beside {}; expected '{}{}': put it back, or name another data "
                    "directory",
                    name, kept, kFormatPrefix, kFormat)};
  return base::replace_file(fs, name,
                            base::as_bytes(fmt::format("{}{}\n", kFormatPrefix, kFormat)));
}

}  // namespace headrace::app
