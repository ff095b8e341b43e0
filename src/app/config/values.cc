// SPDX-License-Identifier: Apache-2.0
#include "app/config/values.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <limits>
#include <optional>

#include "app/config/settings.h"
#include "base/clock.h"

namespace headrace::app {
namespace {

base::Error wrong(std::string what) { return {base::ErrorCode::kInvalidArgument, std::move(what)}; }

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};
constexpr Unit kSizeUnits[] = {{"", 1},
                               {"B", 1},
                               {"KB", 1000},
                               {"MB", 1000'000},
                               {"GB", 1000'000'000},
                               {"TB", 1000'000'000'000},
                               {"KiB", 1ull << 10},
                               {"MiB", 1ull << 20},
                               {"GiB", 1ull << 30},
                               {"TiB", 1ull << 40},
                               {"PiB", 1ull << 50}};
constexpr Unit kTimeUnits[] = {{"ns", 1},
                               {"us", 1000},
                               {"ms", 1000'000},
                               {"s", 1000'000'000},
                               {"m", 60'000'000'000},
                               {"h", 3600'000'000'000},
                               {"d", 86400'000'000'000}};

template <std::size_t kCount>
base::Result<std::uint64_t> parse_with_unit(std::string_view text, Unit const (&units)[kCount],
                                            std::string_view example) {
  std::uint64_t number = 0;
  auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  auto const unit = text.substr(static_cast<std::size_t>(end - text.data()));
  if (error == std::errc::result_out_of_range) return wrong("the number is too large");
  if (error == std::errc{})
    for (auto const& [name, factor] : units) {
      if (name != unit) continue;
      if (number > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()) / factor)
        return wrong("the number is too large");
      return number * factor;
    }
  return wrong(fmt::format("expected {}", example));
}

// A bound of `key` as a number in the value's own unit.
std::optional<std::int64_t> number_of(KeyKind kind, std::string_view text) {
  if (text.empty()) return std::nullopt;
  if (kind == KeyKind::kInteger) return parse_integer(text).value();
  if (kind == KeyKind::kSize) return static_cast<std::int64_t>(parse_size(text).value());
  return parse_time_span(text).value().count();
}

base::Result<void> check_bounds(Key const& key, std::int64_t value) {
  auto const dots = key.bounds.find("..");
  if (dots == std::string_view::npos) return {};
  auto const least = number_of(key.kind, key.bounds.substr(0, dots));
  auto const most = number_of(key.kind, key.bounds.substr(dots + 2));
  if ((!least || value >= *least) && (!most || value <= *most)) return {};
  return wrong(
      fmt::format("out of bounds; expected {} within {}", kind_name(key.kind), key.bounds));
}

base::Result<void> check_choice(Key const& key, std::string_view text) {
  auto const choices = split(key.bounds, '|');
  if (std::find(choices.begin(), choices.end(), text) != choices.end()) return {};
  auto const near = nearest(text, choices);
  return wrong(fmt::format("expected one of {}{}", fmt::join(choices, ", "),
                           near ? fmt::format("; nearest: '{}'", *near) : std::string()));
}

base::Result<void> check_name(std::string_view text) {
  bool const good =
      !text.empty() && text.size() <= 64 && text.front() >= 'a' && text.front() <= 'z' &&
      std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
      });
  if (good) return {};
  return wrong(
      "expected a name: lower-case letters, digits, _ and -, beginning with a letter, at most 64");
}

}  // namespace

base::Result<std::uint64_t> parse_size(std::string_view text) {
  return parse_with_unit(text, kSizeUnits,
                         "a size: a whole number with B, KB, MB, GB, TB, KiB, MiB, GiB or TiB");
}

base::Result<std::chrono::nanoseconds> parse_time_span(std::string_view text) {
  auto const number =
      parse_with_unit(text, kTimeUnits, "a duration: a whole number with ns, us, ms, s, m, h or d");
  if (!number) return number.error();
  return std::chrono::nanoseconds(*number);
}

base::Result<std::int64_t> parse_integer(std::string_view text) {
  std::int64_t number = 0;
  auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc{} && end == text.data() + text.size()) return number;
  return wrong("expected a whole number");
}

base::Result<bool> parse_bool(std::string_view text) {
  if (text == "true") return true;
  if (text == "false") return false;
  return wrong("expected true or false");
}

base::Result<ListenAddress> parse_listen(std::string_view text) {
  auto const bad = [&] { return wrong("expected host:port, as 127.0.0.1:8080 or [::1]:8080"); };
  auto const colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return bad();
  auto host = text.substr(0, colon);
  bool const bracketed = host.front() == '[';
  if (bracketed) {
    if (host.size() < 3 || host.back() != ']') return bad();
    host = host.substr(1, host.size() - 2);
  } else if (host.find_first_of(":[] \t/") != std::string_view::npos) {
    return bad();
  }
  auto const port = parse_integer(text.substr(colon + 1));
  if (!port) return bad();
  if (*port < 0 || *port > 65535) return wrong("expected a port within 0..65535");
  return ListenAddress{std::string(host), static_cast<std::uint16_t>(*port)};
}

std::string to_string(ListenAddress const& address) {
  bool const six = address.host.find(':') != std::string::npos;
  return fmt::format("{}{}{}:{}", six ? "[" : "", address.host, six ? "]" : "", address.port);
}

bool is_loopback(std::string_view host) {
  return host == "localhost" || host == "::1" ||
         (host.starts_with("127.") && host.find_first_not_of("0123456789.") == host.npos);
}

bool clashes(ListenAddress const& a, ListenAddress const& b) {
  auto const any = [](std::string const& host) {
    return host == "0.0.0.0" || host == "::" || host == "*";
  };
  return a.port != 0 && a.port == b.port && (a.host == b.host || any(a.host) || any(b.host));
}

base::Result<std::string> expand(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    if (text.substr(i).starts_with("$${")) {
      out += "${";
      i += 3;
      continue;
    }
    auto const end = text.substr(i).starts_with("${") ? text.find('}', i) : std::string_view::npos;
    if (end == std::string_view::npos) {
      out += text[i++];
      continue;
    }
    std::string const name(text.substr(i + 2, end - i - 2));
    auto const* value = std::getenv(name.c_str());
    if (value == nullptr)
      return base::Error{base::ErrorCode::kNotFound,
                         fmt::format("the environment has no '{}'", name)};
    out += value;
    i = end + 1;
  }
  return out;
}

base::Result<void> check_value(Key const& key, std::string_view text) {
  switch (key.kind) {
    case KeyKind::kText:
    case KeyKind::kPath:
    case KeyKind::kSecret:
    case KeyKind::kTextList: return {};
    case KeyKind::kName:
    case KeyKind::kNameList: return check_name(text);
    case KeyKind::kChoice: return check_choice(key, text);
    case KeyKind::kBool: {
      HEADRACE_TRY_VOID(parse_bool(text));
      return {};
    }
    case KeyKind::kListen: {
      HEADRACE_TRY_VOID(parse_listen(text));
      return {};
    }
    case KeyKind::kInteger: {
      HEADRACE_TRY(auto const number, parse_integer(text));
      return check_bounds(key, number);
    }
    case KeyKind::kSize: {
      HEADRACE_TRY(auto const size, parse_size(text));
      return check_bounds(key, static_cast<std::int64_t>(size));
    }
    case KeyKind::kDuration: {
      HEADRACE_TRY(auto const span, parse_time_span(text));
      return check_bounds(key, span.count());
    }
  }
  return {};
}

}  // namespace headrace::app
