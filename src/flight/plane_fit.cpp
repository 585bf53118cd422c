#include "flight/plane_fit.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numbers>
#include <utility>

namespace skua::flight {
namespace {

constexpr std::size_t kSize = 8;
using Vector8 = std::array<double, kSize>;
using Matrix8 = std::array<double, kSize * kSize>;

// A triangle lower than this share of its longest side counts as three points on one line.
constexpr double kLeastHeight = 0.01;
// A determinant in normalised coordinates is about 1; less than this squeezes a thousand to one.
constexpr double kLeastDeterminant = 1e-3;
constexpr double kLeastDenominator = 1e-6;
constexpr double kLeastPivot = 1e-12;
constexpr Point kUnknown = {std::numeric_limits<double>::infinity(), std::numeric_limits<double>::infinity()};

Point normalise(const Normalisation& norm, const Point& p) noexcept {
  return {(p[0] - norm.centre[0]) * norm.scale, (p[1] - norm.centre[1]) * norm.scale};
}

// Centre at the mean, mean distance sqrt(2). Of `side` (from or to) of the matches.
Normalisation normalisation_of(std::span<const PointMatch> matches, Point PointMatch::*side) noexcept {
  Normalisation norm;
  const auto count = static_cast<double>(matches.size());
  for (const PointMatch& match : matches) {
    norm.centre[0] += (match.*side)[0] / count;
    norm.centre[1] += (match.*side)[1] / count;
  }
  double distance = 0.0;
  for (const PointMatch& match : matches) {
    distance += std::hypot((match.*side)[0] - norm.centre[0], (match.*side)[1] - norm.centre[1]) / count;
  }
  norm.scale = distance > 0.0 ? std::numbers::sqrt2 / distance : 0.0;
  return norm;
}

// Inverse of `to` times `map` times `from`.
Homography to_pixels(const Homography& map, const Normalisation& from, const Normalisation& to) noexcept {
  Homography out{};
  for (std::size_t row = 0; row < 3; ++row) {
    const double* h = map.data() + 3 * row;
    out[3 * row] = h[0] * from.scale;
    out[3 * row + 1] = h[1] * from.scale;
    out[3 * row + 2] = h[2] - from.scale * (h[0] * from.centre[0] + h[1] * from.centre[1]);
  }
  for (std::size_t i = 0; i < 6; ++i) out[i] = out[i] / to.scale + to.centre[i / 3] * out[6 + i % 3];
  return out;
}

// `to` times `map` times the inverse of `from`.
Homography to_normalised(const Homography& map, const Normalisation& from, const Normalisation& to) noexcept {
  Homography out{};
  for (std::size_t row = 0; row < 3; ++row) {
    const double* h = map.data() + 3 * row;
    out[3 * row] = h[0] / from.scale;
    out[3 * row + 1] = h[1] / from.scale;
    out[3 * row + 2] = h[2] + h[0] * from.centre[0] + h[1] * from.centre[1];
  }
  for (std::size_t i = 0; i < 6; ++i) out[i] = (out[i] - to.centre[i / 3] * out[6 + i % 3]) * to.scale;
  return out;
}

// +1, -1, or 0 for three points on one line.
int turn(const Point& a, const Point& b, const Point& c) noexcept {
  const double abx = b[0] - a[0], aby = b[1] - a[1], acx = c[0] - a[0], acy = c[1] - a[1];
  const double bcx = acx - abx, bcy = acy - aby;
  const double area = abx * acy - aby * acx;
  const double longest = std::max({abx * abx + aby * aby, acx * acx + acy * acy, bcx * bcx + bcy * bcy});
  if (std::abs(area) <= kLeastHeight * longest) return 0;
  return area > 0.0 ? 1 : -1;
}

// Every triangle keeps its orientation: then no three are on one line, nothing is mirrored, and no horizon
// passes between the points.
bool is_seen_from_above(const std::array<PointMatch, 4>& m) noexcept {
  constexpr std::size_t kTriangles[4][3] = {{0, 1, 2}, {0, 1, 3}, {0, 2, 3}, {1, 2, 3}};
  for (const auto& t : kTriangles) {
    const int from = turn(m[t[0]].from, m[t[1]].from, m[t[2]].from);
    if (from == 0 || from != turn(m[t[0]].to, m[t[1]].to, m[t[2]].to)) return false;
  }
  return true;
}

// Gaussian elimination with partial pivoting; the answer is left in `b`.
bool solve_linear(Matrix8& a, Vector8& b) noexcept {
  for (std::size_t column = 0; column < kSize; ++column) {
    std::size_t pivot = column;
    for (std::size_t row = column + 1; row < kSize; ++row) {
      if (std::abs(a[row * kSize + column]) > std::abs(a[pivot * kSize + column])) pivot = row;
    }
    if (!(std::abs(a[pivot * kSize + column]) > kLeastPivot)) return false;
    if (pivot != column) {
      std::swap_ranges(&a[pivot * kSize], &a[pivot * kSize] + kSize, &a[column * kSize]);
      std::swap(b[pivot], b[column]);
    }
    for (std::size_t row = column + 1; row < kSize; ++row) {
      const double factor = a[row * kSize + column] / a[column * kSize + column];
      if (factor == 0.0) continue;
      for (std::size_t k = column; k < kSize; ++k) a[row * kSize + k] -= factor * a[column * kSize + k];
      b[row] -= factor * b[column];
    }
  }
  for (std::size_t row = kSize; row-- > 0;) {
    for (std::size_t k = row + 1; k < kSize; ++k) b[row] -= a[row * kSize + k] * b[k];
    b[row] /= a[row * kSize + row];
  }
  return true;
}

// Lower factor in place of the lower half; the upper half is left alone.
bool factorise(Matrix8& a) noexcept {
  for (std::size_t i = 0; i < kSize; ++i) {
    const double diagonal = a[i * kSize + i];
    for (std::size_t j = 0; j <= i; ++j) {
      double sum = a[i * kSize + j];
      for (std::size_t k = 0; k < j; ++k) sum -= a[i * kSize + k] * a[j * kSize + k];
      if (j < i) {
        a[i * kSize + j] = sum / a[j * kSize + j];
      } else if (sum > kLeastPivot * diagonal) {  // false for NaN, too
        a[i * kSize + i] = std::sqrt(sum);
      } else {
        return false;
      }
    }
  }
  return true;
}

// L y = b, in place.
void solve_lower(const Matrix8& factor, Vector8& b) noexcept {
  for (std::size_t i = 0; i < kSize; ++i) {
    for (std::size_t k = 0; k < i; ++k) b[i] -= factor[i * kSize + k] * b[k];
    b[i] /= factor[i * kSize + i];
  }
}

// L^T x = y, in place.
void solve_upper(const Matrix8& factor, Vector8& b) noexcept {
  for (std::size_t i = kSize; i-- > 0;) {
    for (std::size_t k = i + 1; k < kSize; ++k) b[i] -= factor[k * kSize + i] * b[k];
    b[i] /= factor[i * kSize + i];
  }
}

// The normal equations J^T J d = J^T r. With p = (x, y, 1), w the denominator and (u, v) the mapped point, a
// match's two rows of J are (p, 0, -u x, -u y) / w and (0, p, -v x, -v y) / w: all 64 sums are sums of the
// six products of p, times 1, u, v or u^2 + v^2.
struct Equations {
  using Products = std::array<double, 6>;  // xx, xy, x, yy, y, 1
  Products plain{}, by_u{}, by_v{}, by_square{};
  Vector8 right{};
  double squared_error = 0.0;

  bool add(const Homography& h, const Point& from, const Point& to) noexcept;
  Matrix8 matrix() const noexcept;
};

bool Equations::add(const Homography& h, const Point& from, const Point& to) noexcept {
  const double x = from[0], y = from[1];
  const double w = h[6] * x + h[7] * y + 1.0;
  if (!(w > kLeastDenominator)) return false;
  const double s = 1.0 / w, s2 = s * s;
  const double u = (h[0] * x + h[1] * y + h[2]) * s, v = (h[3] * x + h[4] * y + h[5]) * s;
  const double ru = (to[0] - u) * s, rv = (to[1] - v) * s;
  const Products products = {s2 * x * x, s2 * x * y, s2 * x, s2 * y * y, s2 * y, s2};
  const double square = u * u + v * v, turned = -(u * ru + v * rv);
  for (std::size_t i = 0; i < products.size(); ++i) {
    plain[i] += products[i];
    by_u[i] += u * products[i];
    by_v[i] += v * products[i];
    by_square[i] += square * products[i];
  }
  const Vector8 add_right = {ru * x, ru * y, ru, rv * x, rv * y, rv, turned * x, turned * y};
  for (std::size_t i = 0; i < kSize; ++i) right[i] += add_right[i];
  squared_error += (ru * ru + rv * rv) * w * w;
  return true;
}

// The lower half.
Matrix8 Equations::matrix() const noexcept {
  constexpr std::size_t kProduct[3][3] = {{0, 1, 2}, {1, 3, 4}, {2, 4, 5}};
  Matrix8 a{};
  for (std::size_t i = 0; i < 3; ++i) {
    for (std::size_t j = 0; j < 3; ++j) {
      a[i * kSize + j] = a[(i + 3) * kSize + j + 3] = plain[kProduct[i][j]];
      if (i == 2) continue;
      a[(i + 6) * kSize + j] = -by_u[kProduct[i][j]];
      a[(i + 6) * kSize + j + 3] = -by_v[kProduct[i][j]];
      if (j < 2) a[(i + 6) * kSize + j + 6] = by_square[kProduct[i][j]];
    }
  }
  return a;
}

bool add_all(std::span<const PointMatch> matches, const PlaneFit& fit, Equations& equations) noexcept {
  for (const PointMatch& match : matches) {
    if (!equations.add(fit.normalised, normalise(fit.from, match.from), normalise(fit.to, match.to))) {
      return false;
    }
  }
  return true;
}

// Root mean square across the narrowest direction: of the smaller eigenvalue of the 2x2 covariance.
double least_spread(std::span<const PointMatch> matches, Point PointMatch::*side,
                    const Point& centre) noexcept {
  double xx = 0.0, xy = 0.0, yy = 0.0;
  for (const PointMatch& match : matches) {
    const double x = (match.*side)[0] - centre[0], y = (match.*side)[1] - centre[1];
    xx += x * x;
    xy += x * y;
    yy += y * y;
  }
  const double smaller = 0.5 * (xx + yy) - std::hypot(0.5 * (xx - yy), xy);
  return std::sqrt(std::max(smaller, 0.0) / static_cast<double>(matches.size()));
}

double determinant(const Homography& h) noexcept {
  return h[0] * (h[4] * h[8] - h[5] * h[7]) - h[1] * (h[3] * h[8] - h[5] * h[6]) +
         h[2] * (h[3] * h[7] - h[4] * h[6]);
}

void measure_mapped(std::span<const PointMatch> matches, PlaneFit& fit) noexcept {
  const Homography map = pixel_map(fit);
  fit.mapped_centre = {};
  fit.mapped_spread = 0.0;
  for (const PointMatch& match : matches) {
    const Point mapped = map_point(map, match.from);
    fit.mapped_centre[0] += mapped[0] / fit.matches;
    fit.mapped_centre[1] += mapped[1] / fit.matches;
  }
  for (const PointMatch& match : matches) {
    const Point mapped = map_point(map, match.from);
    const double x = mapped[0] - fit.mapped_centre[0], y = mapped[1] - fit.mapped_centre[1];
    fit.mapped_spread += x * x + y * y;
  }
}

}  // namespace

Point map_point(const Homography& h, const Point& p) noexcept {
  const double w = h[6] * p[0] + h[7] * p[1] + h[8];
  return {(h[0] * p[0] + h[1] * p[1] + h[2]) / w, (h[3] * p[0] + h[4] * p[1] + h[5]) / w};
}

bool map_of_four(const std::array<PointMatch, 4>& sample, Homography& map) noexcept {
  if (!is_seen_from_above(sample)) return false;
  const Normalisation from = normalisation_of(sample, &PointMatch::from);
  const Normalisation to = normalisation_of(sample, &PointMatch::to);
  Matrix8 a{};
  Vector8 h{};
  // [8] = 1 is the denominator at the sample's centre: positive, as the four around it keep their
  // orientation.
  for (std::size_t i = 0; i < sample.size(); ++i) {
    const auto [x, y] = normalise(from, sample[i].from);
    const auto [u, v] = normalise(to, sample[i].to);
    const Vector8 row_u = {x, y, 1.0, 0.0, 0.0, 0.0, -u * x, -u * y};
    const Vector8 row_v = {0.0, 0.0, 0.0, x, y, 1.0, -v * x, -v * y};
    std::copy(row_u.begin(), row_u.end(), &a[2 * i * kSize]);
    std::copy(row_v.begin(), row_v.end(), &a[(2 * i + 1) * kSize]);
    h[2 * i] = u;
    h[2 * i + 1] = v;
  }
  if (!solve_linear(a, h)) return false;
  map = to_pixels({h[0], h[1], h[2], h[3], h[4], h[5], h[6], h[7], 1.0}, from, to);
  return true;
}

bool begin_fit(std::span<const PointMatch> matches, const Homography& start, double least_spread_px,
               PlaneFit& fit) noexcept {
  fit.from = normalisation_of(matches, &PointMatch::from);
  fit.to = normalisation_of(matches, &PointMatch::to);
  if (!(least_spread(matches, &PointMatch::from, fit.from.centre) > least_spread_px) ||
      !(least_spread(matches, &PointMatch::to, fit.to.centre) > least_spread_px)) {
    return false;
  }
  Homography normalised = to_normalised(start, fit.from, fit.to);
  const double last = normalised[8];  // the denominator at the matches' centre
  if (last == 0.0) return false;
  for (double& value : normalised) value /= last;
  fit.normalised = normalised;
  return true;
}

bool improve(std::span<const PointMatch> matches, PlaneFit& fit) noexcept {
  Equations equations;
  if (!add_all(matches, fit, equations)) return false;
  Matrix8 factor = equations.matrix();
  if (!factorise(factor)) return false;
  Vector8 step = equations.right;
  solve_lower(factor, step);
  solve_upper(factor, step);
  for (std::size_t i = 0; i < kSize; ++i) fit.normalised[i] += step[i];
  return true;
}

bool judge(std::span<const PointMatch> matches, PlaneFit& fit) noexcept {
  Equations equations;
  if (!add_all(matches, fit, equations)) return false;
  fit.factor = equations.matrix();
  if (!factorise(fit.factor) || !(determinant(fit.normalised) > kLeastDeterminant)) return false;
  fit.squared_error = equations.squared_error / (fit.to.scale * fit.to.scale);
  fit.matches = static_cast<double>(matches.size());
  measure_mapped(matches, fit);
  return true;
}

Homography pixel_map(const PlaneFit& fit) noexcept { return to_pixels(fit.normalised, fit.from, fit.to); }

Point variance_of_eight(const PlaneFit& fit, const Point& point) noexcept {
  const Homography& h = fit.normalised;
  const auto [x, y] = normalise(fit.from, point);
  const double w = h[6] * x + h[7] * y + 1.0;
  if (!(w > kLeastDenominator)) return kUnknown;
  const double s = 1.0 / w;
  const auto [u, v] = map_point(h, {x, y});
  Vector8 row_u = {s * x, s * y, s, 0.0, 0.0, 0.0, -s * u * x, -s * u * y};
  Vector8 row_v = {0.0, 0.0, 0.0, s * x, s * y, s, -s * v * x, -s * v * y};
  solve_lower(fit.factor, row_u);
  solve_lower(fit.factor, row_v);
  // Noise and answer are both in normalised coordinates of the mapped side: its scale cancels.
  Point variance{};
  for (std::size_t i = 0; i < kSize; ++i) {
    variance[0] += row_u[i] * row_u[i];
    variance[1] += row_v[i] * row_v[i];
  }
  return variance;
}

Point variance_of_similarity(const PlaneFit& fit, const Point& point) noexcept {
  const auto [from_x, from_y] = normalise(fit.from, point);
  if (!(fit.normalised[6] * from_x + fit.normalised[7] * from_y + 1.0 > kLeastDenominator)) return kUnknown;
  // Around the mapped matches' centre the four columns of J are orthogonal: two shifts of squared length n,
  // rotation and scale of squared length mapped_spread.
  const Point mapped = map_point(pixel_map(fit), point);
  const double x = mapped[0] - fit.mapped_centre[0], y = mapped[1] - fit.mapped_centre[1];
  const double variance = 1.0 / fit.matches + (x * x + y * y) / fit.mapped_spread;
  return {variance, variance};
}

}  // namespace skua::flight
