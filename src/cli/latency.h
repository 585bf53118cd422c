// Percentiles of measured times.
#pragma once

#include <cstdint>
#include <vector>

namespace skua {

struct LatencySummary {
  std::size_t count = 0;
  double p50_us = 0.0, p95_us = 0.0, p99_us = 0.0, max_us = 0.0;
};

/// Nearest-rank percentiles: the smallest measured time that at least p % of all do not exceed. Zeroes for no
/// times.
LatencySummary summarise(std::vector<std::int64_t> times_ns);

}  // namespace skua
