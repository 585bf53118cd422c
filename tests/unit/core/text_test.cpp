#include "core/text.h"

#include <gtest/gtest.h>

#include <limits>

namespace skua {
namespace {

TEST(Text, NumbersAreWholeTextsOrNothing) {
  EXPECT_EQ(parse_int64("-9223372036854775808"), std::numeric_limits<std::int64_t>::min());
  EXPECT_EQ(parse_uint64("18446744073709551615"), std::numeric_limits<std::uint64_t>::max());
  for (const char* text : {"", " 1", "1 ", "+1", "0x1", "1.0", "1e3", "99999999999999999999"}) {
    EXPECT_FALSE(parse_int64(text).has_value()) << text;
    EXPECT_FALSE(parse_uint64(text).has_value()) << text;
  }
  EXPECT_FALSE(parse_uint64("-1").has_value());
}

TEST(Text, DoublesAreFiniteAndReadBack) {
  for (const double value : {0.0, 0.1, 1e300, -2.5, 5e-324})
    EXPECT_EQ(parse_double(print_double(value)), value);
  for (const char* text : {"", "nan", "inf", "-inf", "1e999", "1,5", "1.5x"}) {
    EXPECT_FALSE(parse_double(text).has_value()) << text;
  }
}

TEST(Text, QuotesCannotForgeLines) {
  EXPECT_EQ(quote("a\nb\x1b c\xc3"), "'a?b? c?'");
  EXPECT_EQ(quote("abcdef", 3), "'abc...'");
  EXPECT_EQ(quote("abc", 3), "'abc'");
}

TEST(Text, JoinAndTrim) {
  EXPECT_EQ(join(std::vector<std::string>{"a", "b"}), "a, b");
  EXPECT_EQ(join(std::vector<std::string>{}), "none");
  EXPECT_EQ(join(std::span<const std::string_view>()), "none");
  EXPECT_EQ(trimmed(" \ta b\r\n"), "a b");
  EXPECT_EQ(trimmed(" \n"), "");
}

}  // namespace
}  // namespace skua
