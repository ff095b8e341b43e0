// SPDX-License-Identifier: Apache-2.0
#include "api/impl/parameters.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "ingest/type_table.h"

namespace headrace::api {
namespace {

base::Error wrong(std::string what) { return {base::ErrorCode::kInvalidArgument, std::move(what)}; }

template <class T>
std::optional<T> whole(std::string_view text) {
  T value{};
  auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

base::Result<Parameters> Parameters::read(net::RequestHead const& head,
                                          std::initializer_list<std::string_view> known) {
  Parameters parameters;
  HEADRACE_TRY(parameters.all_, head.parameters());
  for (auto const& [name, value] : parameters.all_) {
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    auto const near = ingest::nearest(name, {known.begin(), known.end()});
    if (!near.empty())
      return wrong(fmt::format("unknown parameter '{}'; nearest: '{}'", name, near));
    if (known.size() == 0)
      return wrong(fmt::format("unknown parameter '{}'; there are none", name));
    return wrong(
        fmt::format("unknown parameter '{}'; expected one of {}", name, fmt::join(known, ", ")));
  }
  return parameters;
}

base::Result<std::optional<std::string>> Parameters::one(std::string_view name) const {
  std::optional<std::string> found;
  for (auto const& [key, value] : all_) {
    if (key != name) continue;
    if (found) return wrong(fmt::format("{}: given twice", name));
    found = value;
  }
  return found;
}

base::Result<std::string> Parameters::text(std::string_view name) const {
  HEADRACE_TRY(auto value, one(name));
  return std::move(value).value_or("");
}

std::vector<std::string> Parameters::list(std::string_view name) const {
  std::vector<std::string> items;
  for (auto const& [key, value] : all_) {
    if (key != name) continue;
    for (std::size_t from = 0; from <= value.size();) {
      auto const comma = std::min(value.find(',', from), value.size());
      if (comma > from) items.push_back(value.substr(from, comma - from));
      from = comma + 1;
    }
  }
  return items;
}

base::Result<std::optional<base::Timestamp>> Parameters::time(std::string_view name) const {
  HEADRACE_TRY(auto const value, one(name));
  if (!value || value->empty()) return std::optional<base::Timestamp>();
  if (auto const ns = whole<std::int64_t>(*value)) return std::optional(base::Timestamp{*ns});
  auto text = *value;
  if (auto const blank = text.rfind(' '); blank != std::string::npos && blank > 10)
    text[blank] = '+';  // a "+" that was not escaped
  auto const time = base::parse_rfc3339(text);
  if (time) return std::optional(*time);
  return wrong(fmt::format(
      "{}: '{}': expected a time as RFC 3339 or in whole nanoseconds since 1970", name, *value));
}

base::Result<std::size_t> Parameters::number(std::string_view name, std::size_t otherwise,
                                             std::size_t least, std::size_t most) const {
  HEADRACE_TRY(auto const value, one(name));
  if (!value) return otherwise;
  auto const number = whole<std::size_t>(*value);
  if (number && *number >= least && *number <= most) return *number;
  return wrong(
      fmt::format("{}: '{}': expected a whole number within {}..{}", name, *value, least, most));
}

base::Result<std::optional<bool>> Parameters::flag(std::string_view name) const {
  HEADRACE_TRY(auto const value, one(name));
  if (!value) return std::optional<bool>();
  if (*value == "true" || *value == "1") return std::optional(true);
  if (*value == "false" || *value == "0") return std::optional(false);
  return wrong(fmt::format("{}: '{}': expected true or false", name, *value));
}

}  // namespace headrace::api
