// SPDX-License-Identifier: Apache-2.0
// The files of the web interface, embedded by cmake/EmbedPages.cmake; and openapi.json. Threads:
// constants.
#pragma once

#include <span>
#include <string_view>

namespace headrace::api {

struct Page {
  std::string_view path;  // "/index.html"
  std::string_view content_type;
  std::string_view digest;  // of the contents, hexadecimal
  bool immutable = false;   // its name changes with its contents
  std::string_view plain;
  std::string_view gzip;  // empty: not worth it
};

std::span<Page const> pages();
std::string_view openapi_json();

}  // namespace headrace::api
