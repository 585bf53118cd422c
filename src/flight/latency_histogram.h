// Latencies in fixed memory, HdrHistogram's way (hdrhistogram.org): buckets whose width grows with the value,
// so that every figure is kept to the same relative precision, and recording is one increment.
#pragma once

#include <array>
#include <cstdint>

namespace skua::flight {

/// Values from 0 to 2^40 ns (18.3 minutes) in nanoseconds; each is kept to 1/64 (1.6 %) or better. Count and
/// maximum are exact, the mean is the sum in double precision divided by the count. Recording allocates
/// nothing, takes no lock and cannot fail; one thread. The object is 18 KiB: keep it in place, not on a
/// stack.
///
/// Buckets: the values 0 to 63 have one each. From there on every power of two [2^k, 2^(k+1)), k = 6 to 39,
/// has 64 of equal width 2^(k-6): value v lies in bucket 64 * (k - 6) + (v >> (k - 6)). One last bucket holds
/// all from 2^40.
class LatencyHistogram {
 public:
  /// Negative values count as 0; those beyond the range count in the last bucket, the maximum stays exact.
  void record(std::int64_t value_ns) noexcept;
  std::uint64_t count() const noexcept { return count_; }
  std::int64_t max_ns() const noexcept { return max_; }
  double mean_ns() const noexcept;  ///< 0 when empty
  /// The smallest bucket's last value at or below which `share` (0..1) of the values lie, never above
  /// max_ns(); max_ns() when that is the last bucket; 0 when empty. Nearest rank: share 0 is the least
  /// value's bucket, 1 (and beyond) the maximum. Cost: a walk over the buckets, some microseconds.
  std::int64_t quantile_ns(double share) const noexcept;

 private:
  static constexpr int kSubBits = 6;  // 64 buckets per power of two
  static constexpr int kTopBit = 40;  // 2^40 ns = 18.3 minutes
  static constexpr int kBuckets = ((kTopBit - kSubBits + 1) << kSubBits) + 1;
  static int bucket_of(std::int64_t value) noexcept;
  static std::int64_t upper_end(int bucket) noexcept;

  std::array<std::uint64_t, kBuckets> buckets_{};
  std::uint64_t count_ = 0;
  std::int64_t max_ = 0;
  double sum_ = 0.0;
};

}  // namespace skua::flight
