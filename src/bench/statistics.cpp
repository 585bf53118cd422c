#include "bench/statistics.h"

#include <algorithm>
#include <cmath>
#include <functional>

namespace skua::bench {
namespace {

constexpr double kTail = 0.025;  // on either side: 95 % in between
constexpr double kNormalQuantile = 1.959963984540054;

/// Counted from 1: the smallest of n sorted values that at least `percent` % of all do not exceed.
std::size_t nearest_rank(std::size_t n, std::size_t percent) noexcept {
  return std::max<std::size_t>((n * percent + 99) / 100, 1);
}

/// The median of sorted values.
double middle_of(const std::vector<double>& sorted) {
  const std::size_t half = sorted.size() / 2;
  return sorted.size() % 2 == 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2.0;
}

/// Which of n sorted values, counted from 1, bound a quantile; below 1 or above n where there is none.
struct Ranks {
  std::size_t lower = 0, upper = 0;
};

/// The largest rank whose value lies above the quantile, and the smallest whose value lies below it, with no
/// more than a tail's probability. Each value lies below the quantile with probability `share`, so the k-th
/// smallest is above it when fewer than k of n tosses fall below: a binomial distribution. Summed in
/// logarithms, because its first term underflows.
Ranks ranks_of_bounds(std::size_t n, double share) {
  const double count = static_cast<double>(n), odds = std::log(share / (1.0 - share));
  double log_probability = count * std::log(1.0 - share), below = 0.0;  // of fewer than k
  Ranks ranks{0, n + 1};
  for (std::size_t k = 0; k <= n; ++k) {
    if (below <= kTail) ranks.lower = k;
    if (1.0 - below <= kTail) {
      ranks.upper = k;
      break;
    }
    below += std::exp(log_probability);
    const double next = static_cast<double>(k) + 1.0;
    log_probability += std::log((count - next + 1.0) / next) + odds;
  }
  return ranks;
}

/// `value` with the bounds that the ranks say, or with the smallest and the largest value.
Estimate with_bounds(double value, const std::vector<double>& sorted, const Ranks& ranks) {
  const bool is_bounded = ranks.lower >= 1 && ranks.upper <= sorted.size();
  const std::size_t lower = is_bounded ? ranks.lower : 1, upper = is_bounded ? ranks.upper : sorted.size();
  return {value, sorted[lower - 1], sorted[upper - 1], sorted.size(), is_bounded};
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
    return static_cast<double>(times_ns[nearest_rank(count, percent) - 1]) / 1000.0;
  };
  return {count, percentile_us(50), percentile_us(95), percentile_us(99), percentile_us(100)};
}

Estimate estimate_median(std::vector<double> values) {
  if (values.empty()) return {};
  std::sort(values.begin(), values.end());
  return with_bounds(middle_of(values), values, ranks_of_bounds(values.size(), 0.5));
}

Estimate estimate_percentile(std::vector<double> values, std::size_t percent) {
  if (values.empty()) return {};
  std::sort(values.begin(), values.end());
  const double value = values[nearest_rank(values.size(), percent) - 1];
  return with_bounds(value, values, ranks_of_bounds(values.size(), static_cast<double>(percent) / 100.0));
}

Estimate scaled(const Estimate& estimate, double factor) noexcept {
  return {estimate.median * factor, estimate.lower * factor, estimate.upper * factor, estimate.count,
          estimate.is_bounded};
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
  const auto rank = outside >= 1.0 ? static_cast<std::size_t>(outside) : 0;
  Estimate growth = with_bounds(middle_of(slopes), slopes, {rank, slopes.size() - rank + 1});
  growth.count = count;
  return growth;
}

std::vector<double> exponents_by_round(std::span<const double> sizes,
                                       std::span<const std::vector<double>> costs) {
  std::vector<double> exponents;
  for (std::size_t round = 0; !costs.empty() && round < costs.front().size(); ++round) {
    std::vector<double> of_round;
    for (const std::vector<double>& of_size : costs) of_round.push_back(of_size[round]);
    exponents.push_back(estimate_growth(sizes, of_round).median);
  }
  return exponents;
}

}  // namespace skua::bench
