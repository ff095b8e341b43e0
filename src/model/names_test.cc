// SPDX-License-Identifier: Apache-2.0
#include "model/names.h"

#include <gtest/gtest.h>

namespace headrace::model {
namespace {

using base::ErrorCode;
using Check = base::Result<void> (*)(std::string_view, Limits const&);

struct Row {
  char const* name;
  Check check;
  std::string text;
  std::string error;  // empty: good
};

std::vector<Row> rows() {
  std::string const type_rule =
      "expected a lower-case letter, then lower-case letters, digits and '_'";
  std::string const text_rule = "expected UTF-8 without control characters";
  return {
      {"data type", check_data_type, "ethereum_metrics2", ""},
      {"data type, empty", check_data_type, "", "data type: empty, expected 1 to 64 bytes"},
      {"data type, digit first", check_data_type, "2x", "data type: '2' at byte 0, " + type_rule},
      {"data type, capital", check_data_type, "aB", "data type: 'B' at byte 1, " + type_rule},
      {"data type, dash", check_data_type, "a-b", "data type: '-' at byte 1, " + type_rule},
      {"data type, longest", check_data_type, std::string(64, 'a'), ""},
      {"data type, too long", check_data_type, std::string(65, 'a'),
       "data type: 65 bytes, expected at most 64"},
      {"source", check_source, "Zähler 7/Küche", ""},
      {"source, control", check_source, "a\nb", "source: byte 0x0a at byte 1, " + text_rule},
      {"source, delete", check_source, "a\x7F", "source: byte 0x7f at byte 1, " + text_rule},
      {"source, C1 control", check_source, "a\xC2\x85",
       "source: byte 0x85 at byte 2, " + text_rule},
      {"source, no-break space", check_source, "a\xC2\xA0", ""},
      {"source, not UTF-8", check_source, "ab\xFF", "source: byte 0xff at byte 2, " + text_rule},
      {"source, too long", check_source, std::string(201, 'a'),
       "source: 201 bytes, expected at most 200"},
      {"id", check_message_id, "a b:c", ""},
      {"id, empty", check_message_id, "", "id: empty, expected 1 to 128 bytes"},
      {"id, NUL", check_message_id, std::string("a\0", 2), "id: byte 0x00 at byte 1, " + text_rule},
      {"principal", check_principal, "Ann.B_c@d-1", ""},
      {"principal, dot first", check_principal, ".a",
       "principal: '.' at byte 0, expected a letter or digit, then letters, digits, '.', '_', '@' "
       "and '-'"},
      {"principal, blank", check_principal, "a b",
       "principal: byte 0x20 at byte 1, expected a letter or digit, then letters, digits, '.', "
       "'_', '@' and '-'"},
      {"principal of local requests", check_principal, std::string(kLocalPrincipal), ""},
  };
}

TEST(Names, ChecksSayFieldByteAndRule) {
  for (auto const& row : rows()) {
    SCOPED_TRACE(row.name);
    auto const checked = row.check(row.text, Limits{});
    ASSERT_EQ(checked.has_value(), row.error.empty());
    if (!checked) {
      EXPECT_EQ(checked.error().context, row.error);
    }
  }
}

TEST(Names, LimitsComeFromTheCaller) {
  Limits limits;
  limits.id_bytes_max = 3;
  EXPECT_TRUE(check_message_id("abc", limits));
  EXPECT_EQ(check_message_id("abcd", limits).error().code, ErrorCode::kTooLarge);
}

}  // namespace
}  // namespace headrace::model
