// SPDX-License-Identifier: Apache-2.0
#include "base/crc32c.h"

#include <gtest/gtest.h>

#include "base/bytes.h"
#include "base/random.h"

namespace headrace::base {
namespace {

TEST(Crc32c, KnownValues) {
  EXPECT_EQ(crc32c(as_bytes("")), 0u);
  EXPECT_EQ(crc32c(as_bytes("123456789")), 0xE3069283u);
  // RFC 3720, B.4.
  EXPECT_EQ(crc32c(as_bytes(std::string(32, '\0'))), 0x8A9136AAu);
  EXPECT_EQ(crc32c(as_bytes(std::string(32, '\xFF'))), 0x62A8AB43u);
}

TEST(Crc32c, InstructionAndTableAgreeAtEveryLengthAndAlignment) {
  Random random(3);
  std::vector<std::byte> bytes(40'000);
  for (auto& b : bytes) b = static_cast<std::byte>(random.next());
  auto const agree = [&](std::size_t at, std::size_t size) {
    Bytes const part = Bytes(bytes).subspan(at, size);
    EXPECT_EQ(crc32c(part, 17), crc32c_portable(part, 17)) << at << ' ' << size;
  };
  for (std::size_t size = 0; size < 900; ++size) agree(size % 9, size);
  for (int i = 0; i < 100; ++i) agree(random.below(9), random.below(39'000));
}

TEST(Crc32c, PiecesChain) {
  std::string const text =
      "The quick brown fox jumps over the lazy dog, again and again and again.";
  for (std::size_t cut = 0; cut <= text.size(); ++cut)
    EXPECT_EQ(crc32c(as_bytes(text.substr(cut)), crc32c(as_bytes(text.substr(0, cut)))),
              crc32c(as_bytes(text)));
}

TEST(Crc32c, EverySingleBitFlipShows) {
  std::vector<std::byte> bytes(1000, std::byte{0x5A});
  std::uint32_t const good = crc32c(bytes);
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    bytes[bit / 8] ^= static_cast<std::byte>(1u << bit % 8);
    ASSERT_NE(crc32c(bytes), good);
    bytes[bit / 8] ^= static_cast<std::byte>(1u << bit % 8);
  }
}

}  // namespace
}  // namespace headrace::base
