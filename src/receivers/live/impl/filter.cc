// SPDX-License-Identifier: Apache-2.0
#include "receivers/live/impl/filter.h"

#include <fmt/format.h>

#include <algorithm>

#include "codec/json/json.h"
#include "ingest/type_table.h"

namespace headrace::receivers::live {
namespace {

base::Error wrong(std::string what) { return {base::ErrorCode::kInvalidArgument, std::move(what)}; }

void sort_unique(std::vector<std::string>& names) {
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
}

bool has(std::vector<std::string> const& sorted, std::string_view name) {
  return sorted.empty() || std::binary_search(sorted.begin(), sorted.end(), name, std::less<>());
}

base::Result<void> check_type(std::string_view where, std::string_view type,
                              std::span<std::string const> known) {
  if (std::find(known.begin(), known.end(), type) != known.end()) return {};
  auto const near = ingest::nearest(type, {known.begin(), known.end()});
  return wrong(fmt::format("{}: unknown data type '{}'{}", where, type,
                           near.empty()
                               ? fmt::format("; expected one of {}", fmt::join(known, ", "))
                               : fmt::format("; nearest: '{}'", near)));
}

void add_parts(std::vector<std::string>& to, std::string_view list) {
  while (!list.empty()) {
    auto const comma = list.find(',');
    if (auto const part = list.substr(0, comma); !part.empty()) to.emplace_back(part);
    if (comma == std::string_view::npos) return;
    list.remove_prefix(comma + 1);
  }
}

base::Result<void> take_names(codec::tape::Value list, std::string_view where,
                              std::vector<std::string>& to) {
  if (!list.is_array())
    return wrong(fmt::format("{}: expected an array of strings, got {}", where,
                             codec::tape::name(list.kind())));
  std::string scratch;
  for (auto const item : list.elements()) {
    auto const text = item.as_string(scratch);
    if (!text)
      return wrong(fmt::format("{}[{}]: expected a string, got {}", where, to.size(),
                               codec::tape::name(item.kind())));
    if (to.size() == kFilterNamesMax)
      return wrong(fmt::format("{}: more than {} names", where, kFilterNamesMax));
    to.emplace_back(*text);
  }
  return {};
}

base::Result<void> take_member(codec::tape::Member const& member, Filter& filter) {
  std::string scratch;
  std::string const key(member.key.text(scratch));
  if (key == "types") return take_names(member.value, "filter.types", filter.types);
  if (key == "sources") return take_names(member.value, "filter.sources", filter.sources);
  if (key != "messages")
    return wrong(fmt::format("filter.{}: unknown key; expected types, sources or messages", key));
  auto const flag = member.value.as_bool();
  if (!flag)
    return wrong(fmt::format("filter.messages: expected a boolean, got {}",
                             codec::tape::name(member.value.kind())));
  filter.messages = *flag;
  return {};
}

}  // namespace

bool Filter::wants(std::string_view type, std::string_view source) const {
  return messages && has(types, type) && has(sources, source);
}

base::Result<Filter> filter_of_query(net::RequestHead const& head,
                                     std::span<std::string const> known_types) {
  Filter filter;
  HEADRACE_TRY(auto const parameters, head.parameters());
  for (auto const& [name, value] : parameters) {
    if (name == "type") {
      add_parts(filter.types, value);
    } else if (name == "source") {
      add_parts(filter.sources, value);
    } else if (name == "messages") {
      if (value != "0" && value != "1")
        return wrong(fmt::format("messages: expected 0 or 1, got '{}'", value));
      filter.messages = value == "1";
    } else if (name != "access_token") {
      return wrong(fmt::format(
          "unknown parameter '{}'; expected type, source, messages or access_token", name));
    }
  }
  if (filter.types.size() + filter.sources.size() > kFilterNamesMax)
    return wrong(fmt::format("more than {} names", kFilterNamesMax));
  for (auto const& type : filter.types) HEADRACE_TRY_VOID(check_type("type", type, known_types));
  sort_unique(filter.types);
  sort_unique(filter.sources);
  return filter;
}

base::Result<Filter> filter_of_frame(std::string_view json,
                                     std::span<std::string const> known_types) {
  codec::json::Parser parser(
      {.nesting_max = 8, .recorded_depth = 8, .values_max = 4 * kFilterNamesMax});
  HEADRACE_TRY(auto const root, parser.parse(json));
  auto const object = root.find("filter");
  if (!object || !object->is_object())
    return wrong("expected {\"filter\":{\"types\":[...],\"sources\":[...]}}");
  Filter filter;
  for (auto const& member : object->members()) HEADRACE_TRY_VOID(take_member(member, filter));
  for (std::size_t i = 0; i < filter.types.size(); ++i)
    HEADRACE_TRY_VOID(check_type(fmt::format("filter.types[{}]", i), filter.types[i], known_types));
  sort_unique(filter.types);
  sort_unique(filter.sources);
  return filter;
}

}  // namespace headrace::receivers::live
