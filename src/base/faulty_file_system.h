// SPDX-License-Identifier: Apache-2.0
// FaultyFileSystem: a disk in memory that behaves as badly as disks may. For tests and simulations.
//   What is not synced is at risk: on power_failure() each write since the last sync of its file
//                                  is, by the seed, kept, lost, or
//   torn at a 512-byte sector; and of the directory's changes (create, rename, remove) that
//   sync_directory has not made
//   durable, any prefix of the order in which they were made is kept.
//   Faults: an EIO or ENOSPC at a chosen operation; a size that can be used up and given back.
//   Threads: any (one lock).   Lifetime: Files may outlive a power failure, but then everything on
//            them is kIo.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/file_system.h"
#include "base/random.h"

namespace headrace::base {

class FaultyFileSystem final : public FileSystem {
 public:
  explicit FaultyFileSystem(std::uint64_t seed, std::uint64_t disk_bytes = 1ull << 40);
  ~FaultyFileSystem() override;

  Result<std::unique_ptr<File>> open(std::string const& path, OpenOptions options) override;
  Result<void> rename(std::string const& from, std::string const& to) override;
  Result<void> remove(std::string const& path) override;
  Result<void> make_directories(std::string const& path) override;
  Result<void> sync_directory(std::string const& path) override;
  Result<std::vector<std::string>> list(std::string const& path) override;
  Result<std::uint64_t> free_bytes(std::string const& path) override;

  // The disk as it is found after the power came back. What is open now is dead.
  void power_failure();
  // The process ended, the machine did not: everything written is there; what is open now is dead.
  void process_end();

  // Writes, syncs, truncations, preallocations and directory changes so far.
  std::uint64_t operations() const;
  // The power fails at the operation of this number: it and all after it fail with kIo until
  // power_failure() is called.
  void lose_power_at(std::uint64_t operation);
  bool power_lost() const;
  // The sync (write) of this number from now, counted from 1, fails with EIO. What it should have
  // made durable stays at risk.
  void fail_sync_in(std::uint64_t syncs);
  void fail_write_in(std::uint64_t writes);
  // Bytes that all files together may take. Smaller than what they take: every new block is
  // ENOSPC, after part of it is written.
  void set_disk_bytes(std::uint64_t bytes);
  std::uint64_t used_bytes() const;

  // Turns over one bit of what is durable.
  void flip_bit(std::string const& path, std::uint64_t byte);

 private:
  class FaultyFile;
  struct Inode;
  struct NameChange;
  using InodePtr = std::shared_ptr<Inode>;

  Result<void> begin_operation(std::string_view what, std::string const& path);
  Result<void> write(Inode& inode, std::uint64_t offset, Bytes bytes, std::string const& path);
  Result<void> sync(Inode& inode, std::string const& path);
  Result<void> resize(Inode& inode, std::uint64_t size, std::string const& path);
  std::uint64_t used_locked() const;
  void lose(Inode& inode);
  Error error(ErrorCode code, std::string_view what, std::string const& path,
              std::string_view why) const;

  mutable std::mutex mutex_;
  Random random_;
  std::uint64_t disk_bytes_;
  std::uint64_t operations_ = 0, power_lost_at_ = ~0ull, fail_sync_in_ = 0, fail_write_in_ = 0;
  std::uint64_t generation_ = 1;  // files of an earlier one are dead
  std::map<std::string, InodePtr> names_, durable_names_;
  std::vector<NameChange> changes_;  // since the last sync_directory
  std::map<std::string, bool> directories_;
};

}  // namespace headrace::base
