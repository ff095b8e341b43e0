// SPDX-License-Identifier: Apache-2.0
// The two passes agree with each other on everything, and with simdjson on what is JSON, over many
// mutated documents.
#include <gtest/gtest.h>
#include <simdjson.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/random.h"
#include "codec/json/impl/indexed_scanner.h"
#include "codec/json/impl/scanner.h"
#include "codec/json/impl/structural_index.h"
#include "codec/json/json.h"

namespace headrace::codec::json {
namespace {

constexpr std::string_view kSeeds[] = {
    R"({"id":"a1","source":"meter-1","time":"2026-01-02T03:04:05Z","body":{"cpu":1.25,"n":-7,"ok":true,"x":null,"l":[[],{}]}})",
    R"( [ 0 , -0 , 1.5e+10 , 18446744073709551615 , -9223372036854775808 , 123456789012345678 , "\u00e9\ud83d\ude00" ] )",
    "{\"cl\xC3\xA9\":\"Z\xC3\xBCrich \xE2\x82\xAC "
    "\xF0\x9F\x98\x80\",\"\":\"\\\\\\\"\\/\\b\\f\\n\\r\\t\",\"a\\u0062\" : [true,false,null]}",
    R"([[[[["0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\\"]]],{"a":{"b":{"c":[1,2,3]}}}]])",
};
constexpr std::string_view kPieces[] = {"\"",
                                        "\\",
                                        "{",
                                        "}",
                                        "[",
                                        "]",
                                        ":",
                                        ",",
                                        "0",
                                        "1",
                                        "-",
                                        ".",
                                        "e",
                                        "E",
                                        "+",
                                        "t",
                                        "true",
                                        "null",
                                        " ",
                                        "\n",
                                        "\t",
                                        "\\u",
                                        "\\ud800",
                                        "\\udc00",
                                        "\xC3",
                                        "\xA9",
                                        "\x01",
                                        "\x7F",
                                        "a",
                                        "\"a\"",
                                        "99999999999999999999",
                                        "1e400",
                                        "\\\""};

std::string mutated(base::Random& random) {
  std::string text(kSeeds[random.below(std::size(kSeeds))]);
  for (std::uint64_t n = random.below(4); n > 0; --n) {
    std::size_t const at = random.below(text.size() + 1),
                      count = random.below(std::min<std::size_t>(4, text.size() - at + 1));
    switch (random.below(4)) {
      case 0: text.erase(at, count); break;
      case 1: text.insert(at, kPieces[random.below(std::size(kPieces))]); break;
      case 2: text.replace(at, count, kPieces[random.below(std::size(kPieces))]); break;
      default: text.insert(at, std::string(text, at, count)); break;
    }
  }
  return text;
}

bool same(tape::Tape const& a, tape::Tape const& b, std::uint32_t count) {
  for (std::uint32_t i = 0; i < count; ++i) {
    tape::Node const &x = a.nodes[i], &y = b.nodes[i];
    if (x.begin != y.begin || x.end != y.end || x.next != y.next || x.kind != y.kind ||
        x.escaped != y.escaped || x.nesting != y.nesting)
      return false;
  }
  return true;
}

TEST(JsonDifferential, BothPassesAndSimdjsonAgreeOnMutatedDocuments) {
  base::Random random(20260102);
  impl::StructuralIndex structural;
  simdjson::dom::parser other;
  int accepted = 0;
  for (int i = 0; i < 40'000; ++i) {
    std::string const text = mutated(random);
    tape::ParseOptions const options{
        .nesting_max = 8, .recorded_depth = random.below(4) == 0 ? random.below(4) : SIZE_MAX};
    tape::Tape slow{{}, base::as_bytes(text)},
        quick{std::vector<tape::Node>(512), base::as_bytes(text)};
    impl::Scanner scanner(slow, options);
    bool const good = scanner.run();
    auto const index = structural.find(base::as_bytes(text));
    bool const quick_good = !index.empty() && impl::scan_indexed(quick, options, index);
    ASSERT_EQ(good, quick_good) << text << '\n' << scanner.fault().context;
    if (good) {
      ++accepted;
      ASSERT_TRUE(same(slow, quick, slow.nodes[0].next)) << text;
    }
    bool const theirs = other.parse(text).error() == simdjson::SUCCESS;
    if (good != theirs) {
      // simdjson takes low surrogates that stand alone; its bound on levels is set elsewhere.
      ASSERT_FALSE(good) << text;
      std::string const why = scanner.fault().context;
      ASSERT_TRUE(why.find("surrogate") != std::string::npos ||
                  why.find("levels") != std::string::npos)
          << text << '\n'
          << why;
    }
  }
  EXPECT_GT(accepted, 4'000);
  EXPECT_LT(accepted, 36'000);
}

// The document ends where memory ends.
TEST(JsonDifferential, NothingIsReadPastTheEnd) {
  auto const page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  void* const memory =
      ::mmap(nullptr, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(memory, MAP_FAILED);
  char* const guard = static_cast<char*>(memory) + page;
  ASSERT_EQ(::mprotect(guard, page, PROT_NONE), 0);
  Parser parser;
  std::string const message(kSeeds[0]);
  for (std::size_t size = 0; size <= message.size(); ++size) {
    char* const at = guard - size;
    std::memcpy(at, message.data(), size);
    EXPECT_EQ(parser.parse(std::string_view(at, size)).has_value(), size == message.size());
  }
  for (std::string_view const text :
       {"1", "-12", "1.5", "1e3", "true", "\"a\"", "[]", "{}", " 1 ", "\"\\n\""}) {
    char* const at = guard - text.size();
    std::memcpy(at, text.data(), text.size());
    EXPECT_TRUE(parser.parse(std::string_view(at, text.size()))) << text;
  }
  ::munmap(memory, 2 * page);
}

TEST(JsonDifferential, LargeDocumentsTakeTheOtherPassWithTheSameResult) {
  std::string text = "[";
  while (text.size() < (1u << 20) + 1000) text += R"({"a":1,"b":[true,null,"x\n"]},)";
  text += "0]";
  Parser parser;
  auto const root = parser.parse(text);
  ASSERT_TRUE(root) << root.error().context;
  std::size_t count = 0;
  for (Value const element : root->elements()) count += element.is_object();
  EXPECT_EQ(count, (text.size() - 3) / 30);
  text[text.size() - 3] = '#';
  EXPECT_FALSE(parser.parse(text));
}

}  // namespace
}  // namespace headrace::codec::json
