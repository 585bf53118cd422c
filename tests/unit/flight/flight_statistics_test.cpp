// What frames add up to.
#include "flight/flight_statistics.h"

#include <gtest/gtest.h>

#include "hot_path_counters.h"

namespace skua::flight {
namespace {

FrameResult frame(Reason reason, std::int64_t vpr_ns, std::int64_t adhop_ns = 0) {
  FrameResult result;
  result.reason = reason;
  result.took(Stage::kVpr) = vpr_ns;
  result.took(Stage::kAdhop) = adhop_ns;
  return result;
}

TEST(FlightStatisticsTest, CountsFramesByWhatBecameOfThem) {
  FlightStatistics statistics;
  EXPECT_EQ(statistics.frames(), 0U);
  FrameResult refined = frame(Reason::kNone, 100, 50), throttled = frame(Reason::kNone, 100);
  FrameResult late = frame(Reason::kDeadlineMissed, 100, 50);
  refined.is_refined = late.is_refined = true;
  throttled.is_throttled = true;
  statistics.add(refined);
  statistics.add(throttled);
  statistics.add(frame(Reason::kNoPosition, 100));
  statistics.add(late);
  statistics.add(frame(Reason::kDeadlineMissed, 0));
  EXPECT_EQ(statistics.frames(), 5U);
  EXPECT_EQ(statistics.positions(), 2U);
  EXPECT_EQ(statistics.no_results(), 3U);
  EXPECT_EQ(statistics.refined(), 1U) << "positions that were refined";
  EXPECT_EQ(statistics.throttled(), 1U);
  EXPECT_EQ(statistics.failed(Reason::kNoPosition), 1U);
  EXPECT_EQ(statistics.failed(Reason::kDeadlineMissed), 2U);
  EXPECT_EQ(statistics.failed(Reason::kDeviceLost), 0U);
  EXPECT_EQ(statistics.failed(Reason::kNone), 0U) << "a position is no failure";
}

TEST(FlightStatisticsTest, AStageThatDidNotRunHasNoLatency) {
  FlightStatistics statistics;
  statistics.add(frame(Reason::kNone, 300, 50));
  statistics.add(frame(Reason::kNone, 100));
  EXPECT_EQ(statistics.latency(Stage::kVpr).count(), 2U);
  EXPECT_EQ(statistics.latency(Stage::kVpr).max_ns(), 300);
  EXPECT_EQ(statistics.latency(Stage::kAdhop).count(), 1U);
  EXPECT_EQ(statistics.latency(Stage::kMatch).count(), 0U);
}

TEST(FlightStatisticsTest, AddingAllocatesAndLocksNothing) {
  FlightStatistics statistics;
  const FrameResult result = frame(Reason::kNoPosition, 100);
  const auto counts = skua::test::count_hot_path([&] { statistics.add(result); });
  EXPECT_EQ(counts.allocations + counts.locks, 0U);
  EXPECT_EQ(statistics.frames(), 1U);
}

}  // namespace
}  // namespace skua::flight
