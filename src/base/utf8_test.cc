// SPDX-License-Identifier: Apache-2.0
#include "base/utf8.h"

#include <gtest/gtest.h>

#include "base/base64.h"
#include "base/random.h"

namespace headrace::base {
namespace {

TEST(Utf8, FindsTheFirstByteThatIsWrong) {
  struct Case {
    std::string_view text;
    std::optional<std::size_t> at;
  };
  for (auto const& c :
       {Case{"", {}}, Case{"abc", {}}, Case{"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80", {}},
        Case{"\xEF\xBF\xBF", {}}, Case{"\xF4\x8F\xBF\xBF", {}}, Case{"ab\x80", 2},
        Case{"\xC1\xBF", 0}, Case{"a\xE0\x9F\xBF", 1}, Case{"\xED\xA0\x80", 0},
        Case{"\xF0\x8F\xBF\xBF", 0}, Case{"\xF4\x90\x80\x80", 0}, Case{"\xF5\x80\x80\x80", 0},
        Case{"\xC3\xA9\xE2\x82", 2}, Case{"\xC3", 0}, Case{"\xE2\x82z", 0}}) {
    EXPECT_EQ(find_invalid_utf8(c.text), c.at);
    EXPECT_EQ(valid_utf8(c.text), !c.at.has_value());
  }
}

TEST(Utf8, BothChecksAgreeOnRandomBytes) {
  Random random(11);
  constexpr std::string_view kPieces[] = {"a",    "\xC3", "\xA9", "\xE2",        "\x82",
                                          "\xAC", "\xF0", "\x9F", "\x98",        "\x80",
                                          "\xED", "\xF4", "\xE0", "\xEF\xBF\xBD"};
  for (int i = 0; i < 50'000; ++i) {
    std::string text;
    for (std::size_t n = random.below(9); n > 0; --n)
      text += kPieces[random.below(std::size(kPieces))];
    ASSERT_EQ(valid_utf8(text), !find_invalid_utf8(text).has_value()) << i;
  }
}

TEST(Base64, KnownValuesBothWays) {
  struct Case {
    std::string_view bytes, text;
  };
  for (auto const& c : {Case{"", ""}, Case{"f", "Zg=="}, Case{"fo", "Zm8="}, Case{"foo", "Zm9v"},
                        Case{"foob", "Zm9vYg=="}, Case{"\xFB\xFF\xFE", "+//+"}}) {
    std::string text;
    append_base64(text, as_bytes(c.bytes));
    EXPECT_EQ(text, c.text);
    EXPECT_EQ(decode_base64(c.text), c.bytes);
  }
  for (std::string_view const bad :
       {"Z", "Zg", "Zg=", "Zh==", "Zm9=", "Zm9v=", "====", "Z===", "Zg==Zg==", "Zm-_", "Zm9v\n"})
    EXPECT_FALSE(decode_base64(bad)) << bad;
}

}  // namespace
}  // namespace headrace::base
