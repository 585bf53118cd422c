// The fixed-size mathematics behind homography.h: a map from four matches, a map refined on many, and the
// variance of a mapped point. Pure functions on values; no allocation; any thread. Coordinates are finite and
// within 1e7 pixels.
#pragma once

#include <array>
#include <span>

namespace skua::flight {

using Point = std::array<double, 2>;

struct PointMatch {
  Point from, to;  ///< pixels
};

/// Row-major 3x3, [8] = 1.
using Homography = std::array<double, 9>;
/// Where `point` is mapped; not finite for a point on the map's horizon. (Not named apply: std::apply, found
/// because a Point is a std::array, would be preferred.)
Point map_point(const Homography& homography, const Point& point) noexcept;

/// normalised = (pixels - centre) * scale. Without it the equations' columns differ by a factor of a million
/// (Hartley & Zisserman 4.4).
struct Normalisation {
  Point centre{};
  double scale = 1.0;
};

/// The map that takes the four exactly, up to a positive factor, positive (third coordinate) at the matches:
/// [8] is not 1. False for a sample that no view of a plane from above gives: three points (nearly) on one
/// line, or an order that is mirrored.
bool map_of_four(const std::array<PointMatch, 4>& sample, Homography& map) noexcept;

/// A map in the normalised coordinates of the matches that it was fitted to, and how sure it is.
struct PlaneFit {
  Normalisation from, to;
  Homography normalised{};  ///< [8] = 1
  std::array<double, 64>
      factor{};                ///< lower Cholesky factor of J^T J, J the residuals' derivatives by [0..7]
  double squared_error = 0.0;  ///< sum over the matches; square pixels
  double matches = 0.0;
  Point mapped_centre{};       ///< of the mapped matches, pixels
  double mapped_spread = 0.0;  ///< sum of squared distances from there, square pixels
};

/// Starts from `start` (any factor) on at least five `matches`. False when they lie on a strip or spot no
/// wider than `least_spread_px` (root mean square, on either side): their agreement says nothing across it.
bool begin_fit(std::span<const PointMatch> matches, const Homography& start, double least_spread_px,
               PlaneFit& fit) noexcept;
/// One Gauss-Newton step on the reprojection error. False when the equations have no solution, or a match
/// lies on or behind the horizon.
bool improve(std::span<const PointMatch> matches, PlaneFit& fit) noexcept;
/// Fills the fields behind `normalised`, at the map as it is. False as of improve(), and for a map that
/// mirrors or collapses.
bool judge(std::span<const PointMatch> matches, PlaneFit& fit) noexcept;

/// The map in pixels, up to a factor; its third coordinate is positive at the matches.
Homography pixel_map(const PlaneFit& fit) noexcept;
/// Variance of the mapped `point` (pixels) for a noise variance of 1 in each coordinate of each match: by all
/// eight numbers (J S^-1 J^T), or by those of a similarity on the mapped side. Infinite on and behind the
/// horizon.
Point variance_of_eight(const PlaneFit& fit, const Point& point) noexcept;
Point variance_of_similarity(const PlaneFit& fit, const Point& point) noexcept;

}  // namespace skua::flight
