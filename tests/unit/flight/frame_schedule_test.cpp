#include "flight/frame_schedule.h"

#include <gtest/gtest.h>

namespace skua::flight {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;

TEST(FrameSchedule, SlotsAreDueAtStartAndEveryPeriodAfter) {
  const FrameSchedule schedule(5 * kSecond, 2.0, 0);
  EXPECT_EQ(schedule.slot(), 0U);
  EXPECT_EQ(schedule.due_ns(), 5 * kSecond);
  EXPECT_EQ(schedule.due_ns(1), 5 * kSecond + kSecond / 2);
  EXPECT_EQ(schedule.due_ns(7), 5 * kSecond + 7 * kSecond / 2);
}

TEST(FrameSchedule, APunctualFlightMissesNothingAndDoesNotDriftInEightHours) {
  constexpr std::uint64_t kFrames = 8 * 3600 * 3;
  FrameSchedule schedule(1, 3.0, 0);
  for (std::uint64_t frame = 0; frame < kFrames; ++frame) {
    // A third of a second is no whole number of nanoseconds: each due time is rounded, never the sum of
    // rounded periods.
    const auto exact = static_cast<std::int64_t>((frame * 1'000'000'000 * 2 + 3) / 6) + 1;
    ASSERT_EQ(schedule.due_ns(), exact) << frame;
    ASSERT_EQ(schedule.begin(schedule.due_ns()), frame);
    schedule.end();
  }
  EXPECT_EQ(schedule.due_ns(), 8 * 3600 * kSecond + 1);
  EXPECT_EQ(schedule.late_count(), 0U);
  EXPECT_EQ(schedule.missed_count(), 0U);
}

TEST(FrameSchedule, LateIsMoreThanTheToleranceAndLessThanASlot) {
  FrameSchedule schedule(0, 2.0, 1000);
  schedule.begin(1000);  // at the tolerance: in time
  schedule.end();
  EXPECT_EQ(schedule.late_count(), 0U);
  schedule.begin(kSecond / 2 + 1001);
  schedule.end();
  EXPECT_EQ(schedule.late_count(), 1U);
  EXPECT_EQ(schedule.begin(kSecond + kSecond / 2 - 1), 2U);  // the last moment of slot 2
  EXPECT_EQ(schedule.late_count(), 2U);
  EXPECT_EQ(schedule.missed_count(), 0U);
}

TEST(FrameSchedule, ASlotIsMissedFromTheMomentThatTheNextOneIsDue) {
  FrameSchedule schedule(0, 2.0, 1000);
  EXPECT_EQ(schedule.begin(kSecond / 2), 1U);
  EXPECT_EQ(schedule.missed_count(), 1U);
  EXPECT_EQ(schedule.late_count(), 0U);  // of slot 1 it is the first moment
}

TEST(FrameSchedule, AFrameThatRunsOverMissesTheSlotsThatPassedWhole) {
  FrameSchedule schedule(0, 2.0, 1000);
  EXPECT_EQ(schedule.begin(0), 0U);
  schedule.end();
  // The frame ran for 1.6 s: slots 1 and 2 are gone, slot 3 has begun.
  EXPECT_EQ(schedule.begin(kSecond * 16 / 10), 3U);
  EXPECT_EQ(schedule.missed_count(), 2U);
  EXPECT_EQ(schedule.late_count(), 1U);
  schedule.end();
  EXPECT_EQ(schedule.slot(), 4U);
  EXPECT_EQ(schedule.due_ns(), 2 * kSecond);  // the slots behind are not shifted
}

TEST(FrameSchedule, AJumpOverMillionsOfSlotsIsOneStep) {
  FrameSchedule schedule(0, 3.0, 1000);
  schedule.begin(0);
  schedule.end();
  const std::int64_t year = std::int64_t{365} * 24 * 3600 * kSecond;
  EXPECT_EQ(schedule.begin(year), 365ULL * 24 * 3600 * 3);
  EXPECT_EQ(schedule.missed_count(), 365ULL * 24 * 3600 * 3 - 1);
  EXPECT_EQ(schedule.late_count(), 0U);
}

TEST(FrameSchedule, AFrameThatBeginsEarlyTakesItsSlotOnce) {
  FrameSchedule schedule(10 * kSecond, 2.0, 0);
  EXPECT_EQ(schedule.begin(9 * kSecond), 0U);  // before the start
  schedule.end();
  EXPECT_EQ(schedule.begin(10 * kSecond + 1), 1U);  // slot 0 is taken
  schedule.end();
  EXPECT_EQ(schedule.late_count() + schedule.missed_count(), 0U);
  EXPECT_EQ(schedule.slot(), 2U);
}

// Rates whose periods are no whole numbers: whatever rounding does, a slot contains its own due time and ends
// one nanosecond before the next.
TEST(FrameSchedule, EveryBoundaryBelongsToTheSlotThatBegins) {
  for (const double rate : {3.0, 0.7, 7.0, 29.97, 333.0, 1e-6, 1e6}) {
    for (const std::uint64_t slot : {1ULL, 2ULL, 3ULL, 10ULL, 86399ULL, 86400ULL, 1234567ULL}) {
      FrameSchedule at(1'000'003, rate, 0);
      if (static_cast<double>(slot) / rate > 4e9) continue;  // beyond 2^62 ns
      EXPECT_EQ(at.begin(at.due_ns(slot)), slot) << rate;
      FrameSchedule before(1'000'003, rate, 0);
      EXPECT_EQ(before.begin(before.due_ns(slot) - 1), slot - 1) << rate;
    }
  }
}

}  // namespace
}  // namespace skua::flight
