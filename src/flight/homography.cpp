#include "flight/homography.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <span>

namespace skua::flight {
namespace {

constexpr std::size_t kSample = 4;
constexpr double kDoubt = 0.001;           // that no sample was free of outliers
constexpr double kFarthest = 1e7;          // pixels; squares and products stay far from overflow
constexpr double kLeastOrigin = 1e-9;      // [8] beside the largest coefficient of the third row
constexpr std::uint64_t kSeed = 20260101;  // any; fixed, so that a flight can be replayed

/// splitmix64: two lines, and the same numbers from every library.
class Random {
 public:
  std::size_t below(std::size_t bound) noexcept {
    state_ += 0x9E3779B97F4A7C15U;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27U)) * 0x94D049BB133111EBU;
    z ^= z >> 31U;
    return static_cast<std::size_t>(((z >> 32U) * bound) >> 32U);
  }

 private:
  std::uint64_t state_ = kSeed;
};

// Four different ones of `count`, without trying again (Floyd).
std::array<std::size_t, kSample> pick_four(std::size_t count, Random& random) noexcept {
  std::array<std::size_t, kSample> picked{};
  for (std::size_t i = 0; i < kSample; ++i) {
    const std::size_t last = count - kSample + i;
    const std::size_t candidate = random.below(last + 1);
    const auto end = picked.begin() + static_cast<std::ptrdiff_t>(i);
    picked[i] = std::find(picked.begin(), end, candidate) == end ? candidate : last;
  }
  return picked;
}

// Squared distance of a match from where the map puts it; infinite on or behind the horizon.
double squared_error(const Homography& h, const PointMatch& match) noexcept {
  const double x = match.from[0], y = match.from[1];
  const double w = h[6] * x + h[7] * y + h[8];
  if (!(w > 0.0)) return std::numeric_limits<double>::infinity();
  const double s = 1.0 / w;
  const double dx = (h[0] * x + h[1] * y + h[2]) * s - match.to[0];
  const double dy = (h[3] * x + h[4] * y + h[5]) * s - match.to[1];
  return dx * dx + dy * dy;
}

struct Score {
  double cost = std::numeric_limits<double>::infinity();  // outliers count as the bound (MSAC)
  std::size_t inliers = 0;
};

// Stops as soon as it cannot be better than `best` any more; its cost is then at least that.
Score score_of(const Homography& map, std::span<const PointMatch> matches, double bound,
               double best) noexcept {
  Score score{0.0, 0};
  for (const PointMatch& match : matches) {
    const double error = squared_error(map, match);
    const bool is_inlier = error < bound;
    score.cost += is_inlier ? error : bound;
    score.inliers += is_inlier ? 1U : 0U;
    if (score.cost >= best) break;
  }
  return score;
}

// Samples until one of them was free of outliers with all but kDoubt.
double samples_needed(std::size_t inliers, std::size_t count) noexcept {
  const double share = static_cast<double>(inliers) / static_cast<double>(count);
  const double is_clean = std::min(std::pow(share, static_cast<double>(kSample)), 1.0 - 1e-9);
  return std::log(kDoubt) / std::log1p(-is_clean);
}

bool is_usable(const PointMatch& match) noexcept {
  const auto is_near = [](double value) { return std::abs(value) <= kFarthest; };  // false for NaN
  return is_near(match.from[0]) && is_near(match.from[1]) && is_near(match.to[0]) && is_near(match.to[1]);
}

// [8] = 1. False when the horizon passes through the origin: such a map has no form of this kind.
bool scale_to_one(Homography& map) noexcept {
  const double last = map[8];
  if (!(std::abs(last) > kLeastOrigin * std::max(std::abs(map[6]), std::abs(map[7])))) return false;
  for (double& value : map) value /= last;
  return std::all_of(map.begin(), map.end(), [](double value) { return std::isfinite(value); });
}

}  // namespace

const char* to_string(CovarianceMode mode) noexcept {
  return mode == CovarianceMode::kMarginals ? "marginals" : "jacobian";
}

HomographySolver::HomographySolver(std::size_t most_matches, HomographyOptions options)
    : options_(options), most_matches_(most_matches) {
  options_.min_inliers = std::max<std::size_t>(options_.min_inliers, kSample + 1);
  usable_.reserve(most_matches);
  inliers_.reserve(most_matches);
}

void HomographySolver::take_usable(const std::vector<PointMatch>& matches) noexcept {
  usable_.clear();
  for (const PointMatch& match : matches) {
    if (usable_.size() == most_matches_) break;
    if (is_usable(match)) usable_.push_back(match);
  }
}

bool HomographySolver::find_consensus(Homography& map) const noexcept {
  const double bound = options_.inlier_px * options_.inlier_px;
  Random random;
  Score best;
  double needed = options_.max_iterations;
  for (int i = 0; i < options_.max_iterations && i < needed; ++i) {
    const auto picked = pick_four(usable_.size(), random);
    const std::array<PointMatch, kSample> sample = {usable_[picked[0]], usable_[picked[1]],
                                                    usable_[picked[2]], usable_[picked[3]]};
    Homography candidate{};
    if (!map_of_four(sample, candidate)) continue;
    const Score score = score_of(candidate, usable_, bound, best.cost);
    if (!(score.cost < best.cost)) continue;
    best = score;
    map = candidate;
    needed = samples_needed(best.inliers, usable_.size());
  }
  return best.inliers >= options_.min_inliers;
}

void HomographySolver::collect_inliers(const Homography& map) noexcept {
  const double bound = options_.inlier_px * options_.inlier_px;
  inliers_.clear();
  for (const PointMatch& match : usable_) {
    if (squared_error(map, match) < bound) inliers_.push_back(match);
  }
}

// Twice: the first fit decides anew who agrees.
bool HomographySolver::refine(Homography& map, PlaneFit& plane) noexcept {
  constexpr std::array kSteps = {2, 1};
  for (const int steps : kSteps) {
    collect_inliers(map);
    if (inliers_.size() < options_.min_inliers) return false;
    if (!begin_fit(inliers_, map, options_.inlier_px, plane)) return false;
    for (int step = 0; step < steps; ++step) {
      if (!improve(inliers_, plane)) return false;
    }
    map = pixel_map(plane);
  }
  return judge(inliers_, plane);
}

bool HomographySolver::solve(const std::vector<PointMatch>& matches, HomographyFit& fit) noexcept {
  take_usable(matches);
  if (usable_.size() < options_.min_inliers) return false;
  Homography map{};
  PlaneFit plane;
  if (!find_consensus(map) || !refine(map, plane) || !scale_to_one(map)) return false;
  const double rms = std::sqrt(plane.squared_error / plane.matches);
  if (!(rms <= options_.inlier_px)) return false;  // the refinement has run away
  fit = {map, inliers_.size(), rms};
  last_ = plane;
  has_fit_ = true;
  return true;
}

Point HomographySolver::variance_at(const Point& point, CovarianceMode mode) const noexcept {
  if (!has_fit_) {
    return {std::numeric_limits<double>::infinity(), std::numeric_limits<double>::infinity()};
  }
  Point variance = mode == CovarianceMode::kMarginals ? variance_of_eight(last_, point)
                                                      : variance_of_similarity(last_, point);
  // Two equations a match, less the eight numbers that were chosen to please them.
  const double noise = last_.squared_error / (2.0 * last_.matches - 8.0);
  for (double& value : variance) value *= noise;
  return variance;
}

}  // namespace skua::flight
