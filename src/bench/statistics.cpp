#include "bench/statistics.h"

#include <algorithm>
#include <cmath>
#include <functional>

namespace skua::bench {
namespace {

constexpr double kTail = 0.025;  // on either side: 95 % in between
constexpr double kNormalQuantile = 1.959963984540054;

/// The median of sorted values.
double middle_of(const std::vector<double>& sorted) {
  const std::size_t half = sorted.size() / 2;
  return sorted.size() % 2 == 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2.0;
}

/// The largest k for which the k-th smallest and the k-th largest of n values contain the median with at
/// least 95 % confidence; 0 when there is none. Each value lies below the median with probability 1/2, so the
/// k-th smallest is above it when fewer than k of n tosses fall below: the tail of a binomial distribution.
/// Summed in logarithms, because 2^-n underflows.
std::size_t rank_of_bounds(std::size_t n) {
  const double count = static_cast<double>(n);
  double log_probability = -count * std::log(2.0);
  double tail = 0.0;
  for (std::size_t k = 0; k <= n / 2; ++k) {
    tail += std::exp(log_probability);
    if (tail > kTail) return k;
    const double next = static_cast<double>(k) + 1.0;
    log_probability += std::log((count - next + 1.0) / next);
  }
  return n / 2;
}

Estimate bounded(const std::vector<double>& sorted, std::size_t lower_index, std::size_t upper_index) {
  return {middle_of(sorted), sorted[lower_index], sorted[upper_index], sorted.size(), true};
}

Estimate unbounded(const std::vector<double>& sorted) {
  return {middle_of(sorted), sorted.front(), sorted.back(), sorted.size(), false};
}

Estimate estimate_pairs(std::span<const double> subject, std::span<const double> reference,
                        const std::function<double(double, double)>& combine) {
  const std::size_t count = std::min(subject.size(), reference.size());
  std::vector<double> values(count);
  for (std::size_t i = 0; i < count; ++i) values[i] = combine(subject[i], reference[i]);
  return estimate_median(std::move(values));
}

/// Twice the half-width, in ranks, of the 95 % interval among sorted slopes: Sen (1968), from the variance of
/// Kendall's S with `sizes` tied in groups.
double spread_of_ranks(std::vector<double> sizes) {
  const auto term = [](double n) { return n * (n - 1.0) * (2.0 * n + 5.0); };
  std::sort(sizes.begin(), sizes.end());
  double variance = term(static_cast<double>(sizes.size()));
  for (auto group = sizes.begin(); group != sizes.end();) {
    const auto end = std::upper_bound(group, sizes.end(), *group);
    variance -= term(static_cast<double>(end - group));
    group = end;
  }
  return kNormalQuantile * std::sqrt(variance / 18.0);
}

}  // namespace

Percentiles percentiles_of(std::vector<std::int64_t> times_ns) {
  if (times_ns.empty()) return {};
  std::sort(times_ns.begin(), times_ns.end());
  const std::size_t count = times_ns.size();
  const auto percentile_us = [&](std::size_t percent) {
    const std::size_t rank = (count * percent + 99) / 100;
    return static_cast<double>(times_ns[std::max<std::size_t>(rank, 1) - 1]) / 1000.0;
  };
  return {count, percentile_us(50), percentile_us(95), percentile_us(99), percentile_us(100)};
}

Estimate estimate_median(std::vector<double> values) {
  if (values.empty()) return {};
  std::sort(values.begin(), values.end());
  const std::size_t rank = rank_of_bounds(values.size());
  if (rank == 0) return unbounded(values);
  return bounded(values, rank - 1, values.size() - rank);
}

Estimate estimate_ratio(std::span<const double> subject, std::span<const double> reference) {
  return estimate_pairs(subject, reference, [](double a, double b) { return a / b; });
}

Estimate estimate_difference(std::span<const double> subject, std::span<const double> reference) {
  return estimate_pairs(subject, reference, [](double a, double b) { return a - b; });
}

Estimate estimate_growth(std::span<const double> sizes, std::span<const double> costs) {
  std::vector<double> slopes;
  const std::size_t count = std::min(sizes.size(), costs.size());
  for (std::size_t i = 0; i < count; ++i) {
    for (std::size_t j = i + 1; j < count; ++j) {
      if (sizes[i] == sizes[j]) continue;
      slopes.push_back(std::log(costs[j] / costs[i]) / std::log(sizes[j] / sizes[i]));
    }
  }
  if (slopes.empty()) return {};
  std::sort(slopes.begin(), slopes.end());
  const double spread = spread_of_ranks({sizes.begin(), sizes.begin() + static_cast<std::ptrdiff_t>(count)});
  const double outside = std::floor((static_cast<double>(slopes.size()) - spread) / 2.0);
  Estimate growth = unbounded(slopes);
  if (outside >= 1.0) {
    const auto rank = static_cast<std::size_t>(outside);
    growth = bounded(slopes, rank - 1, slopes.size() - rank);
  }
  growth.count = count;
  return growth;
}

}  // namespace skua::bench
