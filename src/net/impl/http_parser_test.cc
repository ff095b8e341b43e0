// SPDX-License-Identifier: Apache-2.0
#include "net/impl/http_parser.h"

#include <gtest/gtest.h>

namespace headrace::net {
namespace {

// Everything the parser says, as text, so that two ways of feeding it can be compared.
struct Feeder {
  HttpParser parser;
  std::string said;
  std::string body;

  explicit Feeder(HttpRole role) : parser(role, {.header_bytes_max = 200, .header_count_max = 4}) {}

  void feed(std::string piece) {
    std::span<char> input(piece);
    while (true) {
      switch (parser.next(input)) {
        case HttpEvent::kNeedMore: parser.keep_head(); return;
        case HttpEvent::kHead: describe(); break;
        case HttpEvent::kBody:
          body.append(parser.body_piece().data(), parser.body_piece().size());
          break;
        case HttpEvent::kEnd: said += "body " + std::exchange(body, {}) + " end\n"; break;
        case HttpEvent::kFault:
          said += "fault " + std::to_string(parser.fault().status) + "\n";
          return;
      }
      if (said.ends_with("end\n") && input.empty()) return;
    }
  }
  void describe() {
    auto const& head = parser.head();
    said += std::string(head.method_name) + " " + std::string(head.target) + " " +
            std::to_string(head.status) + "\n";
    for (auto const& h : head.headers)
      said += std::string(h.name) + "=" + std::string(h.value) + "\n";
  }
};

struct Case {
  char const* name;
  HttpRole role;
  std::string bytes;
  char const* said;
};
auto const kRequest = HttpRole::kRequest;
auto const kResponse = HttpRole::kResponse;
Case const kCases[] = {
    {"bare", kRequest, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET / 0\nHost=a\nbody  end\n"},
    {"blanks around values", kRequest, "GET / HTTP/1.1\r\nHost:a\r\nX: \t y z \r\nE:\r\n\r\n",
     "GET / 0\nHost=a\nX=y z\nE=\nbody  end\n"},
    {"blank lines first", kRequest, "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
     "GET / 0\nHost=a\nbody  end\n"},
    {"length, then another", kRequest,
     "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nxyzGET /b HTTP/1.0\r\n\r\n",
     "POST /a 0\nHost=a\nContent-Length=3\nbody xyz end\nGET /b 0\nbody  end\n"},
    {"chunks", kRequest,
     "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n3\r\nxyz\r\n0A "
     ";e=\"v\"\r\n0123456789\r\n000\r\nT: 1\r\n\r\n",
     "POST /a 0\nHost=a\nTransfer-Encoding=Chunked\nbody xyz0123456789 end\n"},
    {"zero length", kRequest, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
     "POST / 0\nHost=a\nContent-Length=0\nbody  end\n"},
    {"absolute form", kRequest, "GET http://h/x HTTP/1.1\r\nHost: h\r\n\r\n",
     "GET http://h/x 0\nHost=h\nbody  end\n"},
    {"lower case version", kRequest, "GET / http/1.1\r\nHost: a\r\n\r\n", "fault 400\n"},
    {"two blanks", kRequest, "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", "fault 400\n"},
    {"no target", kRequest, "GET HTTP/1.1\r\nHost: a\r\n\r\n", "fault 400\n"},
    {"high byte in target", kRequest, "GET /\xc3\xa4 HTTP/1.1\r\nHost: a\r\n\r\n", "fault 400\n"},
    {"NUL in value", kRequest, std::string("GET / HTTP/1.1\r\nHost: a\0b\r\n\r\n", 29),
     "fault 400\n"},
    {"CR in value", kRequest, "GET / HTTP/1.1\r\nHost: a\rb\r\n\r\n", "fault 400\n"},
    {"bare LF", kRequest, "GET / HTTP/1.1\nHost: a\n\n", "fault 400\n"},
    {"LF at the end only", kRequest, "GET / HTTP/1.1\r\nHost: a\r\n\n", "fault 400\n"},
    {"LF first", kRequest, "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "fault 400\n"},
    {"CR first", kRequest, "\r\n\rX", "fault 400\n"},
    {"folded", kRequest, "GET / HTTP/1.1\r\nHost: a\r\n\tb\r\n\r\n", "fault 400\n"},
    {"no name", kRequest, "GET / HTTP/1.1\r\n: a\r\n\r\n", "fault 400\n"},
    {"1.0 chunked", kRequest, "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
     "fault 400\n"},
    {"negative length", kRequest, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
     "fault 400\n"},
    {"length list", kRequest, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\n",
     "fault 400\n"},
    {"length overflow", kRequest,
     "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 18446744073709551616\r\n\r\n", "fault 400\n"},
    {"empty length", kRequest, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n",
     "fault 400\n"},
    {"chunk size overflow", kRequest,
     "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n10000000000000000\r\n",
     "POST / 0\nHost=a\nTransfer-Encoding=chunked\nfault 400\n"},
    {"chunk with LF", kRequest,
     "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\nx\r\n",
     "POST / 0\nHost=a\nTransfer-Encoding=chunked\nfault 400\n"},
    {"chunk too long", kRequest,
     "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nxy\r\n",
     "POST / 0\nHost=a\nTransfer-Encoding=chunked\nfault 400\n"},
    {"too many headers", kRequest, "GET / HTTP/1.1\r\nHost: a\r\nA:\r\nB:\r\nC:\r\nD:\r\n\r\n",
     "fault 431\n"},
    {"head too long", kRequest,
     "GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(200, 'x') + "\r\n\r\n", "fault 431\n"},
    {"target too long", kRequest, "GET /" + std::string(300, 'x') + " HTTP/1.1\r\nHost: a\r\n\r\n",
     "fault 414\n"},
    {"response", kResponse, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
     "  200\nContent-Length=2\nbody ok end\n"},
    {"no reason", kResponse, "HTTP/1.1 204\r\n\r\n", "  204\nbody  end\n"},
    {"interim", kResponse,
     "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 304 x\r\nContent-Length: 9\r\n\r\n",
     "  100\nbody  end\n  304\nContent-Length=9\nbody  end\n"},
    {"no status", kResponse, "HTTP/1.1 OK\r\n\r\n", "fault 400\n"},
};

TEST(HttpParser, Table) {
  for (auto const& c : kCases) {
    SCOPED_TRACE(c.name);
    Feeder whole(c.role);
    whole.feed(c.bytes);
    EXPECT_EQ(whole.said, c.said);
  }
}

TEST(HttpParser, AnySplitSaysTheSame) {
  for (auto const& c : kCases) {
    SCOPED_TRACE(c.name);
    for (std::size_t at = 1; at < c.bytes.size(); ++at) {
      Feeder halves(c.role);
      halves.feed(c.bytes.substr(0, at));
      if (halves.said.find("fault") == std::string::npos) halves.feed(c.bytes.substr(at));
      ASSERT_EQ(halves.said, c.said) << "split at " << at;
    }
    Feeder bytes(c.role);
    for (char const b : c.bytes) {
      if (bytes.said.find("fault") == std::string::npos) bytes.feed(std::string(1, b));
    }
    EXPECT_EQ(bytes.said, c.said) << "byte by byte";
  }
}

TEST(HttpParser, ABodyUntilCloseEndsWithTheInput) {
  Feeder f(kResponse);
  f.feed("HTTP/1.0 200 OK\r\n\r\nab");
  f.feed("c");
  EXPECT_EQ(f.body, "abc");
  EXPECT_EQ(f.parser.finish(), HttpEvent::kEnd);
  EXPECT_EQ(f.parser.finish(), HttpEvent::kNeedMore);  // between messages
  Feeder cut(kResponse);
  cut.feed("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab");
  EXPECT_EQ(cut.parser.finish(), HttpEvent::kFault);
}

TEST(HttpParser, TrailersAreBounded) {
  Feeder f(kRequest);
  f.feed("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n");
  for (int i = 0; i < 100 && !f.said.ends_with("fault 431\n"); ++i) f.feed("a:b\r\n");
  EXPECT_TRUE(f.said.ends_with("fault 431\n")) << f.said;
}

}  // namespace
}  // namespace headrace::net
