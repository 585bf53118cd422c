#include "flight/latency_histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

namespace skua::flight {

int LatencyHistogram::bucket_of(std::int64_t value) noexcept {
  constexpr std::int64_t kFirstCoarse = std::int64_t{1} << kSubBits;
  if (value < kFirstCoarse) return static_cast<int>(value);
  if (value >= std::int64_t{1} << kTopBit) return kBuckets - 1;
  const int shift = static_cast<int>(std::bit_width(static_cast<std::uint64_t>(value))) - 1 - kSubBits;
  return (shift << kSubBits) + static_cast<int>(value >> shift);
}

std::int64_t LatencyHistogram::upper_end(int bucket) noexcept {
  constexpr int kPerPower = 1 << kSubBits;
  if (bucket == kBuckets - 1) return std::numeric_limits<std::int64_t>::max();
  if (bucket < kPerPower) return bucket;
  const int shift = (bucket >> kSubBits) - 1;
  const std::int64_t first = std::int64_t{bucket - (shift << kSubBits)} << shift;
  return first + (std::int64_t{1} << shift) - 1;
}

void LatencyHistogram::record(std::int64_t value_ns) noexcept {
  const std::int64_t value = std::max<std::int64_t>(value_ns, 0);
  ++buckets_[static_cast<std::size_t>(bucket_of(value))];
  ++count_;
  max_ = std::max(max_, value);
  sum_ += static_cast<double>(value);
}

double LatencyHistogram::mean_ns() const noexcept {
  return count_ == 0 ? 0.0 : sum_ / static_cast<double>(count_);
}

std::int64_t LatencyHistogram::quantile_ns(double share) const noexcept {
  if (count_ == 0) return 0;
  // 0.07 * 100 is a little more than 7 in binary: without the factor its rank would be 8.
  const double wanted = std::ceil(share * static_cast<double>(count_) * (1.0 - 1e-12));
  std::uint64_t rank = 1;  // of a share that is NaN, too
  if (wanted >= static_cast<double>(count_)) {
    rank = count_;
  } else if (wanted > 1.0) {
    rank = static_cast<std::uint64_t>(wanted);
  }
  std::uint64_t below = 0;
  for (int bucket = 0; bucket < kBuckets; ++bucket) {
    below += buckets_[static_cast<std::size_t>(bucket)];
    if (below >= rank) return std::min(upper_end(bucket), max_);
  }
  return max_;
}

}  // namespace skua::flight
