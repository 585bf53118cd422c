#include "counts.h"

#include <gtest/gtest.h>

#include "temp_folder.h"

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

class CountsReached : public testing::Test {
 protected:
  void SetUp() override { setenv("SKUA_REACHED", (temp_.path() / "reached").c_str(), 1); }
  void TearDown() override { unsetenv("SKUA_REACHED"); }
  skua::test::TempFolder temp_;
};

TEST_F(CountsReached, IsPrintedAndAppended) {
  testing::internal::CaptureStdout();
  skua_test::reached("first", 3);
  skua_test::reached("first", 4);
  EXPECT_EQ(testing::internal::GetCapturedStdout(), "reached first 3\nreached first 4\n");
  EXPECT_EQ(temp_.read("reached"), "reached first 3\nreached first 4\n");
}

TEST_F(CountsReached, FailsWhereItCannotBeKept) {
  setenv("SKUA_REACHED", (temp_.path() / "no" / "reached").c_str(), 1);
  EXPECT_THROW(skua_test::reached("first", 3), std::runtime_error);
}

}  // namespace
