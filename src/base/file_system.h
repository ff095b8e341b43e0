// SPDX-License-Identifier: Apache-2.0
// FileSystem: the few file operations that stored data needs, behind an interface so that tests can
// lose, tear and refuse writes (base/faulty_file_system.h). Everything durable in Headrace that is
// not inside a library goes through it.
//   Threads: FileSystem from any thread; a File from one thread at a time, except read_at, which
//   any thread may call.
//   Errors:  kIo with path and errno text; kOverloaded when the disk is full; kNotFound.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/error.h"

namespace headrace::base {

class File {
 public:
  virtual ~File() = default;
  // Writes all bytes at `offset`. With direct I/O: offset, size and address must be multiples of
  // 4096.
  virtual Result<void> write_at(std::uint64_t offset, Bytes bytes) = 0;
  // Reads until `out` is full or the file ends; returns the count read.
  virtual Result<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> out) const = 0;
  virtual Result<void>
  sync_data() = 0;  // fdatasync: after it, all writes before it survive a power failure
  virtual Result<std::uint64_t> size() const = 0;
  virtual Result<void> truncate(std::uint64_t size) = 0;
  virtual Result<void> preallocate(
      std::uint64_t size) = 0;      // blocks reserved and the size set; contents read as zeros
  virtual bool direct() const = 0;  // opened with O_DIRECT (asked for, and the file system has it)
};

struct OpenOptions {
  bool create = false;
  bool truncate = false;
  bool write = false;
  bool direct = false;  // falls back to buffered where the file system refuses
};

class FileSystem {
 public:
  virtual ~FileSystem() = default;
  virtual Result<std::unique_ptr<File>> open(std::string const& path, OpenOptions options) = 0;
  virtual Result<void> rename(std::string const& from, std::string const& to) = 0;
  virtual Result<void> remove(std::string const& path) = 0;  // a missing file is kNotFound
  virtual Result<void> make_directories(std::string const& path) = 0;
  virtual Result<void> sync_directory(
      std::string const& path) = 0;  // makes creations, renames and removals durable
  virtual Result<std::vector<std::string>> list(std::string const& path) = 0;  // names, sorted
  virtual Result<std::uint64_t> free_bytes(std::string const& path) = 0;
};

FileSystem& real_file_system();

// Writes `bytes` so that after a crash the file has either its old or its new contents (temporary
// file, sync, rename, sync).
Result<void> replace_file(FileSystem& fs, std::string const& path, Bytes bytes);
Result<std::string> read_file(FileSystem& fs, std::string const& path,
                              std::uint64_t bytes_max = 64u << 20);

}  // namespace headrace::base
