// SPDX-License-Identifier: Apache-2.0
#include "documents/where.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <compare>

#include "base/utf8.h"

namespace headrace::documents {

using base::Error;
using base::ErrorCode;
using base::Result;
using codec::record::Scalar;

namespace {

constexpr std::string_view kOperatorNames[] = {"=", "!=", "<", "<=", ">", ">="};

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_segment(char c) {
  return is_letter(c) || is_digit(c) || static_cast<unsigned char>(c) >= 0x80 ||
         std::string_view("_-$@:/").find(c) != std::string_view::npos;
}

void append_utf8(std::string& out, std::uint32_t code) {
  auto const put = [&out](std::uint32_t byte) { out += static_cast<char>(byte); };
  if (code < 0x80) return put(code);
  if (code < 0x800) {
    put(0xC0 | code >> 6);
  } else if (code < 0x10000) {
    put(0xE0 | code >> 12);
    put(0x80 | (code >> 6 & 0x3F));
  } else {
    put(0xF0 | code >> 18);
    put(0x80 | (code >> 12 & 0x3F));
    put(0x80 | (code >> 6 & 0x3F));
  }
  put(0x80 | (code & 0x3F));
}

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Result<Where> parse() {
    Where where;
    skip_blanks();
    if (at_end()) return where;
    for (;;) {
      if (where.size() == kWhereConditionsMax)
        return refuse(at_, fmt::format("more than {} conditions", kWhereConditionsMax));
      HEADRACE_TRY(Condition condition, parse_condition());
      where.push_back(std::move(condition));
      skip_blanks();
      if (at_end()) return where;
      if (!take_word("and")) return expected("\"and\" or the end");
      skip_blanks();
    }
  }

 private:
  bool at_end() const { return at_ == text_.size(); }
  char peek() const { return at_end() ? '\0' : text_[at_]; }
  void skip_blanks() {
    while (!at_end() && is_blank(text_[at_])) ++at_;
  }
  bool take(std::string_view token) {
    if (!text_.substr(at_).starts_with(token)) return false;
    at_ += token.size();
    return true;
  }
  // A word ends where a name would.
  bool take_word(std::string_view word) {
    std::string_view const rest = text_.substr(at_);
    if (!rest.starts_with(word)) return false;
    if (rest.size() > word.size() && (is_segment(rest[word.size()]) || rest[word.size()] == '.'))
      return false;
    at_ += word.size();
    return true;
  }

  static Error refuse(std::size_t at, std::string_view what) {
    return {ErrorCode::kInvalidArgument, fmt::format("where: at byte {}: {}", at, what)};
  }
  Error expected(std::string_view wanted) const {
    if (at_end()) return refuse(at_, fmt::format("expected {}, found the end", wanted));
    std::size_t end = at_;
    while (end < text_.size() && end - at_ < 20 && !is_blank(text_[end])) ++end;
    return refuse(at_, fmt::format("expected {}, found '{}'", wanted,
                                   text_.substr(at_, std::max<std::size_t>(1, end - at_))));
  }

  Result<Condition> parse_condition() {
    Condition condition;
    HEADRACE_TRY(condition.path, parse_path());
    skip_blanks();
    std::size_t const operator_at = at_;
    HEADRACE_TRY(condition.op, parse_operator());
    skip_blanks();
    HEADRACE_TRY(condition.literal, parse_literal());
    bool const ordered = condition.op != Operator::kEqual && condition.op != Operator::kNotEqual;
    bool const orderless = std::holds_alternative<bool>(condition.literal) ||
                           std::holds_alternative<std::nullptr_t>(condition.literal);
    if (ordered && orderless)
      return refuse(operator_at,
                    fmt::format("true, false and null know only = and !=, not {}",
                                kOperatorNames[static_cast<std::size_t>(condition.op)]));
    return condition;
  }

  Result<std::string> parse_path() {
    std::size_t const begin = at_;
    for (;;) {
      std::size_t const segment = at_;
      while (!at_end() && is_segment(text_[at_])) ++at_;
      if (at_ == segment)
        return expected(at_ == begin ? "a field (like data.height)" : "a field name after '.'");
      if (peek() != '.') return std::string(text_.substr(begin, at_ - begin));
      ++at_;
    }
  }

  Result<Operator> parse_operator() {
    if (take("!=")) return Operator::kNotEqual;
    if (take("<=")) return Operator::kLessOrEqual;
    if (take(">=")) return Operator::kGreaterOrEqual;
    if (take("=")) return Operator::kEqual;
    if (take("<")) return Operator::kLess;
    if (take(">")) return Operator::kGreater;
    return expected("one of = != < <= > >=");
  }

  Result<Scalar> parse_literal() {
    if (peek() == '"') {
      HEADRACE_TRY(std::string text, parse_string());
      return Scalar(std::move(text));
    }
    if (peek() == '-' || is_digit(peek())) return parse_number();
    if (take_word("true")) return Scalar(true);
    if (take_word("false")) return Scalar(false);
    if (take_word("null")) return Scalar(nullptr);
    return expected("a number, a string in double quotes, true, false or null");
  }

  void take_digits() {
    while (is_digit(peek())) ++at_;
  }

  Result<Scalar> parse_number() {
    std::size_t const begin = at_;
    bool whole = true;
    if (peek() == '-') ++at_;
    if (!is_digit(peek())) return expected("a digit");
    if (peek() == '0')
      ++at_;
    else
      take_digits();
    if (peek() == '.') {
      whole = false;
      ++at_;
      if (!is_digit(peek())) return expected("a digit");
      take_digits();
    }
    if (peek() == 'e' || peek() == 'E') {
      whole = false;
      ++at_;
      if (peek() == '+' || peek() == '-') ++at_;
      if (!is_digit(peek())) return expected("a digit");
      take_digits();
    }
    if (!at_end() && !is_blank(peek())) return expected("a blank or the end after a number");
    return convert_number(begin, whole);
  }

  Result<Scalar> convert_number(std::size_t begin, bool whole) const {
    char const* const first = text_.data() + begin;
    char const* const last = text_.data() + at_;
    if (whole) {
      std::int64_t as_signed = 0;
      if (std::from_chars(first, last, as_signed).ec == std::errc()) return Scalar(as_signed);
      std::uint64_t as_unsigned = 0;
      if (*first != '-' && std::from_chars(first, last, as_unsigned).ec == std::errc())
        return Scalar(as_unsigned);
    }
    double as_double = 0;
    if (std::from_chars(first, last, as_double).ec != std::errc())
      return refuse(begin, "number out of the range of a double");
    return Scalar(as_double);
  }

  Result<std::string> parse_string() {
    std::size_t const begin = at_++;
    std::string out;
    for (;;) {
      if (at_end()) return refuse(begin, "string without its closing '\"'");
      char const c = text_[at_];
      if (c == '"') {
        ++at_;
        return out;
      }
      if (static_cast<unsigned char>(c) < 0x20)
        return refuse(at_, "control character in a string; write \\u00XX");
      if (c == '\\') {
        HEADRACE_TRY_VOID(parse_escape(out));
        continue;
      }
      out += c;
      ++at_;
    }
  }

  Result<void> parse_escape(std::string& out) {
    constexpr std::string_view kNames = "\"\\/bfnrt", kValues = "\"\\/\b\f\n\r\t";
    std::size_t const begin = at_++;
    if (auto const known = kNames.find(peek()); !at_end() && known != std::string_view::npos) {
      out += kValues[known];
      ++at_;
      return {};
    }
    if (peek() != 'u')
      return refuse(begin,
                    "unknown escape; expected one of \\\" \\\\ \\/ \\b \\f \\n \\r \\t \\uXXXX");
    ++at_;
    HEADRACE_TRY(std::uint32_t code, parse_hex4());
    if (code >= 0xDC00 && code < 0xE000) return refuse(begin, "low surrogate without its high one");
    if (code >= 0xD800 && code < 0xDC00) {
      if (!take("\\u")) return refuse(begin, "high surrogate without its low one");
      HEADRACE_TRY(std::uint32_t const low, parse_hex4());
      if (low < 0xDC00 || low >= 0xE000) return refuse(begin, "high surrogate without its low one");
      code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    }
    append_utf8(out, code);
    return {};
  }

  Result<std::uint32_t> parse_hex4() {
    std::uint32_t code = 0;
    std::string_view const digits = text_.substr(at_, 4);
    auto const [end, error] =
        std::from_chars(digits.data(), digits.data() + digits.size(), code, 16);
    if (digits.size() != 4 || error != std::errc() || end != digits.data() + 4)
      return expected("four hexadecimal digits");
    at_ += 4;
    return code;
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

std::partial_ordering compare(std::int64_t a, std::uint64_t b) {
  if (a < 0) return std::partial_ordering::less;
  return static_cast<std::uint64_t>(a) <=> b;
}

// Exact: no integer is rounded to a double.
template <class Integer>
std::partial_ordering compare(Integer a, double b) {
  if (std::isnan(b)) return std::partial_ordering::unordered;
  double const above = std::is_signed_v<Integer> ? 0x1p63 : 0x1p64;
  double const lowest = std::is_signed_v<Integer> ? -0x1p63 : 0.0;
  if (b >= above) return std::partial_ordering::less;
  if (b < lowest) return std::partial_ordering::greater;
  double const floor = std::floor(b);
  auto const whole = static_cast<Integer>(floor);
  if (a != whole) return a <=> whole;
  return floor < b ? std::partial_ordering::less : std::partial_ordering::equivalent;
}

std::partial_ordering reverse(std::partial_ordering order) { return 0 <=> order; }

// nullopt: of different kinds.
struct Compare {
  using Answer = std::optional<std::partial_ordering>;
  Answer operator()(std::nullptr_t, std::nullptr_t) const {
    return std::partial_ordering::equivalent;
  }
  Answer operator()(bool a, bool b) const { return a <=> b; }
  Answer operator()(std::string const& a, std::string const& b) const { return a <=> b; }
  Answer operator()(std::int64_t a, std::int64_t b) const { return a <=> b; }
  Answer operator()(std::uint64_t a, std::uint64_t b) const { return a <=> b; }
  Answer operator()(double a, double b) const { return a <=> b; }
  Answer operator()(std::int64_t a, std::uint64_t b) const { return compare(a, b); }
  Answer operator()(std::uint64_t a, std::int64_t b) const { return reverse(compare(b, a)); }
  Answer operator()(std::int64_t a, double b) const { return compare(a, b); }
  Answer operator()(std::uint64_t a, double b) const { return compare(a, b); }
  Answer operator()(double a, std::int64_t b) const { return reverse(compare(b, a)); }
  Answer operator()(double a, std::uint64_t b) const { return reverse(compare(b, a)); }
  template <class A, class B>
  Answer operator()(A const&, B const&) const {
    return std::nullopt;
  }
};

void append_quoted(std::string& out, std::string_view text) {
  out += '"';
  for (char const c : text) {
    if (c == '"' || c == '\\')
      (out += '\\') += c;
    else if (static_cast<unsigned char>(c) < 0x20)
      fmt::format_to(std::back_inserter(out), "\\u{:04x}", c);
    else
      out += c;
  }
  out += '"';
}

struct Render {
  std::string& out;
  void operator()(std::nullptr_t) const { out += "null"; }
  void operator()(bool value) const { out += value ? "true" : "false"; }
  void operator()(std::int64_t value) const {
    fmt::format_to(std::back_inserter(out), "{}", value);
  }
  void operator()(std::uint64_t value) const {
    fmt::format_to(std::back_inserter(out), "{}", value);
  }
  void operator()(double value) const {
    std::string text = fmt::format("{}", value);
    if (text.find_first_of(".en") == std::string::npos)
      text += ".0";  // stays a double when it is read again
    out += text;
  }
  void operator()(std::string const& value) const { append_quoted(out, value); }
};

}  // namespace

Result<Where> parse_where(std::string_view text) {
  if (text.size() > kWhereBytesMax)
    return Error{ErrorCode::kInvalidArgument,
                 fmt::format("where: {} bytes; the bound is {}", text.size(), kWhereBytesMax)};
  if (auto const bad = base::find_invalid_utf8(text))
    return Error{ErrorCode::kInvalidArgument, fmt::format("where: at byte {}: not UTF-8", *bad)};
  return Parser(text).parse();
}

std::string to_string(Where const& where) {
  std::string out;
  for (Condition const& condition : where) {
    if (!out.empty()) out += " and ";
    out += condition.path;
    fmt::format_to(std::back_inserter(out), " {} ",
                   kOperatorNames[static_cast<std::size_t>(condition.op)]);
    std::visit(Render{out}, condition.literal);
  }
  return out;
}

bool meets(Scalar const& value, Condition const& condition) {
  auto const order = std::visit(Compare{}, value, condition.literal);
  if (!order) return condition.op == Operator::kNotEqual;
  switch (condition.op) {
    case Operator::kEqual: return *order == 0;
    case Operator::kNotEqual: return *order != 0;
    case Operator::kLess: return *order < 0;
    case Operator::kLessOrEqual: return *order <= 0;
    case Operator::kGreater: return *order > 0;
    case Operator::kGreaterOrEqual: return *order >= 0;
  }
  return false;
}

bool meets(codec::record::Body const& body, Where const& where) {
  for (Condition const& condition : where) {
    auto const value = body.find(condition.path);
    if (!value || !meets(*value, condition)) return false;
  }
  return true;
}

}  // namespace headrace::documents
