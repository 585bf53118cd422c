#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

#include "cache/golden.h"
#include "cache/half.h"
#include "cache_fixture.h"

namespace skua::test {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInf = std::numeric_limits<float>::infinity();

template <typename T>
Tensor tensor(DType dtype, const Shape& shape, const std::vector<T>& values) {
  Tensor made = Tensor::allocate(dtype, shape).value();
  EXPECT_EQ(made.as<T>().size(), values.size());
  std::ranges::copy(values, made.as<T>().begin());
  return made;
}

Tensor floats(const std::vector<float>& values) {
  return tensor(DType::kFloat32, Shape{static_cast<std::int64_t>(values.size())}, values);
}

Result<GoldenDifference> compare(const Tensor& golden, const Tensor& found, const Tolerance& tolerance) {
  return compare_golden("y", golden.view(), found.view(), tolerance);
}

testing::AssertionResult differs(const Tensor& golden, const Tensor& found, const Tolerance& tolerance) {
  return refused(compare(golden, found, tolerance), ErrorCode::kEngineDeserialize, Reason::kGoldenMismatch);
}

Tolerance within(double absolute, double relative, double fraction = 0.0) {
  return {absolute, relative, false, fraction};
}
Tolerance as_set(double absolute = 0.0, double fraction = 0.0) { return {absolute, 0.0, true, fraction}; }

TEST(HalfToFloat, IsTheFormulaForAll65536Values) {
  for (std::uint32_t bits = 0; bits < 65536; ++bits) {
    const int exponent = static_cast<int>((bits >> 10U) & 31U);
    const int fraction = static_cast<int>(bits & 1023U);
    const double sign = (bits >> 15U) != 0 ? -1.0 : 1.0;
    const float value = half_to_float(static_cast<std::uint16_t>(bits));
    if (exponent == 31) {
      ASSERT_EQ(std::isnan(value), fraction != 0) << bits;
      ASSERT_EQ(std::isinf(value), fraction == 0) << bits;
    } else {
      const double expected =
          exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, exponent - 25);
      ASSERT_EQ(static_cast<double>(value), sign * expected) << bits;
    }
    ASSERT_EQ(std::signbit(value), sign < 0) << bits;
  }
}

TEST(CompareGolden, HoldsEachElementToAbsolutePlusRelative) {
  const Tensor golden = floats({0.0F, 100.0F, -100.0F});
  EXPECT_TRUE(accepted(compare(golden, floats({0.5F, 101.5F, -101.5F}), within(0.5, 0.01))));
  EXPECT_TRUE(differs(golden, floats({0.51F, 100.0F, -100.0F}), within(0.5, 0.01)));
  EXPECT_TRUE(differs(golden, floats({0.0F, 101.6F, -100.0F}), within(0.5, 0.01)));
  EXPECT_TRUE(differs(golden, floats({0.0F, 100.0F, -98.4F}), within(0.5, 0.01)));
  EXPECT_EQ(compare(golden, floats({0.5F, 101.0F, -100.0F}), within(1, 1)).value().max_absolute, 1.0);
}

// 0.3 + 0.3 * 9 and 0.3 + 0.1 * 3 come out otherwise where a processor rounds product and sum at once.
TEST(CompareGolden, TheBorderIsTheSameOnEveryProcessor) {
  const auto doubles = [](double value) { return tensor<double>(DType::kFloat64, Shape{1}, {value}); };
  EXPECT_TRUE(differs(doubles(9.0), doubles(12.0), within(0.3, 0.3)));
  EXPECT_TRUE(accepted(compare(doubles(3.0), doubles(3.6), within(0.3, 0.1))));
}

TEST(CompareGolden, NamesTheWorstElement) {
  const auto refusal = compare(floats({1, 2, 3, 4}), floats({1, 2.5F, 9, 4}), within(0.1, 0));
  ASSERT_FALSE(refusal.ok());
  EXPECT_THAT(refusal.error().message, testing::HasSubstr("'y'"));
  EXPECT_THAT(refusal.error().message, testing::HasSubstr("2 of 4"));
  EXPECT_THAT(refusal.error().message, testing::HasSubstr("element 2 expected 3, found 9"));
}

TEST(CompareGolden, NotANumberEqualsNotANumberOnly) {
  const Tolerance wide = within(1e30, 1e30);
  EXPECT_TRUE(accepted(compare(floats({kNan}), floats({-kNan}), within(0, 0))));
  EXPECT_TRUE(differs(floats({kNan}), floats({1.0F}), wide));
  EXPECT_TRUE(differs(floats({1.0F}), floats({kNan}), wide));
  EXPECT_TRUE(differs(floats({kNan}), floats({kInf}), wide));
}

TEST(CompareGolden, InfinityEqualsTheSameInfinityOnly) {
  const Tolerance wide = within(1e30, 1e30);
  EXPECT_TRUE(accepted(compare(floats({kInf, -kInf}), floats({kInf, -kInf}), within(0, 0))));
  EXPECT_TRUE(differs(floats({kInf}), floats({-kInf}), wide));
  EXPECT_TRUE(differs(floats({kInf}), floats({1.0F}), wide));
  EXPECT_TRUE(differs(floats({1.0F}), floats({kInf}), wide));
}

TEST(CompareGolden, AShareOfTheElementsMayMiss) {
  const Tensor golden = floats({1, 2, 3, 4});
  const Tensor found = floats({1, 2, 3, 9});
  EXPECT_TRUE(differs(golden, found, within(0, 0, 0.24)));
  const auto allowed = compare(golden, found, within(0, 0, 0.25));
  ASSERT_TRUE(accepted(allowed));
  EXPECT_EQ(allowed->mismatch_fraction, 0.25);
}

TEST(CompareGolden, ShapesAndTypesAreEqual) {
  const Tolerance wide = within(10, 0, 1.0);
  const Tensor golden = floats({1, 2});
  EXPECT_TRUE(accepted(compare(golden, golden, wide)));
  EXPECT_TRUE(differs(golden, floats({1, 2, 3}), wide));
  EXPECT_TRUE(differs(golden, tensor<float>(DType::kFloat32, Shape{1, 2}, {1, 2}), wide));
  EXPECT_TRUE(differs(golden, tensor<std::int32_t>(DType::kInt32, Shape{2}, {1, 2}), wide));
  const TensorView on_gpu{golden.view().data, DType::kFloat32, Shape{2}, {DeviceType::kCuda, 0}};
  EXPECT_TRUE(refused(compare_golden("y", golden.view(), on_gpu, wide), ErrorCode::kInvalidArgument,
                      Reason::kDeviceMismatch));
}

TEST(CompareGolden, NothingEqualsNothing) {
  const Tensor empty = floats({});
  EXPECT_TRUE(accepted(compare(empty, empty, within(0, 0))));
  EXPECT_TRUE(accepted(compare(empty, empty, as_set())));
}

template <typename T>
void expect_exact_integers(DType dtype) {
  constexpr T kMin = std::numeric_limits<T>::min();
  constexpr T kMax = std::numeric_limits<T>::max();
  const Tensor golden = tensor<T>(dtype, Shape{3}, {kMin, T{1}, kMax});
  EXPECT_TRUE(accepted(compare(golden, tensor<T>(dtype, Shape{3}, {kMin, T{1}, kMax}), within(0, 0))));
  EXPECT_TRUE(
      differs(golden, tensor<T>(dtype, Shape{3}, {kMin, T{1}, static_cast<T>(kMax - 1)}), within(0, 0)));
  EXPECT_TRUE(
      differs(golden, tensor<T>(dtype, Shape{3}, {static_cast<T>(kMin + 1), T{1}, kMax}), within(0, 0)));
  EXPECT_TRUE(accepted(
      compare(golden, tensor<T>(dtype, Shape{3}, {kMin, T{2}, static_cast<T>(kMax - 1)}), within(1, 0))));
  EXPECT_TRUE(differs(golden, tensor<T>(dtype, Shape{3}, {kMax, T{1}, kMax}), within(1, 0)))
      << "no wrap-around";
}

TEST(CompareGolden, IntegersAreComparedExactly) {
  expect_exact_integers<std::int8_t>(DType::kInt8);
  expect_exact_integers<std::uint8_t>(DType::kUInt8);
  expect_exact_integers<std::int16_t>(DType::kInt16);
  expect_exact_integers<std::uint16_t>(DType::kUInt16);
  expect_exact_integers<std::int32_t>(DType::kInt32);
  expect_exact_integers<std::uint32_t>(DType::kUInt32);
  expect_exact_integers<std::int64_t>(DType::kInt64);
  expect_exact_integers<std::uint64_t>(DType::kUInt64);
}

TEST(CompareGolden, OtherTypesToo) {
  const auto bools = [](std::vector<std::uint8_t> values) { return tensor(DType::kBool, Shape{2}, values); };
  EXPECT_TRUE(accepted(compare(bools({1, 0}), bools({1, 0}), within(0, 0))));
  EXPECT_TRUE(differs(bools({1, 0}), bools({1, 1}), within(0, 0)));
  const auto doubles = [](double value) { return tensor<double>(DType::kFloat64, Shape{1}, {value}); };
  EXPECT_TRUE(accepted(compare(doubles(1.0), doubles(1.0 + 1e-13), within(1e-12, 0))));
  EXPECT_TRUE(differs(doubles(1.0), doubles(1.0 + 1e-11), within(1e-12, 0)));
  const auto halves = [](std::uint16_t bits) {
    return tensor<std::uint16_t>(DType::kFloat16, Shape{1}, {bits});
  };
  EXPECT_TRUE(accepted(compare(halves(0x3c00), halves(0x3c01), within(0.001, 0)))) << "1 and the next half";
  EXPECT_TRUE(differs(halves(0x3c00), halves(0x3c02), within(0.001, 0)));
  EXPECT_TRUE(accepted(compare(halves(0x0000), halves(0x8000), within(0, 0)))) << "both zeros";
}

Tensor rows(std::int64_t count, std::int64_t columns, const std::vector<float>& values) {
  return tensor(DType::kFloat32, Shape{1, count, columns}, values);
}

TEST(CompareAsSet, RowsMayComeInAnyOrder) {
  const Tensor golden = rows(3, 2, {1, 2, 3, 4, 5, 6});
  EXPECT_TRUE(accepted(compare(golden, rows(3, 2, {5, 6, 1, 2, 3, 4}), as_set())));
  EXPECT_TRUE(differs(golden, rows(3, 2, {5, 6, 1, 2, 3, 4}), within(0, 0))) << "the control";
  EXPECT_TRUE(differs(golden, rows(3, 2, {5, 6, 1, 2, 3, 5}), as_set()));
  EXPECT_TRUE(differs(golden, rows(3, 2, {5, 6, 2, 1, 3, 4}), as_set())) << "not within a row";
}

TEST(CompareAsSet, EachRowHasAPartnerOfItsOwn) {
  EXPECT_TRUE(accepted(compare(rows(2, 1, {1, 1}), rows(2, 1, {1, 1}), as_set())));
  EXPECT_TRUE(differs(rows(2, 1, {1, 1}), rows(2, 1, {1, 2}), as_set()));
  EXPECT_TRUE(differs(rows(2, 1, {1, 2}), rows(2, 1, {1, 1}), as_set()));
}

TEST(CompareAsSet, TakesTheNearestPartner) {
  // Both found rows are within reach of the first golden row; taking the farther one would leave the second
  // alone. Whichever of them comes first.
  EXPECT_TRUE(accepted(compare(rows(2, 1, {1.0F, 0.3F}), rows(2, 1, {0.6F, 1.1F}), as_set(0.5))));
  EXPECT_TRUE(accepted(compare(rows(2, 1, {1.0F, 1.6F}), rows(2, 1, {1.5F, 0.9F}), as_set(0.5))));
  EXPECT_TRUE(differs(rows(2, 1, {1.0F, 0.3F}), rows(2, 1, {1.2F, 1.1F}), as_set(0.5))) << "the control";
}

TEST(CompareAsSet, RowCountsMayDifferWithinTheShare) {
  const Tensor golden = rows(4, 1, {1, 2, 3, 4});
  EXPECT_TRUE(accepted(compare(golden, rows(3, 1, {4, 2, 1}), as_set(0, 0.25))));
  EXPECT_TRUE(differs(golden, rows(3, 1, {4, 2, 1}), as_set(0, 0.24)));
  EXPECT_TRUE(accepted(compare(golden, rows(5, 1, {9, 4, 3, 2, 1}), as_set(0, 0.2))));
  EXPECT_TRUE(differs(golden, rows(5, 1, {9, 4, 3, 2, 1}), as_set(0, 0.19)));
  EXPECT_TRUE(differs(golden, rows(0, 1, {}), as_set(0, 0.99)));
  EXPECT_TRUE(differs(golden, rows(2, 2, {1, 2, 3, 4}), as_set(0, 1.0)))
      << "another row length is another output";
  EXPECT_TRUE(differs(golden, floats({1, 2, 3, 4}), as_set(0, 1.0))) << "another rank, too";
}

TEST(CompareAsSet, KnowsNaNAndLargeIntegers) {
  EXPECT_TRUE(accepted(compare(rows(3, 1, {kNan, kInf, 1}), rows(3, 1, {1, kInf, kNan}), as_set())));
  EXPECT_TRUE(differs(rows(2, 1, {kNan, 1}), rows(2, 1, {kInf, 1}), as_set(1e30)));
  const std::int64_t large = (std::int64_t{1} << 53) + 1;
  const auto ints = [](std::vector<std::int64_t> values) {
    return tensor(DType::kInt64, Shape{2, 1}, values);
  };
  EXPECT_TRUE(accepted(compare(ints({large, large + 2}), ints({large + 2, large}), as_set())));
  EXPECT_TRUE(differs(ints({large, large + 2}), ints({large + 2, large + 1}), as_set()));
}

TEST(CompareAsSet, ScalarsAndSinglesAreOneRow) {
  const auto scalar = [](float value) { return tensor<float>(DType::kFloat32, Shape{}, {value}); };
  EXPECT_TRUE(accepted(compare(scalar(1), scalar(1), as_set())));
  EXPECT_TRUE(differs(scalar(1), scalar(2), as_set()));
  const auto no_columns = [](std::int64_t count) {
    return tensor<float>(DType::kFloat32, Shape{count, 0}, {});
  };
  EXPECT_TRUE(accepted(compare(no_columns(3), no_columns(3), as_set())));
  EXPECT_TRUE(differs(no_columns(3), no_columns(2), as_set()));
}

TEST(CompareAsSet, FindsEveryPermutationOfManyRows) {
  std::mt19937 random(7);
  constexpr std::size_t kRows = 4096;
  std::vector<std::array<float, 2>> list(kRows);
  for (auto& row : list) row = {static_cast<float>(random() % 640), static_cast<float>(random() % 480)};
  const auto flat = [&] {
    std::vector<float> values;
    for (const auto& row : list) values.insert(values.end(), row.begin(), row.end());
    return rows(kRows, 2, values);
  };
  const Tensor golden = flat();
  std::shuffle(list.begin(), list.end(), random);
  EXPECT_TRUE(accepted(compare(golden, flat(), as_set())));
  list[17][1] += 1000;
  EXPECT_TRUE(differs(golden, flat(), as_set()));
}

TEST(DefaultTolerance, FollowsPrecisionAndType) {
  const auto of = [](Precision precision, DType dtype, bool data_dependent = false) {
    return default_tolerance(precision, {"y", dtype, Shape{1}, Shape{1}, data_dependent});
  };
  EXPECT_EQ(of(Precision::kFp32, DType::kFloat32), within(1e-4, 1e-3));
  EXPECT_EQ(of(Precision::kFp16, DType::kFloat32), within(5e-3, 1e-2));
  EXPECT_EQ(of(Precision::kFp32, DType::kFloat16), within(5e-3, 1e-2));
  EXPECT_EQ(of(Precision::kInt8, DType::kFloat32), within(5e-2, 1e-1));
  EXPECT_EQ(of(Precision::kMixed, DType::kFloat16), within(5e-2, 1e-1));
  for (const DType dtype : {DType::kInt64, DType::kBool, DType::kUInt8})
    EXPECT_EQ(of(Precision::kFp16, dtype), within(0, 0));
  EXPECT_TRUE(of(Precision::kFp16, DType::kInt64, true).as_set);
}

}  // namespace
}  // namespace skua::test
