// SPDX-License-Identifier: Apache-2.0
// Writes one JSON object into a string, in the order of the calls. Closes itself when it goes out
// of scope.
//   Threads: one.   Lifetime: an inner object or array ends before the outer one is written to
//            again.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace headrace::agent {

class JsonObject {
 public:
  explicit JsonObject(std::string& out) : out_(out) { out_ += '{'; }
  ~JsonObject() { out_ += '}'; }
  JsonObject(JsonObject const&) = delete;
  JsonObject& operator=(JsonObject const&) = delete;

  void add(std::string_view key, std::string_view value);
  void add(std::string_view key, std::uint64_t value);
  void add(std::string_view key, double value, int digits = 2);  // rounded; not finite is left out
  JsonObject object(std::string_view key) { return JsonObject(begin(key)); }
  // Writes `[`, calls `each` with the text to append elements to, writes `]`.
  template <class Items, class Append>
  void array(std::string_view key, Items const& items, Append const& append) {
    begin(key) += '[';
    bool first = true;
    for (auto const& item : items) {
      if (!first) out_ += ',';
      first = false;
      JsonObject element(out_);
      append(element, item);
    }
    out_ += ']';
  }

 private:
  std::string& begin(std::string_view key);

  std::string& out_;
  bool first_ = true;
};

}  // namespace headrace::agent
