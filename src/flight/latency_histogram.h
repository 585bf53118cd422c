// Latencies in fixed memory, HdrHistogram's way (hdrhistogram.org): buckets whose width grows with the value,
// so that every figure is kept to the same relative precision, and recording is one increment.
#pragma once

#include <array>
#include <cstdint>

namespace skua::flight {

/// Values from 0 to about 18 minutes in nanoseconds; each is kept to 1/64 (1.6 %) or better, count, mean and
/// maximum are exact. Recording allocates nothing, takes no lock and cannot fail; one thread.
class LatencyHistogram {
 public:
  /// Negative values count as 0; those beyond the range count in the last bucket, the maximum stays exact.
  void record(std::int64_t value_ns) noexcept;
  std::uint64_t count() const noexcept { return count_; }
  std::int64_t max_ns() const noexcept { return max_; }
  double mean_ns() const noexcept;
  /// The smallest bucket's upper end below or at which `share` (0..1) of the values lie, never above
  /// max_ns(); 0 when empty. Nearest rank.
  std::int64_t quantile_ns(double share) const noexcept;

 private:
  static constexpr int kSubBits = 6;  // 64 buckets per power of two
  static constexpr int kTopBit = 40;  // 2^40 ns = 18.3 minutes
  static constexpr int kBuckets = (kTopBit - kSubBits + 2) << kSubBits;
  static int bucket_of(std::int64_t value) noexcept;
  static std::int64_t upper_end(int bucket) noexcept;

  std::array<std::uint64_t, kBuckets> buckets_{};
  std::uint64_t count_ = 0;
  std::int64_t max_ = 0;
  double sum_ = 0.0;
};

}  // namespace skua::flight
