// SPDX-License-Identifier: Apache-2.0
// For tests: whether a value has the shape that a JSON Schema says; the keywords that openapi.json
// uses and no others.
//   Threads: pure.
#pragma once

#include <string>

#include "codec/json/json.h"

namespace headrace::api {

// "" or what does not fit, with the path to it. `root` is the document that holds the `$ref`s.
inline std::string check_schema(codec::json::Value root, codec::json::Value schema,
                                codec::json::Value value, std::string const& at = "$") {
  using codec::json::Kind;
  std::string scratch, other;
  if (auto const ref = schema.find("$ref")) {
    std::string const path(ref->text(scratch));
    auto const target =
        root.find("components")->find("schemas")->find(path.substr(path.rfind('/') + 1));
    return target ? check_schema(root, *target, value, at) : at + ": no schema " + path;
  }
  if (auto const choices = schema.find("oneOf")) {
    std::string why;
    for (auto const choice : choices->elements()) {
      auto const fit = check_schema(root, choice, value, at);
      if (fit.empty()) return "";
      why += " | " + fit;
    }
    return at + ": fits none of oneOf:" + why;
  }
  if (auto const allowed = schema.find("enum")) {
    bool found = false;
    for (auto const one : allowed->elements())
      found = found || one.text(scratch) == value.text(other);
    if (!found) return at + ": '" + std::string(value.text(other)) + "' is not in the enum";
  }
  auto const type_value = schema.find("type");
  if (!type_value) return "";
  std::string const type(type_value->text(scratch));
  auto const kind = value.kind();
  bool const integer = kind == Kind::kInt64 || kind == Kind::kUint64;
  bool const fits =
      (type == "object" && value.is_object()) || (type == "array" && value.is_array()) ||
      (type == "string" && value.is_string()) || (type == "null" && value.is_null()) ||
      (type == "integer" && integer) || (type == "number" && value.is_number()) ||
      (type == "boolean" && value.as_bool().has_value());
  if (!fits) return at + ": expected " + type + ", got " + std::string(codec::tape::name(kind));
  if (auto const minimum = schema.find("minimum");
      minimum && value.as_double() < minimum->as_double())
    return at + ": below the minimum";
  if (value.is_array())
    if (auto const items = schema.find("items"))
      for (auto const element : value.elements())
        if (auto const why = check_schema(root, *items, element, at + "[]"); !why.empty())
          return why;
  if (!value.is_object()) return "";
  if (auto const required = schema.find("required"))
    for (auto const name : required->elements())
      if (!value.find(name.text(scratch)))
        return at + ": '" + std::string(name.text(scratch)) + "' is missing";
  auto const properties = schema.find("properties");
  for (auto const [key, member] : value.members()) {
    std::string const name(key.text(scratch));
    auto const property = properties ? properties->find(name) : std::nullopt;
    if (!property) {
      if (schema.find("additionalProperties")) return at + ": '" + name + "' is not described";
      continue;
    }
    if (auto const why = check_schema(root, *property, member, at + "." + name); !why.empty())
      return why;
  }
  return "";
}

}  // namespace headrace::api
