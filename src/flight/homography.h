// The plane-to-plane map that point matches agree on, and how sure it is of one point. Stands in for C4's
// pose in skua-flight: a flat map seen from above is a plane. Formulas: Hartley & Zisserman, Multiple View
// Geometry, 2nd ed., 4.1 (DLT), 4.7 (RANSAC), 5.2 (covariance by propagation).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace skua::flight {

using Point = std::array<double, 2>;

struct PointMatch {
  Point from, to;  ///< pixels
};

/// Row-major 3x3, [8] = 1.
using Homography = std::array<double, 9>;
Point apply(const Homography& homography, const Point& point) noexcept;

/// How the covariance of a mapped point is had: `kMarginals` propagates the whole information matrix of the
/// homography's eight numbers, `kJacobian` a similarity's four alone, which is cheaper and coarser (the
/// throttled mode of D-CROSS-LATENCY-1).
enum class CovarianceMode : std::uint8_t { kMarginals, kJacobian };
const char* to_string(CovarianceMode mode) noexcept;

struct HomographyOptions {
  double inlier_px = 3.0;
  int max_iterations = 500;  ///< of RANSAC; ends earlier once 99.9 % sure
  std::size_t min_inliers = 12;
};

struct HomographyFit {
  Homography map{};
  std::size_t inliers = 0;
  double rms_px = 0.0;  ///< of the inliers
};

/// Fits and refits. Keeps its memory: after the first call with the most matches nothing is allocated. The
/// same matches give the same answer (a fixed seed each call). One thread.
class HomographySolver {
 public:
  /// Room for `most_matches`, so that no later call allocates.
  explicit HomographySolver(std::size_t most_matches, HomographyOptions options = {});
  /// False: fewer than min_inliers agree, or what they agree on is degenerate (mirrored, collapsed).
  bool solve(const std::vector<PointMatch>& matches, HomographyFit& fit) noexcept;
  /// Variances (x, y) in square pixels of where `point` is mapped by the last successful fit.
  Point variance_at(const Point& point, CovarianceMode mode) const noexcept;

 private:
  HomographyOptions options_;
  HomographyFit last_;
  std::vector<PointMatch> inliers_;
};

}  // namespace skua::flight
