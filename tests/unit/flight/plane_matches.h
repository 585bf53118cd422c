// Matches of a known map, with noise and outliers.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <random>
#include <vector>

#include "flight/homography.h"

namespace skua::flight::test {

constexpr double kWidth = 640.0, kHeight = 480.0;

/// 8 degrees, scale 0.97, slight perspective, shifted: as a frame lies on its tile.
inline Homography slanted() {
  const double c = 0.97 * std::cos(0.14), s = 0.97 * std::sin(0.14);
  return {c, -s, 31.0, s, c, -22.0, 1.2e-4, -0.8e-4, 1.0};
}

inline double distance(const Point& a, const Point& b) { return std::hypot(a[0] - b[0], a[1] - b[1]); }

/// The largest difference of two maps over a frame of kWidth x kHeight.
inline double largest_difference(const Homography& a, const Homography& b) {
  double largest = 0.0;
  for (const double x : {0.0, kWidth / 2, kWidth}) {
    for (const double y : {0.0, kHeight / 2, kHeight}) {
      largest = std::max(largest, distance(map_point(a, {x, y}), map_point(b, {x, y})));
    }
  }
  return largest;
}

struct Scene {
  std::size_t count = 200;
  double noise_px = 0.5;  ///< of each coordinate of `to`
  double outliers = 0.0;  ///< share of them
  std::uint64_t seed = 1;
};

inline std::vector<PointMatch> make_matches(const Homography& map, const Scene& scene) {
  std::mt19937_64 random(scene.seed);
  std::uniform_real_distribution<double> x(0.0, kWidth), y(0.0, kHeight);
  std::normal_distribution<double> noise(0.0, 1.0);
  const auto outliers = static_cast<std::size_t>(scene.outliers * static_cast<double>(scene.count));
  std::vector<PointMatch> matches;
  for (std::size_t i = 0; i < scene.count; ++i) {
    PointMatch match{{x(random), y(random)}, {}};
    match.to = map_point(map, match.from);
    for (double& value : match.to) value += scene.noise_px * noise(random);
    if (i < outliers) match.to = {x(random), y(random)};
    matches.push_back(match);
  }
  std::shuffle(matches.begin(), matches.end(), random);
  return matches;
}

}  // namespace skua::flight::test
