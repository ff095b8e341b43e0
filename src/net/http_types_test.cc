// SPDX-License-Identifier: Apache-2.0
#include "net/http_types.h"

#include <gtest/gtest.h>

#include "net/url.h"

namespace headrace::net {
namespace {

TEST(RequestHead, Parameters) {
  RequestHead head;
  head.query = "a=1&b=x%20y+z&empty=&flag&a=2&b%61d=%zz&&=v";
  EXPECT_EQ(head.parameter("a"), "1");
  EXPECT_EQ(head.parameter("b"), "x y z");
  EXPECT_EQ(head.parameter("empty"), "");
  EXPECT_EQ(head.parameter("flag"), "");
  EXPECT_EQ(head.parameter("nothing"), std::nullopt);
  EXPECT_EQ(head.parameter("bad"), std::nullopt);
  EXPECT_FALSE(head.parameters().has_value());
  head.query = "a=1&a=2";
  EXPECT_EQ(head.parameters()->size(), 2u);
}

TEST(RequestHead, HeadersAndTokens) {
  HeaderView const headers[] = {{"Content-Type", "Application/JSON; charset=utf-8"},
                                {"AUTHORIZATION", "bearer  abc "}};
  RequestHead head;
  head.headers = headers;
  EXPECT_EQ(head.content_type(), "application/json");
  EXPECT_EQ(head.bearer_token(), "abc");
  EXPECT_TRUE(list_has_token("gzip , Chunked", "chunked"));
  EXPECT_FALSE(list_has_token("gzip-chunked", "chunked"));
}

TEST(AppendJsonString, Table) {
  struct Case {
    std::string_view text, want;
  };
  Case const cases[] = {
      {"", R"("")"},
      {"a\"b\\c\n\x01", R"("a\"b\\c\n\u0001")"},
      {"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", "\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\""},
      {"\xc3", "\"\xef\xbf\xbd\""},
      {"\xed\xa0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
      {"\xc0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\""}};
  for (auto const& c : cases) {
    std::string out;
    append_json_string(out, c.text);
    EXPECT_EQ(out, c.want);
  }
}

TEST(PercentEncode, RoundTrip) {
  std::string all;
  for (int c = 0; c < 256; ++c) all += static_cast<char>(c);
  EXPECT_EQ(percent_decode(percent_encode(all), true), all);
  EXPECT_EQ(percent_encode("a b/ä"), "a%20b%2F%C3%A4");
}

TEST(ParseUrl, Table) {
  struct Case {
    char const* text;
    char const* host;  // nullptr: refused
    int port;
    char const* target;
    bool tls;
  };
  Case const cases[] = {{"http://a", "a", 80, "/", false},
                        {"wss://a:8443/x?y=1", "a", 8443, "/x?y=1", true},
                        {"ws://[::1]:80?q", "::1", 80, "/?q", false},
                        {"https://a.b/", "a.b", 443, "/", true},
                        {"a:80", nullptr, 0, "", false},
                        {"http://", nullptr, 0, "", false},
                        {"http://a:", nullptr, 0, "", false},
                        {"http://a:0", nullptr, 0, "", false},
                        {"http://a:65536", nullptr, 0, "", false},
                        {"http://u:p@a", nullptr, 0, "", false},
                        {"http://a/#f", nullptr, 0, "", false},
                        {"http://a/ b", nullptr, 0, "", false},
                        {"http://[::1", nullptr, 0, "", false},
                        {"http://[::1]x", nullptr, 0, "", false}};
  for (auto const& c : cases) {
    SCOPED_TRACE(c.text);
    auto const url = parse_url(c.text);
    ASSERT_EQ(url.has_value(), c.host != nullptr);
    if (!url) continue;
    EXPECT_EQ(url->host, c.host);
    EXPECT_EQ(url->port, c.port);
    EXPECT_EQ(url->target, c.target);
    EXPECT_EQ(url->tls, c.tls);
  }
}

TEST(ParseListenAddress, Table) {
  struct Case {
    char const *text, *want;
    bool loopback;
  };
  Case const cases[] = {{"127.0.0.1:8080", "127.0.0.1:8080", true},
                        {"[::1]:0", "[::1]:0", true},
                        {"localhost:1", "127.0.0.1:1", true},
                        {":80", "0.0.0.0:80", false},
                        {"[::]:80", "[::]:80", false},
                        {"10.0.0.1:1", "10.0.0.1:1", false},
                        {"127.0.0.1", nullptr, false},
                        {"::1:80", nullptr, false},
                        {"name:80", nullptr, false},
                        {"127.0.0.1:99999", nullptr, false}};
  for (auto const& c : cases) {
    SCOPED_TRACE(c.text);
    auto const address = parse_listen_address(c.text);
    ASSERT_EQ(address.has_value(), c.want != nullptr);
    if (!address) continue;
    EXPECT_EQ(to_string_with_port(*address), c.want);
    EXPECT_EQ(address->is_loopback(), c.loopback);
  }
}

TEST(ErrorResponse, IsJsonWithTheStatusOfItsCode) {
  auto const busy =
      error_response(base::Error{base::ErrorCode::kOverloaded, "the \"queue\" is full"});
  EXPECT_EQ(busy.status, 503);
  EXPECT_EQ(busy.body, R"({"error":{"code":"overloaded","message":"the \"queue\" is full"}})");
  EXPECT_EQ(busy.headers.back().first, "Retry-After");
}

}  // namespace
}  // namespace headrace::net
