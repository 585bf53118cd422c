// Each quantile against the sorted list of what was recorded.
#include "flight/latency_histogram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <random>
#include <vector>

#include "hot_path_counters.h"

namespace skua::flight::latency_histogram_tests {
namespace {

constexpr std::int64_t kRange = std::int64_t{1} << 40;

// Nearest rank of k/1000, in whole numbers.
std::int64_t exact_quantile(const std::vector<std::int64_t>& sorted, std::size_t thousandths) {
  const std::size_t rank = std::max<std::size_t>((sorted.size() * thousandths + 999) / 1000, 1);
  return sorted[rank - 1];
}

std::vector<std::int64_t> random_values(std::uint64_t seed, std::size_t count) {
  std::mt19937_64 random(seed);
  std::vector<std::int64_t> values;
  for (std::size_t i = 0; i < count; ++i) {
    // As many small as large ones: a random number of bits.
    values.push_back(static_cast<std::int64_t>(random() >> (24 + random() % 40)));
  }
  return values;
}

TEST(LatencyHistogram, QuantilesAreWithinASixtyFourthOfTheSortedList) {
  for (const std::size_t count : {1U, 2U, 7U, 100U, 1000U, 3001U}) {
    LatencyHistogram histogram;
    std::vector<std::int64_t> values = random_values(count, count);
    for (const std::int64_t value : values) histogram.record(value);
    std::sort(values.begin(), values.end());
    ASSERT_EQ(histogram.count(), count);
    EXPECT_EQ(histogram.max_ns(), values.back());
    for (std::size_t thousandths = 0; thousandths <= 1000; ++thousandths) {
      const std::int64_t exact = exact_quantile(values, thousandths);
      const std::int64_t found = histogram.quantile_ns(static_cast<double>(thousandths) / 1000.0);
      ASSERT_LE(found, values.back());
      ASSERT_GE(found, exact) << thousandths << " of " << count;
      ASSERT_LE(found - exact, exact / 64) << thousandths << " of " << count;
    }
  }
}

TEST(LatencyHistogram, MeanIsThatOfTheValues) {
  LatencyHistogram histogram;
  double sum = 0.0;
  const auto values = random_values(5, 2000);
  for (const std::int64_t value : values) {
    histogram.record(value);
    sum += static_cast<double>(value);
  }
  EXPECT_DOUBLE_EQ(histogram.mean_ns(), sum / 2000.0);
}

// Every boundary between buckets: the value below it and the value at it are told apart or share a bucket no
// wider than allowed, and none is lost.
TEST(LatencyHistogram, EveryPowerOfTwoKeepsItsPrecision) {
  for (int power = 0; power < 40; ++power) {
    for (const std::int64_t offset : {-1, 0, 1}) {
      const std::int64_t value = (std::int64_t{1} << power) + offset;
      LatencyHistogram histogram;
      histogram.record(value);
      histogram.record(kRange - 1);  // so that the maximum does not hide the bucket's end
      const std::int64_t found = histogram.quantile_ns(0.5);
      EXPECT_GE(found, value);
      EXPECT_LE(found - value, value / 64);
    }
  }
}

TEST(LatencyHistogram, AnEmptyOneIsZero) {
  const LatencyHistogram histogram;
  EXPECT_EQ(histogram.count(), 0U);
  EXPECT_EQ(histogram.max_ns(), 0);
  EXPECT_EQ(histogram.mean_ns(), 0.0);
  EXPECT_EQ(histogram.quantile_ns(0.5), 0);
}

TEST(LatencyHistogram, NegativeValuesCountAsZero) {
  LatencyHistogram histogram;
  histogram.record(std::numeric_limits<std::int64_t>::min());
  histogram.record(-1);
  EXPECT_EQ(histogram.count(), 2U);
  EXPECT_EQ(histogram.quantile_ns(1.0), 0);
  EXPECT_EQ(histogram.mean_ns(), 0.0);
}

TEST(LatencyHistogram, ValuesBeyondTheRangeAreCountedAndTheMaximumStaysExact) {
  LatencyHistogram histogram;
  histogram.record(1000);
  histogram.record(kRange - 1);
  histogram.record(kRange);
  histogram.record(std::numeric_limits<std::int64_t>::max());
  EXPECT_EQ(histogram.count(), 4U);
  EXPECT_EQ(histogram.max_ns(), std::numeric_limits<std::int64_t>::max());
  EXPECT_EQ(histogram.quantile_ns(0.5), kRange - 1);
  EXPECT_EQ(histogram.quantile_ns(0.75), std::numeric_limits<std::int64_t>::max());
}

TEST(LatencyHistogram, SharesOutsideZeroToOneAreTheEnds) {
  LatencyHistogram histogram;
  for (std::int64_t value = 10; value <= 20; ++value) histogram.record(value);
  EXPECT_EQ(histogram.quantile_ns(-1.0), 10);
  EXPECT_EQ(histogram.quantile_ns(0.0), 10);
  EXPECT_EQ(histogram.quantile_ns(0.5), 15);
  EXPECT_EQ(histogram.quantile_ns(1.0), 20);
  EXPECT_EQ(histogram.quantile_ns(7.0), 20);
  EXPECT_EQ(histogram.quantile_ns(std::nan("")), 10);
}

TEST(LatencyHistogram, RecordingNeitherAllocatesNorLocks) {
  std::unique_ptr<LatencyHistogram> histogram;
  const auto making = skua::test::count_hot_path([&] { histogram = std::make_unique<LatencyHistogram>(); });
  EXPECT_GT(making.allocations, 0U);  // the control: this is seen
  const auto values = random_values(9, 500);
  const auto recording = skua::test::count_hot_path([&] {
    for (const std::int64_t value : values) histogram->record(value);
  });
  EXPECT_EQ(recording.allocations + recording.locks, 0U);
  EXPECT_EQ(histogram->count(), 500U);
}

}  // namespace
}  // namespace skua::flight::latency_histogram_tests
