#include "counts.h"

#include <gtest/gtest.h>

namespace {

using skua_test::count_from;

std::istringstream table() { return std::istringstream("# comment\n\nfirst 1 2 3 -\nbroken 1 x 3 -\n"); }

TEST(Counts, GivesTheFigureOfTheDepth) {
  auto a = table();
  EXPECT_EQ(count_from(a, "first", "test"), 1);
  auto b = table();
  EXPECT_EQ(count_from(b, "first", "ci"), 2);
  auto c = table();
  EXPECT_EQ(count_from(c, "first", "prove"), 3);
}

TEST(Counts, RefusesUnknownNamesDepthsAndBrokenRows) {
  auto a = table();
  EXPECT_THROW(count_from(a, "second", "test"), std::out_of_range);
  auto b = table();
  EXPECT_THROW(count_from(b, "first", "deep"), std::invalid_argument);
  auto c = table();
  EXPECT_THROW(count_from(c, "broken", "test"), std::runtime_error);
}

TEST(Counts, ReadsTheTableOfTheTree) {
  EXPECT_GE(skua_test::count("suite_repeats"), 1);
  EXPECT_THROW(skua_test::count("no such row"), std::out_of_range);
}

}  // namespace
