// SPDX-License-Identifier: Apache-2.0
// DataDir: the data directory with its lock and its format version.
//   Layout:   LOCK (held by flock; says who holds it), FORMAT ("headrace data 1"), log/,
//             documents/, dispatch/, agent/, tls/, and
//             what identity/ keeps.
//   Lifetime: the lock goes with the object, or with the process.
//   Threads:  one.
//   Errors:   unavailable (locked: names who), invalid_argument (a newer format, or not a data
//             directory), corrupt (stored data without FORMAT), io.
#pragma once

#include <optional>
#include <string>

#include "base/error.h"

namespace headrace::app {

// What the holder of a lock says about itself.
struct Holder {
  std::int64_t pid = 0;
  std::string url;  // "http://127.0.0.1:8080"; empty: it does not listen (yet)
};

class DataDir {
 public:
  // Creates what is missing.
  static base::Result<DataDir> open(std::string const& path);
  // Who holds the directory; nullopt: nobody, or it is not there.
  static std::optional<Holder> holder(std::string const& path);

  DataDir(DataDir&& other) noexcept;
  DataDir& operator=(DataDir&&) = delete;
  ~DataDir();

  std::string const& path() const { return path_; }
  std::string file(std::string_view name) const { return path_ + "/" + std::string(name); }
  // Tells commands on this machine where the server listens.
  base::Result<void> announce(std::string const& url);

 private:
  DataDir(std::string path, int fd) : path_(std::move(path)), fd_(fd) {}
  base::Result<void> write_holder(std::string const& url);
  base::Result<void> check_format();

  std::string path_;
  int fd_ = -1;
};

}  // namespace headrace::app
