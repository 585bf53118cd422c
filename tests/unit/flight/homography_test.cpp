// Known maps, found again; matches that no map explains, refused.
#include "flight/homography.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <memory>

#include "hot_path_counters.h"
#include "plane_matches.h"

namespace skua::flight {
namespace {

using namespace skua::flight::test;  // NOLINT(google-build-using-namespace)

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

TEST(HomographyTest, ExactMatchesGiveTheirMapBack) {
  const double c = std::cos(2.5), s = std::sin(2.5);
  const Homography maps[] = {{1, 0, 0, 0, 1, 0, 0, 0, 1},
                             {1, 0, 5000, 0, 1, -9000, 0, 0, 1},
                             {c, -s, 900, s, c, 40, 0, 0, 1},
                             {2.5, 0.3, 10, -0.2, 1.7, 20, 0, 0, 1},
                             {0.02, 0, 0, 0, 0.02, 0, 0, 0, 1},
                             {1, 0, 0, 0, 1, 0, 1e-3, 5e-4, 1},
                             slanted()};
  for (const Homography& map : maps) {
    HomographySolver solver(100, {.inlier_px = 0.5});
    HomographyFit fit;
    ASSERT_TRUE(solver.solve(make_matches(map, {.count = 100, .noise_px = 0.0}), fit));
    EXPECT_EQ(fit.inliers, 100U);
    EXPECT_LT(fit.rms_px, 1e-7);
    EXPECT_LT(largest_difference(fit.map, map), 1e-6);
    EXPECT_EQ(fit.map[8], 1.0);
  }
  EXPECT_GT(largest_difference(maps[0], slanted()), 10.0);  // the control
}

TEST(HomographyTest, NoiseAveragesOut) {
  HomographySolver solver(400);
  HomographyFit fit;
  ASSERT_TRUE(solver.solve(make_matches(slanted(), {.count = 400, .noise_px = 0.7}), fit));
  EXPECT_GE(fit.inliers, 395U);
  EXPECT_NEAR(fit.rms_px, 0.7 * std::sqrt(2.0), 0.1);
  EXPECT_LT(largest_difference(fit.map, slanted()), 0.7);
}

TEST(HomographyTest, OutliersUpToSixtyPercentDoNotMoveIt) {
  HomographySolver solver(300);
  for (const double outliers : {0.05, 0.2, 0.4, 0.5, 0.6}) {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
      HomographyFit fit;
      ASSERT_TRUE(solver.solve(make_matches(slanted(), {300, 0.5, outliers, seed}), fit)) << outliers;
      EXPECT_LT(largest_difference(fit.map, slanted()), 1.0) << outliers << " seed " << seed;
      EXPECT_NEAR(static_cast<double>(fit.inliers), 300.0 * (1.0 - outliers), 4.0) << outliers;
    }
  }
}

// The control of the one above: without samples enough, or with everything taken for an inlier, it fails.
TEST(HomographyTest, SixtyPercentOutliersNeedTheSamplesAndTheBound) {
  int far_off = 0, failed = 0;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const auto matches = make_matches(slanted(), {300, 0.5, 0.6, seed});
    HomographyFit fit;
    failed += HomographySolver(300, {.max_iterations = 1}).solve(matches, fit) ? 0 : 1;
    const bool is_found = HomographySolver(300, {.inlier_px = 1e4}).solve(matches, fit);
    far_off += !is_found || largest_difference(fit.map, slanted()) > 1.0 ? 1 : 0;
  }
  EXPECT_GE(failed, 15);
  EXPECT_EQ(far_off, 20);
}

TEST(HomographyTest, NothingThatAgreesIsRefused) {
  HomographySolver solver(300);
  HomographyFit fit;
  fit.inliers = 77;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    EXPECT_FALSE(solver.solve(make_matches(slanted(), {300, 0.5, 1.0, seed}), fit)) << seed;
  }
  EXPECT_EQ(fit.inliers, 77U);  // left alone
}

TEST(HomographyTest, TooFewAreRefused) {
  HomographySolver solver(100);
  HomographyFit fit;
  EXPECT_FALSE(solver.solve({}, fit));
  EXPECT_FALSE(solver.solve(make_matches(slanted(), {.count = 11}), fit));
  EXPECT_TRUE(solver.solve(make_matches(slanted(), {.count = 12}), fit));
  // Four matches always agree: at least five are wanted whatever the options say.
  HomographySolver easy(100, {.min_inliers = 0});
  EXPECT_FALSE(easy.solve(make_matches(slanted(), {.count = 4, .noise_px = 0.0}), fit));
  EXPECT_TRUE(easy.solve(make_matches(slanted(), {.count = 5, .noise_px = 0.0}), fit));
}

std::vector<PointMatch> changed(std::vector<PointMatch> matches, void (*change)(PointMatch&, double)) {
  double number = 0.0;
  for (PointMatch& match : matches) change(match, number++);
  return matches;
}

TEST(HomographyTest, DegenerateAgreementIsRefused) {
  HomographySolver solver(200);
  HomographyFit fit;
  const auto good = make_matches({1, 0, 0, 0, 1, 0, 0, 0, 1}, {.count = 200, .noise_px = 0.3});
  ASSERT_TRUE(solver.solve(good, fit));  // the control
  using Match = PointMatch;
  // All the same point, on either side and on both.
  EXPECT_FALSE(solver.solve(changed(good, [](Match& m, double) { m = {{5, 5}, {7, 7}}; }), fit));
  EXPECT_FALSE(solver.solve(changed(good, [](Match& m, double) { m.to = {7, 7}; }), fit));
  EXPECT_FALSE(solver.solve(changed(good, [](Match& m, double) { m.from = {7, 7}; }), fit));
  // A spot of a pixel: everything on the other side maps into it.
  EXPECT_FALSE(solver.solve(changed(good,
                                    [](Match& m, double i) {
                                      m.to = {300 + std::sin(i), 200 + std::cos(7 * i)};
                                    }),
                            fit));
  // On one line, exactly and with the line as wide as the noise.
  EXPECT_FALSE(solver.solve(changed(good, [](Match& m, double i) { m = {{i, 2 * i}, {i, 2 * i}}; }), fit));
  EXPECT_FALSE(solver.solve(changed(good,
                                    [](Match& m, double i) {
                                      m = {{i, 100 + std::sin(5 * i)}, {i, 100 + std::sin(5 * i)}};
                                    }),
                            fit));
  // Mirrored: no view from above.
  EXPECT_FALSE(solver.solve(changed(good, [](Match& m, double) { m.to[0] = kWidth - m.to[0]; }), fit));
  EXPECT_FALSE(solver.solve(changed(good, [](Match& m, double) { std::swap(m.to[0], m.to[1]); }), fit));
}

TEST(HomographyTest, MatchesThatAreNotFiniteAreLeftOut) {
  const auto good = make_matches(slanted(), {.count = 100});
  HomographyFit expected, found;
  ASSERT_TRUE(HomographySolver(100).solve(good, expected));
  std::vector<PointMatch> mixed;
  for (std::size_t i = 0; i < good.size(); ++i) {
    const double bad[] = {kNan, kInfinity, -kInfinity, 1e300, -1e8};
    PointMatch match = good[i];
    double* coordinates[] = {&match.from[0], &match.from[1], &match.to[0], &match.to[1]};
    *coordinates[i % 4] = bad[i % 5];
    mixed.push_back(match);
    mixed.push_back(good[i]);
  }
  HomographySolver solver(200);
  ASSERT_TRUE(solver.solve(mixed, found));
  EXPECT_EQ(found.map, expected.map);  // to the last bit: as if they were not there
  EXPECT_EQ(found.inliers, 100U);
  for (PointMatch& match : mixed) match.from[0] = kNan;
  EXPECT_FALSE(solver.solve(mixed, found));
}

TEST(HomographyTest, ExtremeValuesNeverHangOrGiveAnInfiniteMap) {
  std::mt19937_64 random(3);
  const double values[] = {0.0, 1.0, -1.0, 1e-300, 1e7, -1e7, 5e6, 1e-9, 640.0, 3.0};
  HomographySolver solver(60, {.min_inliers = 5});
  HomographyFit fit;
  for (int round = 0; round < 300; ++round) {
    std::vector<PointMatch> matches(5 + random() % 55);
    for (PointMatch& match : matches) {
      match = {{values[random() % 10], values[random() % 10]},
               {values[random() % 10], values[random() % 10]}};
    }
    if (!solver.solve(matches, fit)) continue;
    EXPECT_TRUE(std::all_of(fit.map.begin(), fit.map.end(), [](double v) { return std::isfinite(v); }));
    EXPECT_TRUE(std::isfinite(fit.rms_px));
  }
}

TEST(HomographyTest, TheSameMatchesGiveTheSameAnswer) {
  const auto matches = make_matches(slanted(), {300, 0.8, 0.5, 4});
  HomographySolver solver(300);
  HomographyFit first, second, other;
  ASSERT_TRUE(solver.solve(matches, first));
  ASSERT_TRUE(solver.solve(make_matches(slanted(), {200, 0.8, 0.2, 5}), other));
  ASSERT_TRUE(solver.solve(matches, second));
  EXPECT_EQ(first.map, second.map);
  EXPECT_EQ(first.rms_px, second.rms_px);
  ASSERT_TRUE(HomographySolver(300).solve(matches, second));
  EXPECT_EQ(first.map, second.map);
  EXPECT_NE(first.map, other.map);  // the control
}

TEST(HomographyTest, OfTooManyMatchesTheFirstAreUsed) {
  const auto matches = make_matches(slanted(), {.count = 100});
  HomographyFit of_all, of_first;
  HomographySolver solver(50);
  ASSERT_TRUE(solver.solve(matches, of_all));
  ASSERT_TRUE(solver.solve({matches.begin(), matches.begin() + 50}, of_first));
  EXPECT_EQ(of_all.map, of_first.map);
}

TEST(HomographyTest, NothingIsAllocatedAfterConstruction) {
  const auto most = make_matches(slanted(), {400, 0.5, 0.3, 1});
  const auto fewer = make_matches(slanted(), {90, 0.5, 0.1, 2});
  std::unique_ptr<HomographySolver> solver;
  const auto making = skua::test::count_hot_path([&] { solver = std::make_unique<HomographySolver>(400); });
  EXPECT_GT(making.allocations, 0U);  // the control
  HomographyFit fit;
  bool is_found = true;
  const auto solving = skua::test::count_hot_path([&] {
    is_found = solver->solve(fewer, fit) && solver->solve(most, fit) && solver->solve(fewer, fit);
    (void)solver->variance_at({1, 2}, CovarianceMode::kMarginals);
    (void)solver->variance_at({1, 2}, CovarianceMode::kJacobian);
  });
  EXPECT_EQ(solving.allocations + solving.locks, 0U);
  EXPECT_TRUE(is_found);
}

}  // namespace
}  // namespace skua::flight
