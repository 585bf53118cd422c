// The plane-to-plane map that point matches agree on, and how sure it is of one point. Stands in for C4's
// pose in skua-flight: a flat map seen from above is a plane. Formulas: Hartley & Zisserman, Multiple View
// Geometry, 2nd ed., 4.1 (DLT), 4.7 (RANSAC), 5.2 (covariance by propagation).
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "flight/plane_fit.h"

namespace skua::flight {

/// How the covariance of a mapped point is had: `kMarginals` propagates the whole information matrix of the
/// homography's eight numbers, `kJacobian` a similarity's four alone, which is cheaper and coarser (the
/// throttled mode of D-CROSS-LATENCY-1). With fewer numbers that may be wrong it is never the larger one: the
/// two are about equal in the middle of the matches and part towards their rim and beyond.
enum class CovarianceMode : std::uint8_t { kMarginals, kJacobian };
const char* to_string(CovarianceMode mode) noexcept;  ///< "marginals", "jacobian"

struct HomographyOptions {
  double inlier_px = 3.0;
  int max_iterations = 500;  ///< of RANSAC; ends earlier once 99.9 % sure
  /// Fewer than 5 are taken for 5: four matches always agree, and say nothing of how well.
  std::size_t min_inliers = 12;
};

struct HomographyFit {
  Homography map{};
  std::size_t inliers = 0;
  double rms_px = 0.0;  ///< of the inliers' distances from where they should be
};

/// Fits and refits. All its memory is taken at construction. The same matches give the same answer (a fixed
/// seed each call). One thread.
class HomographySolver {
 public:
  /// Room for `most_matches`; of more than that the first ones are used.
  explicit HomographySolver(std::size_t most_matches, HomographyOptions options = {});
  /// False: fewer than min_inliers agree, or what they agree on is degenerate (a strip or spot no wider than
  /// inlier_px, mirrored, collapsed); `fit` and the last successful fit then stay as they were. Matches that
  /// are not finite, or beyond 1e7 pixels, are left out.
  /// Cost: never allocates; bounded by max_iterations times the matches.
  bool solve(const std::vector<PointMatch>& matches, HomographyFit& fit) noexcept;
  /// Variances (x, y) in square pixels of where `point` is mapped by the last successful fit; infinite before
  /// there was one, and on or behind the horizon. The matches' own noise is estimated from the inliers'
  /// distances, of which inlier_px cuts off the tail: noise near inlier_px / 2 is estimated too small.
  Point variance_at(const Point& point, CovarianceMode mode) const noexcept;

 private:
  void take_usable(const std::vector<PointMatch>& matches) noexcept;
  bool find_consensus(Homography& map) const noexcept;
  bool refine(Homography& map, PlaneFit& plane) noexcept;
  void collect_inliers(const Homography& map) noexcept;

  HomographyOptions options_;
  std::size_t most_matches_;
  bool has_fit_ = false;
  PlaneFit last_;
  std::vector<PointMatch> usable_, inliers_;
};

}  // namespace skua::flight
