// What is said of measured times: percentiles of one subject, ratios of two with 95 % bounds, growth.
// No distribution is assumed: the bounds of a median are order statistics (binomial; Conover, Practical
// Nonparametric Statistics, section 3.2), and pairs are formed within a round, so that a slow moment of the
// machine hits both sides of a ratio.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace skua::bench {

struct Percentiles {
  std::size_t count = 0;
  double p50_us = 0.0, p95_us = 0.0, p99_us = 0.0, max_us = 0.0;
};

/// Nearest-rank percentiles: the smallest measured time that at least p % of all do not exceed. Zeroes for no
/// times.
Percentiles percentiles_of(std::vector<std::int64_t> times_ns);

/// A median and the bounds that contain the true one with at least 95 % confidence. With fewer than six
/// values no such bounds exist: `is_bounded` is false and lower/upper are the smallest and the largest value.
struct Estimate {
  double median = 0.0, lower = 0.0, upper = 0.0;
  std::size_t count = 0;
  bool is_bounded = false;
};
Estimate estimate_median(std::vector<double> values);
/// The same of a nearest-rank percentile, which `median` then holds. `percent`: 1 to 99. A high one needs
/// many values to have bounds: the 99th 368.
Estimate estimate_percentile(std::vector<double> values, std::size_t percent);
/// In another unit.
Estimate scaled(const Estimate& estimate, double factor) noexcept;

/// Median over rounds of subject/reference, and of subject - reference. Requires equal, non-zero sizes.
Estimate estimate_ratio(std::span<const double> subject, std::span<const double> reference);
Estimate estimate_difference(std::span<const double> subject, std::span<const double> reference);

/// Exponent b of cost = a * size^b by Theil and Sen (the median of all pairwise slopes in log-log): 1 is
/// linear. `sizes` and `costs` are parallel, positive, with at least two different sizes (else zeroes). The
/// bounds are Sen's, from Kendall's statistic; too few points for them leave the smallest and the largest
/// slope. `count` is the number of points.
Estimate estimate_growth(std::span<const double> sizes, std::span<const double> costs);
/// The exponent of every round by itself: a slow moment then spoils one value and not the slope. `costs`
/// holds, for each of `sizes`, one cost per round, of equally many rounds.
std::vector<double> exponents_by_round(std::span<const double> sizes,
                                       std::span<const std::vector<double>> costs);

}  // namespace skua::bench
