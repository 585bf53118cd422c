// How sure the map says it is, against how far it is off over many flights.
#include <gtest/gtest.h>

#include <limits>

#include "flight/homography.h"
#include "plane_matches.h"

namespace skua::flight {
namespace {

using namespace skua::flight::test;  // NOLINT(google-build-using-namespace)
using enum CovarianceMode;

struct Spread {
  Point measured{};   ///< mean square error of the mapped point
  Point marginals{};  ///< mean of what the solver said
  Point jacobian{};
};

// The same points each time, other noise.
Spread spread_at(const Point& point, double noise_px, const Homography& map = slanted()) {
  constexpr int kTrials = 400;
  const auto exact = make_matches(map, {.count = 120, .noise_px = 0.0});
  std::mt19937_64 random(8);
  std::normal_distribution<double> noise(0.0, noise_px);
  HomographySolver solver(exact.size());
  Spread spread;
  for (int trial = 0; trial < kTrials; ++trial) {
    auto matches = exact;
    for (PointMatch& match : matches) match.to = {match.to[0] + noise(random), match.to[1] + noise(random)};
    HomographyFit fit;
    EXPECT_TRUE(solver.solve(matches, fit));
    const Point found = map_point(fit.map, point), expected = map_point(map, point);
    const Point marginals = solver.variance_at(point, kMarginals),
                jacobian = solver.variance_at(point, kJacobian);
    for (std::size_t i = 0; i < 2; ++i) {
      spread.measured[i] += (found[i] - expected[i]) * (found[i] - expected[i]) / kTrials;
      spread.marginals[i] += marginals[i] / kTrials;
      spread.jacobian[i] += jacobian[i] / kTrials;
    }
  }
  return spread;
}

// 400 trials know a variance to about 7 %; what they differ by otherwise would be a wrong formula.
TEST(HomographyVariance, MarginalsAreTheSpreadOverManyTrials) {
  for (const Point point : {Point{320, 240}, Point{0, 0}, Point{640, 480}, Point{900, 100}}) {
    const Spread spread = spread_at(point, 0.7);
    for (std::size_t i = 0; i < 2; ++i) {
      EXPECT_GT(spread.marginals[i] / spread.measured[i], 0.75) << point[0] << " axis " << i;
      EXPECT_LT(spread.marginals[i] / spread.measured[i], 1.33) << point[0] << " axis " << i;
    }
  }
}

// Another scale on the mapped side: a unit that was forgotten would show here by its square.
TEST(HomographyVariance, IsInPixelsOfTheMappedSide) {
  const Homography enlarged = {5, 0, 100, 0, 5, 0, 0, 0, 1};
  const Spread spread = spread_at({600, 50}, 0.7, enlarged);
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_GT(spread.marginals[i] / spread.measured[i], 0.75);
    EXPECT_LT(spread.marginals[i] / spread.measured[i], 1.33);
  }
}

TEST(HomographyVariance, GrowsWithTheSquareOfTheNoise) {
  const Spread quiet = spread_at({320, 240}, 0.2), loud = spread_at({320, 240}, 0.6);
  EXPECT_NEAR(loud.marginals[0] / quiet.marginals[0], 9.0, 1.0);
  EXPECT_NEAR(loud.jacobian[0] / quiet.jacobian[0], 9.0, 1.0);
}

// A similarity is one of the maps that eight numbers can make: with fewer that may be wrong, less is wrong.
TEST(HomographyVariance, JacobianIsNeverTheLargerOneAndCoarserAtTheRim) {
  HomographySolver solver(200);
  HomographyFit fit;
  ASSERT_TRUE(solver.solve(make_matches(slanted(), {.count = 200}), fit));
  for (double x = -200.0; x <= 840.0; x += 40.0) {
    for (double y = -200.0; y <= 680.0; y += 40.0) {
      const Point marginals = solver.variance_at({x, y}, kMarginals),
                  jacobian = solver.variance_at({x, y}, kJacobian);
      for (std::size_t i = 0; i < 2; ++i) {
        ASSERT_LE(jacobian[i], marginals[i] * (1.0 + 1e-9)) << x << " " << y;
        ASSERT_GT(jacobian[i], 0.0);
      }
    }
  }
  const Point middle = {320, 240}, rim = {640, 480};
  EXPECT_LT(solver.variance_at(middle, kMarginals)[0], 3.0 * solver.variance_at(middle, kJacobian)[0]);
  EXPECT_GT(solver.variance_at(rim, kMarginals)[0], 2.0 * solver.variance_at(rim, kJacobian)[0]);
  EXPECT_GT(solver.variance_at(rim, kJacobian)[0], 2.0 * solver.variance_at(middle, kJacobian)[0]);
}

TEST(HomographyVariance, IsInfiniteBeforeAFitAndOnAndBehindTheHorizon) {
  HomographySolver solver(100);
  for (const CovarianceMode mode : {kMarginals, kJacobian}) {
    EXPECT_EQ(solver.variance_at({0, 0}, mode)[0], std::numeric_limits<double>::infinity());
  }
  const Homography steep = {1, 0, 0, 0, 1, 0, -1e-3, 0, 1};  // its horizon: x = 1000
  HomographyFit fit;
  ASSERT_TRUE(solver.solve(make_matches(steep, {.count = 100, .noise_px = 0.3}), fit));
  for (const CovarianceMode mode : {kMarginals, kJacobian}) {
    EXPECT_LT(solver.variance_at({600, 200}, mode)[1], 10.0);  // the control
    EXPECT_EQ(solver.variance_at({1500, 200}, mode)[1], std::numeric_limits<double>::infinity());
  }
}

TEST(HomographyVariance, AFailedFitLeavesTheLastOne) {
  HomographySolver solver(100);
  HomographyFit fit;
  ASSERT_TRUE(solver.solve(make_matches(slanted(), {.count = 100}), fit));
  const Point before = solver.variance_at({10, 20}, kMarginals);
  ASSERT_FALSE(solver.solve(make_matches(slanted(), {.count = 100, .outliers = 1.0}), fit));
  EXPECT_EQ(solver.variance_at({10, 20}, kMarginals), before);
  ASSERT_TRUE(solver.solve(make_matches(slanted(), {.count = 90}), fit));
  EXPECT_NE(solver.variance_at({10, 20}, kMarginals), before);  // the control
}

}  // namespace
}  // namespace skua::flight
