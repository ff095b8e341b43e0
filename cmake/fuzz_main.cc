// SPDX-License-Identifier: Apache-2.0
// Runs a fuzz target over kept inputs when libFuzzer is not linked, so that every past find stays a
// test.
// Usage: x_fuzz DIR_OR_FILE...  A missing directory is an error: a corpus that is not run is no
//        test.
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size);

namespace {
void run(std::filesystem::path const& path, std::size_t& count) {
  std::ifstream file(path, std::ios::binary);
  std::vector<char> const bytes{std::istreambuf_iterator<char>(file), {}};
  LLVMFuzzerTestOneInput(reinterpret_cast<std::uint8_t const*>(bytes.data()), bytes.size());
  ++count;
}
}  // namespace

int main(int argc, char** argv) {
  std::size_t count = 0;
  for (int i = 1; i < argc; ++i) {
    std::filesystem::path const path = argv[i];
    if (!std::filesystem::exists(path)) {
      std::fprintf(stderr, "%s: no such corpus\n", argv[i]);
      return 1;
    }
    if (!std::filesystem::is_directory(path)) {
      run(path, count);
      continue;
    }
    for (auto const& entry : std::filesystem::directory_iterator(path)) run(entry.path(), count);
  }
  std::printf("%zu inputs\n", count);
  return count == 0 ? 1 : 0;
}
