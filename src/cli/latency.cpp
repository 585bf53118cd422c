#include "cli/latency.h"

#include <algorithm>

namespace skua {

LatencySummary summarise(std::vector<std::int64_t> times_ns) {
  if (times_ns.empty()) return {};
  std::sort(times_ns.begin(), times_ns.end());
  const std::size_t count = times_ns.size();
  const auto percentile_us = [&](std::size_t percent) {
    const std::size_t rank = (count * percent + 99) / 100;
    return static_cast<double>(times_ns[std::max<std::size_t>(rank, 1) - 1]) / 1000.0;
  };
  return {count, percentile_us(50), percentile_us(95), percentile_us(99), percentile_us(100)};
}

}  // namespace skua
