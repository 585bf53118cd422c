#include "skua/result.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <type_traits>

namespace skua {
namespace {

Error some_error() { return make_error(ErrorCode::kIo, Reason::kDiskFull, "disk is full", 28); }

TEST(Result, HoldsAValue) {
  Result<std::string> result = std::string("text");
  ASSERT_TRUE(result.ok());
  EXPECT_TRUE(static_cast<bool>(result));
  EXPECT_EQ(result.value(), "text");
  EXPECT_EQ(*result, "text");
  EXPECT_EQ(result->size(), 4U);
}

TEST(Result, HoldsAnError) {
  const Result<std::string> result = some_error();
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().reason, Reason::kDiskFull);
  EXPECT_EQ(result.error().native_code, 28);
}

TEST(Result, ValueOfAnErrorThrowsItsClassFromEveryQualification) {
  Result<int> result = some_error();
  const Result<int> fixed = some_error();
  EXPECT_THROW(result.value(), IoError);
  EXPECT_THROW(fixed.value(), IoError);
  EXPECT_THROW(std::move(result).value(), IoError);
}

TEST(Result, MovesAMoveOnlyValueOut) {
  static_assert(!std::is_copy_constructible_v<Result<std::unique_ptr<int>>>);
  Result<std::unique_ptr<int>> result = std::make_unique<int>(7);
  const std::unique_ptr<int> taken = std::move(result).value();
  ASSERT_NE(taken, nullptr);
  EXPECT_EQ(*taken, 7);
}

TEST(Result, StatusIsSuccessByDefaultAndSmallToMove) {
  static_assert(std::is_nothrow_default_constructible_v<Status>);
  static_assert(std::is_nothrow_move_constructible_v<Status>);
  const Status status;
  EXPECT_TRUE(status.ok());
  EXPECT_NO_THROW(status.value());
}

TEST(Result, StatusWithAnErrorThrowsIt) {
  const Status status = some_error();
  EXPECT_FALSE(status.ok());
  EXPECT_THROW(status.value(), IoError);
}

Result<int> half_of(int number) {
  if (number % 2 != 0) return make_error(ErrorCode::kInvalidArgument, Reason::kInvalidArgument, "odd");
  return number / 2;
}

Result<std::string> quarter_of(int number, int& steps) {
  SKUA_ASSIGN_OR_RETURN(const int half, half_of(number));
  ++steps;
  SKUA_RETURN_IF_ERROR(half_of(half));
  ++steps;
  return std::to_string(half / 2);
}

TEST(Result, MacrosPassValuesOn) {
  int steps = 0;
  const auto result = quarter_of(12, steps);
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(*result, "3");
  EXPECT_EQ(steps, 2);
}

TEST(Result, MacrosLeaveAtTheFirstError) {
  int steps = 0;
  EXPECT_EQ(quarter_of(11, steps).error().message, "odd");
  EXPECT_EQ(steps, 0);
  EXPECT_EQ(quarter_of(10, steps).error().message, "odd");
  EXPECT_EQ(steps, 1);
}

}  // namespace
}  // namespace skua
