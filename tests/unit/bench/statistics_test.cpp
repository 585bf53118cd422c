#include "bench/statistics.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <numeric>

#include "noise.h"

namespace skua::bench {
namespace {

std::vector<double> one_to(std::size_t count) {
  std::vector<double> values(count);
  std::iota(values.begin(), values.end(), 1.0);
  return values;
}

TEST(Percentiles, TakeTheNearestRank) {
  std::vector<std::int64_t> times(100);
  std::iota(times.rbegin(), times.rend(), 1);
  for (std::int64_t& time : times) time *= 1000;
  const Percentiles found = percentiles_of(times);
  EXPECT_EQ(found.count, 100U);
  EXPECT_DOUBLE_EQ(found.p50_us, 50.0);
  EXPECT_DOUBLE_EQ(found.p95_us, 95.0);
  EXPECT_DOUBLE_EQ(found.p99_us, 99.0);
  EXPECT_DOUBLE_EQ(found.max_us, 100.0);
}

TEST(Percentiles, OfOneTimeAreThatTimeAndOfNoneZero) {
  const Percentiles one = percentiles_of({2500});
  EXPECT_EQ(one.count, 1U);
  EXPECT_DOUBLE_EQ(one.p50_us, 2.5);
  EXPECT_DOUBLE_EQ(one.max_us, 2.5);
  EXPECT_EQ(percentiles_of({}).count, 0U);
  EXPECT_DOUBLE_EQ(percentiles_of({}).max_us, 0.0);
}

// Ranks from a printed table of the confidence interval of a median (sign test, 95 %).
TEST(EstimateMedian, BoundsAreTheRanksOfTheSignTest) {
  const std::vector<std::pair<std::size_t, std::size_t>> table = {
      {6, 1}, {8, 1}, {9, 2}, {11, 2}, {12, 3}, {20, 6}, {25, 8}, {31, 10}, {50, 18}, {75, 29}, {100, 40}};
  for (const auto& [count, rank] : table) {
    const Estimate found = estimate_median(one_to(count));
    EXPECT_TRUE(found.is_bounded) << count;
    EXPECT_DOUBLE_EQ(found.lower, static_cast<double>(rank)) << count;
    EXPECT_DOUBLE_EQ(found.upper, static_cast<double>(count + 1 - rank)) << count;
    EXPECT_EQ(found.count, count);
  }
}

TEST(EstimateMedian, OfFewerThanSixValuesHasNoBounds) {
  EXPECT_FALSE(estimate_median(one_to(5)).is_bounded);
  EXPECT_TRUE(estimate_median(one_to(6)).is_bounded);
  const Estimate found = estimate_median({3.0, 1.0, 2.0});
  EXPECT_DOUBLE_EQ(found.median, 2.0);
  EXPECT_DOUBLE_EQ(found.lower, 1.0);
  EXPECT_DOUBLE_EQ(found.upper, 3.0);
  EXPECT_EQ(estimate_median({}).count, 0U);
}

// Ranks computed with exact fractions (tails of 2.5 % of the binomial distribution).
TEST(EstimatePercentile, BoundsAreTheRanksOfTheBinomialDistribution) {
  struct Row {
    std::size_t count, percent, value, lower, upper;
  };
  for (const Row& row : {Row{368, 99, 365, 360, 368}, Row{1000, 99, 990, 983, 997}, Row{100, 90, 90, 84, 96},
                         Row{500, 95, 475, 465, 485}, Row{21, 50, 11, 6, 16}}) {
    const Estimate found = estimate_percentile(one_to(row.count), row.percent);
    EXPECT_TRUE(found.is_bounded) << row.count;
    EXPECT_DOUBLE_EQ(found.median, static_cast<double>(row.value)) << row.count;
    EXPECT_DOUBLE_EQ(found.lower, static_cast<double>(row.lower)) << row.count;
    EXPECT_DOUBLE_EQ(found.upper, static_cast<double>(row.upper)) << row.count;
  }
}

TEST(EstimatePercentile, OfTooFewValuesHasNoBounds) {
  const Estimate found = estimate_percentile(one_to(367), 99);
  EXPECT_FALSE(found.is_bounded);
  EXPECT_DOUBLE_EQ(found.upper, 367.0);
  EXPECT_EQ(estimate_percentile({}, 99).count, 0U);
}

TEST(Estimate, IsScaledWithItsBounds) {
  const Estimate found = scaled({2.0, 1.0, 4.0, 7, true}, 0.5);
  EXPECT_DOUBLE_EQ(found.median, 1.0);
  EXPECT_DOUBLE_EQ(found.lower, 0.5);
  EXPECT_DOUBLE_EQ(found.upper, 2.0);
  EXPECT_EQ(found.count, 7U);
  EXPECT_TRUE(found.is_bounded);
}

TEST(ExponentsByRound, EachRoundHasItsOwn) {
  const std::vector<double> sizes = {1.0, 10.0, 100.0};
  const std::vector<std::vector<double>> costs = {{1.0, 5.0}, {10.0, 500.0}, {100.0, 50000.0}};
  const std::vector<double> found = exponents_by_round(sizes, costs);
  ASSERT_EQ(found.size(), 2U);
  EXPECT_NEAR(found[0], 1.0, 1e-12);
  EXPECT_NEAR(found[1], 2.0, 1e-12);
  EXPECT_TRUE(exponents_by_round({}, {}).empty());
}

TEST(EstimateMedian, OfAnEvenCountIsTheMiddleOfTheTwo) {
  EXPECT_DOUBLE_EQ(estimate_median({4.0, 1.0, 2.0, 3.0}).median, 2.5);
}

// 2^-20000 is no double; the ranks of the normal approximation are n/2 -+ 0.98 sqrt(n).
TEST(EstimateMedian, HoldsForManyValues) {
  const Estimate found = estimate_median(one_to(20000));
  EXPECT_TRUE(found.is_bounded);
  EXPECT_NEAR(found.lower, 10000.0 - 138.6, 2.0);
  EXPECT_NEAR(found.upper, 10001.0 + 138.6, 2.0);
}

TEST(EstimateMedian, BoundsHoldTheTrueMedianAsOftenAsTheySay) {
  constexpr int kTrials = 2000;
  test::Noise noise(11);
  int missed = 0;
  for (int trial = 0; trial < kTrials; ++trial) {
    std::vector<double> values(25);
    for (double& value : values) value = noise.uniform();
    const Estimate found = estimate_median(values);
    missed += found.lower > 0.5 || found.upper < 0.5 ? 1 : 0;
  }
  EXPECT_LE(missed, kTrials * 6 / 100);
  EXPECT_GE(missed, kTrials * 2 / 100) << "bounds that never miss are too wide to say anything";
}

TEST(EstimateRatio, PairsWithinTheRound) {
  // The machine is ten times slower in the second half; medians of each side alone would see that only.
  std::vector<double> reference(20, 100.0);
  std::fill(reference.begin() + 10, reference.end(), 1000.0);
  std::vector<double> subject = reference;
  for (double& value : subject) value *= 1.5;
  const Estimate ratio = estimate_ratio(subject, reference);
  EXPECT_DOUBLE_EQ(ratio.median, 1.5);
  EXPECT_DOUBLE_EQ(ratio.lower, 1.5);
  EXPECT_DOUBLE_EQ(ratio.upper, 1.5);
  const Estimate added = estimate_difference(subject, reference);
  EXPECT_DOUBLE_EQ(added.lower, 50.0);
  EXPECT_DOUBLE_EQ(added.upper, 500.0);
}

TEST(EstimateGrowth, FindsTheExponent) {
  const std::vector<double> sizes = {1, 2, 4, 8, 16, 32, 64};
  for (const double exponent : {0.0, 0.5, 1.0, 2.0}) {
    std::vector<double> costs;
    for (const double size : sizes) costs.push_back(7.0 * std::pow(size, exponent));
    const Estimate found = estimate_growth(sizes, costs);
    EXPECT_NEAR(found.median, exponent, 1e-9);
    EXPECT_TRUE(found.is_bounded);
    EXPECT_EQ(found.count, sizes.size());
  }
}

TEST(EstimateGrowth, IsNotMovedByOneOutlierAndSaysWhatItDoesNotKnow) {
  const std::vector<double> sizes = {1, 1, 1, 1, 10, 10, 10, 10, 100, 100, 100, 100};
  std::vector<double> costs = sizes;
  costs.back() *= 5.0;
  const Estimate found = estimate_growth(sizes, costs);
  EXPECT_NEAR(found.median, 1.0, 1e-9);
  EXPECT_NEAR(found.lower, 1.0, 1e-9);
  EXPECT_TRUE(found.is_bounded);

  const Estimate two_points = estimate_growth(std::vector<double>{1, 10}, std::vector<double>{1, 100});
  EXPECT_NEAR(two_points.median, 2.0, 1e-9);
  EXPECT_FALSE(two_points.is_bounded);
  EXPECT_EQ(estimate_growth(std::vector<double>{3, 3}, std::vector<double>{1, 2}).count, 0U);
}

}  // namespace
}  // namespace skua::bench
