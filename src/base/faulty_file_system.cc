// SPDX-License-Identifier: Apache-2.0
#include "base/faulty_file_system.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "base/assert.h"

namespace headrace::base {
namespace {

constexpr std::size_t kSectorBytes = 512;

std::string directory_of(std::string const& path) {
  auto const slash = path.rfind('/');
  return slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace

struct FaultyFileSystem::Inode {
  struct Change {
    std::uint64_t offset = 0;
    std::vector<std::byte> bytes;             // of a write
    std::optional<std::uint64_t> resized_to;  // of a truncation or preallocation
    bool dropped = false;  // by a failed sync: no later sync brings it to the disk
  };
  std::vector<std::byte> bytes;    // as the process sees it
  std::vector<std::byte> durable;  // as the last sync left it
  std::vector<Change> changes;     // since then

  static void apply(Change const& change, std::vector<std::byte>& to, std::size_t from_byte,
                    std::size_t to_byte) {
    if (change.resized_to) {
      to.resize(*change.resized_to);
      return;
    }
    if (to.size() < change.offset + to_byte) to.resize(change.offset + to_byte);
    std::copy(change.bytes.begin() + static_cast<std::ptrdiff_t>(from_byte),
              change.bytes.begin() + static_cast<std::ptrdiff_t>(to_byte),
              to.begin() + static_cast<std::ptrdiff_t>(change.offset + from_byte));
  }
};

struct FaultyFileSystem::NameChange {
  std::string from, to;  // create: from empty; remove: to empty
  InodePtr inode;

  void apply(std::map<std::string, InodePtr>& names) const {
    if (!from.empty()) names.erase(from);
    if (!to.empty()) names[to] = inode;
  }
};

class FaultyFileSystem::FaultyFile final : public File {
 public:
  FaultyFile(FaultyFileSystem& fs, InodePtr inode, std::string path, OpenOptions options,
             std::uint64_t generation)
      : fs_(fs),
        inode_(std::move(inode)),
        path_(std::move(path)),
        options_(options),
        generation_(generation) {}

  Result<void> write_at(std::uint64_t offset, Bytes bytes) override {
    std::lock_guard const lock(fs_.mutex_);
    HEADRACE_TRY_VOID(alive("write"));
    HEADRACE_ASSERT(options_.write, "the file was opened for reading");
    if (options_.direct) {
      HEADRACE_ASSERT(offset % 4096 == 0 && bytes.size() % 4096 == 0 &&
                          reinterpret_cast<std::uintptr_t>(bytes.data()) % 4096 == 0,
                      "direct I/O that is not aligned");
    }
    return fs_.write(*inode_, offset, bytes, path_);
  }
  Result<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> out) const override {
    std::lock_guard const lock(fs_.mutex_);
    HEADRACE_TRY_VOID(alive("read"));
    if (offset >= inode_->bytes.size()) return std::size_t{0};
    auto const count = std::min<std::size_t>(out.size(), inode_->bytes.size() - offset);
    std::copy_n(inode_->bytes.begin() + static_cast<std::ptrdiff_t>(offset), count, out.begin());
    return count;
  }
  Result<void> sync_data() override {
    std::lock_guard const lock(fs_.mutex_);
    HEADRACE_TRY_VOID(alive("fdatasync"));
    return fs_.sync(*inode_, path_);
  }
  Result<std::uint64_t> size() const override {
    std::lock_guard const lock(fs_.mutex_);
    HEADRACE_TRY_VOID(alive("stat"));
    return static_cast<std::uint64_t>(inode_->bytes.size());
  }
  Result<void> truncate(std::uint64_t size) override {
    std::lock_guard const lock(fs_.mutex_);
    HEADRACE_TRY_VOID(alive("truncate"));
    return fs_.resize(*inode_, size, path_);
  }
  Result<void> preallocate(std::uint64_t size) override {
    std::lock_guard const lock(fs_.mutex_);
    HEADRACE_TRY_VOID(alive("preallocate"));
    return fs_.resize(*inode_, std::max<std::uint64_t>(size, inode_->bytes.size()), path_);
  }
  bool direct() const override { return options_.direct; }

 private:
  Result<void> alive(std::string_view what) const {
    if (generation_ == fs_.generation_) return {};
    return fs_.error(ErrorCode::kIo, what, path_, "the file was opened before the failure");
  }

  FaultyFileSystem& fs_;
  InodePtr inode_;
  std::string path_;
  OpenOptions options_;
  std::uint64_t generation_;
};

FaultyFileSystem::FaultyFileSystem(std::uint64_t seed, std::uint64_t disk_bytes)
    : random_(seed), disk_bytes_(disk_bytes) {}
FaultyFileSystem::~FaultyFileSystem() = default;

Error FaultyFileSystem::error(ErrorCode code, std::string_view what, std::string const& path,
                              std::string_view why) const {
  return {code, fmt::format("{} '{}': {}", what, path, why)};
}

Result<void> FaultyFileSystem::begin_operation(std::string_view what, std::string const& path) {
  if (++operations_ < power_lost_at_) return {};
  return error(ErrorCode::kIo, what, path, "the power is off");
}

std::uint64_t FaultyFileSystem::used_locked() const {
  std::uint64_t bytes = 0;
  for (auto const& [name, inode] : names_) bytes += inode->bytes.size();
  return bytes;
}

Result<void> FaultyFileSystem::write(Inode& inode, std::uint64_t offset, Bytes bytes,
                                     std::string const& path) {
  auto const started = begin_operation("write", path);
  if (!started && operations_ > power_lost_at_) return started;
  if (fail_write_in_ > 0 && --fail_write_in_ == 0)
    return error(ErrorCode::kIo, "write", path, "Input/output error");
  auto count = bytes.size();
  auto const used = used_locked();
  auto const grows = offset + count > inode.bytes.size() ? offset + count - inode.bytes.size() : 0;
  bool const full = grows > 0 && used + grows > disk_bytes_;
  if (full)
    count =
        std::min<std::size_t>(count, used < disk_bytes_ ? (disk_bytes_ - used) / 4096 * 4096 : 0);
  if (count > 0) {
    inode.changes.push_back({offset,
                             {bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(count)},
                             std::nullopt,
                             false});
    Inode::apply(inode.changes.back(), inode.bytes, 0, count);
  }
  if (!started) return started;  // the power failed in the middle of it
  if (full) return error(ErrorCode::kOverloaded, "write", path, "No space left on device");
  return {};
}

Result<void> FaultyFileSystem::sync(Inode& inode, std::string const& path) {
  HEADRACE_TRY_VOID(begin_operation("fdatasync", path));
  if (fail_sync_in_ > 0 && --fail_sync_in_ == 0) {
    // As Linux does: the pages count as clean from now on, whatever the disk holds.
    for (auto& change : inode.changes) change.dropped = true;
    return error(ErrorCode::kIo, "fdatasync", path, "Input/output error");
  }
  for (auto const& change : inode.changes) {
    if (!change.dropped || change.resized_to)
      Inode::apply(change, inode.durable, 0, change.bytes.size());
  }
  inode.changes.clear();
  return {};
}

Result<void> FaultyFileSystem::resize(Inode& inode, std::uint64_t size, std::string const& path) {
  HEADRACE_TRY_VOID(begin_operation("resize", path));
  if (size > inode.bytes.size() && used_locked() + size - inode.bytes.size() > disk_bytes_) {
    return error(ErrorCode::kOverloaded, "preallocate", path, "No space left on device");
  }
  if (size == inode.bytes.size()) return {};
  inode.changes.push_back({0, {}, size, false});
  inode.bytes.resize(size);
  return {};
}

Result<std::unique_ptr<File>> FaultyFileSystem::open(std::string const& path, OpenOptions options) {
  std::lock_guard const lock(mutex_);
  auto it = names_.find(path);
  if (it == names_.end()) {
    if (!options.create)
      return error(ErrorCode::kNotFound, "open", path, "No such file or directory");
    if (!directories_.contains(directory_of(path)))
      return error(ErrorCode::kNotFound, "open", path, "No such directory");
    HEADRACE_TRY_VOID(begin_operation("create", path));
    changes_.push_back({"", path, std::make_shared<Inode>()});
    changes_.back().apply(names_);
    it = names_.find(path);
  } else if (options.truncate) {
    HEADRACE_TRY_VOID(resize(*it->second, 0, path));
  }
  return std::unique_ptr<File>(
      std::make_unique<FaultyFile>(*this, it->second, path, options, generation_));
}

Result<void> FaultyFileSystem::rename(std::string const& from, std::string const& to) {
  std::lock_guard const lock(mutex_);
  auto const it = names_.find(from);
  if (it == names_.end())
    return error(ErrorCode::kNotFound, "rename", from, "No such file or directory");
  HEADRACE_TRY_VOID(begin_operation("rename", from));
  changes_.push_back({from, to, it->second});
  changes_.back().apply(names_);
  return {};
}

Result<void> FaultyFileSystem::remove(std::string const& path) {
  std::lock_guard const lock(mutex_);
  if (!names_.contains(path))
    return error(ErrorCode::kNotFound, "remove", path, "No such file or directory");
  HEADRACE_TRY_VOID(begin_operation("remove", path));
  changes_.push_back({path, "", nullptr});
  changes_.back().apply(names_);
  return {};
}

Result<void> FaultyFileSystem::make_directories(std::string const& path) {
  std::lock_guard const lock(mutex_);
  for (auto at = path.find('/', 1);; at = path.find('/', at + 1)) {
    directories_[path.substr(0, at)] = true;
    if (at == std::string::npos) return {};
  }
}

Result<void> FaultyFileSystem::sync_directory(std::string const& path) {
  std::lock_guard const lock(mutex_);
  HEADRACE_TRY_VOID(begin_operation("sync directory", path));
  if (fail_sync_in_ > 0 && --fail_sync_in_ == 0)
    return error(ErrorCode::kIo, "sync directory", path, "Input/output error");
  // As journals do, one directory's sync makes all changes durable.
  for (auto const& change : changes_) change.apply(durable_names_);
  changes_.clear();
  return {};
}

Result<std::vector<std::string>> FaultyFileSystem::list(std::string const& path) {
  std::lock_guard const lock(mutex_);
  if (!directories_.contains(path))
    return error(ErrorCode::kNotFound, "list", path, "No such file or directory");
  std::vector<std::string> out;
  for (auto const& [name, inode] : names_) {
    if (directory_of(name) == path) out.push_back(name.substr(path.size() + 1));
  }
  return out;
}

Result<std::uint64_t> FaultyFileSystem::free_bytes(std::string const&) {
  std::lock_guard const lock(mutex_);
  auto const used = used_locked();
  return used < disk_bytes_ ? disk_bytes_ - used : std::uint64_t{0};
}

// Each write is kept, lost or torn on its own; a lost one may come before a kept one.
void FaultyFileSystem::lose(Inode& inode) {
  auto after = inode.durable;
  for (auto const& change : inode.changes) {
    auto const fate = change.dropped ? 0 : random_.below(3);
    if (change.resized_to) {
      if (fate != 0) after.resize(*change.resized_to);
      continue;
    }
    if (fate == 0) continue;
    auto const sectors = (change.bytes.size() + kSectorBytes - 1) / kSectorBytes;
    auto const whole = change.bytes.size();
    if (fate == 1) {
      Inode::apply(change, after, 0, whole);
      continue;
    }
    if (random_.below(2) == 0) {  // cut at a sector, from one of the two ends
      auto const cut = std::min<std::size_t>(whole, random_.below(sectors + 1) * kSectorBytes);
      random_.below(2) == 0 ? Inode::apply(change, after, 0, cut)
                            : Inode::apply(change, after, cut, whole);
      continue;
    }
    for (std::size_t s = 0; s < sectors; ++s) {  // any sectors
      if (random_.below(2) == 0)
        Inode::apply(change, after, s * kSectorBytes, std::min(whole, (s + 1) * kSectorBytes));
    }
  }
  inode.durable = after;
  inode.bytes = std::move(after);
  inode.changes.clear();
}

void FaultyFileSystem::power_failure() {
  std::lock_guard const lock(mutex_);
  auto const kept = random_.below(changes_.size() + 1);
  for (std::size_t i = 0; i < kept; ++i) changes_[i].apply(durable_names_);
  changes_.clear();
  names_ = durable_names_;
  for (auto const& [name, inode] : names_) lose(*inode);
  power_lost_at_ = ~0ull;
  fail_sync_in_ = fail_write_in_ = 0;
  ++generation_;
}

void FaultyFileSystem::process_end() {
  std::lock_guard const lock(mutex_);
  power_lost_at_ = ~0ull;
  fail_sync_in_ = fail_write_in_ = 0;
  ++generation_;
}

std::uint64_t FaultyFileSystem::operations() const {
  std::lock_guard const lock(mutex_);
  return operations_;
}
void FaultyFileSystem::lose_power_at(std::uint64_t operation) {
  std::lock_guard const lock(mutex_);
  power_lost_at_ = operation;
}
bool FaultyFileSystem::power_lost() const {
  std::lock_guard const lock(mutex_);
  return operations_ >= power_lost_at_;
}
void FaultyFileSystem::fail_sync_in(std::uint64_t syncs) {
  std::lock_guard const lock(mutex_);
  fail_sync_in_ = syncs;
}
void FaultyFileSystem::fail_write_in(std::uint64_t writes) {
  std::lock_guard const lock(mutex_);
  fail_write_in_ = writes;
}
void FaultyFileSystem::set_disk_bytes(std::uint64_t bytes) {
  std::lock_guard const lock(mutex_);
  disk_bytes_ = bytes;
}
std::uint64_t FaultyFileSystem::used_bytes() const {
  std::lock_guard const lock(mutex_);
  return used_locked();
}

void FaultyFileSystem::flip_bit(std::string const& path, std::uint64_t byte) {
  std::lock_guard const lock(mutex_);
  auto const it = names_.find(path);
  HEADRACE_ASSERT(it != names_.end() && byte < it->second->bytes.size(), "no such byte");
  it->second->bytes[byte] ^= std::byte{1};
  it->second->durable = it->second->bytes;
}

}  // namespace headrace::base
