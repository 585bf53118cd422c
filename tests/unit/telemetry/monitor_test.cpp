// What readings become: states, transitions told once, the watchdog. Time is the test's.
#include "telemetry/monitor.h"

#include <gmock/gmock.h>

#include <cmath>

#include "scripted_source.h"

namespace skua {
namespace {

using test::kSecond;
using test::offline_reading;
using test::reading_of;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class MonitorTest : public ::testing::Test {
 protected:
  /// One poll a period after the last one.
  void poll(const ThermalReading& reading) {
    clock_.now_ns += kSecond;
    test::ScriptedSource source([&] { return reading; });
    monitor_.poll_once(source);
  }

  test::SteppedClock clock_;
  test::KeptEvents events_;
  ThermalMonitor monitor_{events_, clock_, kSecond};
};

TEST_F(MonitorTest, StateHasTheFiguresOfTheReading) {
  poll(reading_of(true, 83.25));
  const ThermalState state = monitor_.state();
  EXPECT_TRUE(state.is_telemetry_available);
  EXPECT_TRUE(state.thermal_throttle_active);
  EXPECT_EQ(state.gpu_temp_c, 83.25F);
  EXPECT_EQ(state.cpu_temp_c, 55.5F);
  EXPECT_EQ(state.measured_clock_mhz, 750);
  EXPECT_EQ(state.measured_at_ns, clock_.now_ns);
}

TEST_F(MonitorTest, AnUnknownThrottleIsNotAvailableAndNotActive) {
  for (const FieldStatus status : {FieldStatus::kOffline, FieldStatus::kUnsupported}) {
    ThermalReading reading = reading_of(true);
    reading[ThermalField::kThrottle].status = status;
    poll(reading);
    EXPECT_FALSE(monitor_.state().is_telemetry_available);
    EXPECT_FALSE(monitor_.state().thermal_throttle_active);
    EXPECT_EQ(monitor_.state().gpu_temp_c, 60.0F) << "the temperature was read all the same";
  }
}

TEST_F(MonitorTest, AFieldThatFailsIsNotMeasuredAndSpoilsNoOther) {
  ThermalReading reading = reading_of(false);
  reading[ThermalField::kGpuTemp] = {FieldStatus::kOffline, 99.0};
  poll(reading);
  EXPECT_TRUE(std::isnan(monitor_.state().gpu_temp_c));
  EXPECT_EQ(monitor_.state().cpu_temp_c, 55.5F);
  EXPECT_TRUE(monitor_.state().is_telemetry_available);
}

TEST_F(MonitorTest, TheClockIsTheGpusAndTheCpusOnlyWhereThereIsNoGpuClock) {
  ThermalReading reading = reading_of(false);
  reading[ThermalField::kCpuClock] = {FieldStatus::kValue, 1700.0};
  poll(reading);
  EXPECT_EQ(monitor_.state().measured_clock_mhz, 1020);
  reading[ThermalField::kGpuClock].status = FieldStatus::kOffline;
  poll(reading);
  EXPECT_EQ(monitor_.state().measured_clock_mhz, 0);
  reading[ThermalField::kGpuClock].status = FieldStatus::kUnsupported;
  poll(reading);
  EXPECT_EQ(monitor_.state().measured_clock_mhz, 1700);
}

TEST_F(MonitorTest, EachFlipIsToldOnceAndASteadyStateNever) {
  for (const bool is_throttled : {false, false, true, true, true, false, false})
    poll(reading_of(is_throttled));
  EXPECT_THAT(events_.lines(), ElementsAre("WARN normal>throttled", "WARN throttled>normal"));
}

TEST_F(MonitorTest, TransitionSaysTemperatureClockAndCause) {
  poll(reading_of(false));
  poll(reading_of(true, 83.4));
  const Event event = events_.all().at(0);
  EXPECT_EQ(event.message, "C7 thermal throttle active; gpu_temp=83C; clock=750mhz");
  EXPECT_EQ(test::KeptEvents::text_of(event, "cause"), "gpu-throttle-alert");
  EXPECT_EQ(test::KeptEvents::text_of(event, "source"), "scripted");
  EXPECT_EQ(std::get<std::int64_t>(event.fields.at(4).value), 750);
  EXPECT_EQ(std::get<std::int64_t>(event.fields.at(5).value), clock_.now_ns);
}

TEST_F(MonitorTest, AMachineThatIsThrottledAtTheStartIsTold) {
  poll(reading_of(true));
  EXPECT_THAT(events_.lines(), ElementsAre("WARN unknown>throttled"));
}

TEST_F(MonitorTest, LossWhileThrottledIsATransitionToNotThrottled) {
  poll(reading_of(true));
  poll(offline_reading());
  EXPECT_FALSE(monitor_.state().thermal_throttle_active);
  EXPECT_FALSE(monitor_.state().is_telemetry_available);
  poll(reading_of(true));
  EXPECT_THAT(events_.lines(), ElementsAre("WARN unknown>throttled", "WARN throttled>unavailable",
                                           "WARN unavailable>throttled"));
  EXPECT_THAT(events_.all().at(1).message, HasSubstr("telemetry lost; gpu_temp=unknown"));
}

TEST_F(MonitorTest, RepeatedLossWarnsOnceASecondAndIsRecordedEachTime) {
  poll(reading_of(false));
  for (int i = 0; i < 10; ++i) {  // a flip every 100 ms
    clock_.now_ns += kSecond / 10 - kSecond;
    poll(i % 2 == 0 ? offline_reading() : reading_of(false));
  }
  std::vector<std::string> expected = {"WARN normal>unavailable", "WARN unavailable>normal"};
  for (int i = 0; i < 4; ++i) {
    expected.emplace_back("DEBUG normal>unavailable");
    expected.emplace_back("DEBUG unavailable>normal");
  }
  EXPECT_EQ(events_.lines(), expected);
}

TEST_F(MonitorTest, LossThatWasLeftUnsaidIsToldWhenItLasts) {
  poll(reading_of(false));
  for (const bool is_lost : {true, false, true, true}) {
    clock_.now_ns += kSecond / 10 - kSecond;
    poll(is_lost ? offline_reading() : reading_of(false));
  }
  EXPECT_EQ(events_.lines().back(), "DEBUG normal>unavailable");
  poll(offline_reading());
  EXPECT_EQ(events_.lines().back(), "WARN c7.telemetry_unavailable");
  const std::size_t told = events_.all().size();
  poll(offline_reading());
  EXPECT_EQ(events_.all().size(), told);
}

TEST_F(MonitorTest, WatchdogSaysUnavailableAfterThreePeriodsAndKeepsNoOldFigure) {
  poll(reading_of(true, 90.0));
  const std::int64_t measured_at = clock_.now_ns;
  clock_.now_ns += 3 * kSecond - 1;
  monitor_.check();
  EXPECT_TRUE(monitor_.state().thermal_throttle_active);
  clock_.now_ns += 1;
  monitor_.check();
  monitor_.check();
  const ThermalState state = monitor_.state();
  EXPECT_FALSE(state.is_telemetry_available);
  EXPECT_FALSE(state.thermal_throttle_active);
  EXPECT_TRUE(std::isnan(state.gpu_temp_c));
  EXPECT_EQ(state.measured_clock_mhz, 0);
  EXPECT_EQ(state.measured_at_ns, measured_at);
  EXPECT_THAT(events_.lines(), ElementsAre("WARN unknown>throttled", "WARN throttled>unavailable"));
}

TEST_F(MonitorTest, WatchdogCountsFromTheStartWhenNoReadingEverCame) {
  clock_.now_ns += 3 * kSecond;
  monitor_.check();
  EXPECT_THAT(events_.lines(), ElementsAre("WARN unknown>unavailable"));
}

/// A driver that needs longer than a period is slow, not lost.
TEST_F(MonitorTest, SlowReadingsKeepAThrottleThatIsKnown) {
  const test::ScriptedSource source;
  for (int i = 0; i < 10; ++i) {
    const std::int64_t begun = clock_.now_ns;
    clock_.now_ns += 3 * kSecond - 1;
    monitor_.take(reading_of(true), begun, source);
    clock_.now_ns += 3 * kSecond - 1;
    monitor_.check();
    EXPECT_TRUE(monitor_.state().thermal_throttle_active);
  }
  EXPECT_THAT(events_.lines(), ElementsAre("WARN unknown>throttled"));
}

TEST_F(MonitorTest, TheWatchdogSaysWhenItStrikes) {
  EXPECT_EQ(monitor_.strikes_at_ns(), clock_.now_ns + 3 * kSecond);
  poll(reading_of(false));
  EXPECT_EQ(monitor_.strikes_at_ns(), clock_.now_ns + 3 * kSecond);
  clock_.now_ns = monitor_.strikes_at_ns();
  monitor_.check();
  EXPECT_GT(monitor_.strikes_at_ns(), clock_.now_ns + 1000 * kSecond) << "it struck already";
}

TEST_F(MonitorTest, ALossNamesItsCause) {
  ThermalReading reading = reading_of(false);
  poll(reading);
  reading[ThermalField::kThrottle] = {FieldStatus::kOffline, 0.0, "is no regular file"};
  poll(reading);
  EXPECT_EQ(test::KeptEvents::text_of(events_.all().at(0), "cause"), "a script is no regular file");
}

TEST_F(MonitorTest, AReadingThatTookThreePeriodsIsDropped) {
  poll(reading_of(false));
  const test::ScriptedSource source;
  monitor_.take(reading_of(true), clock_.now_ns - 3 * kSecond, source);
  EXPECT_FALSE(monitor_.state().thermal_throttle_active);
  monitor_.take(reading_of(true), clock_.now_ns - 3 * kSecond + 1, source);
  EXPECT_TRUE(monitor_.state().thermal_throttle_active);
}

TEST_F(MonitorTest, AThrottleBetweenTwoPollsIsCounted) {
  ThermalReading reading = reading_of(false);
  reading[ThermalField::kThrottleEvents] = {FieldStatus::kValue, 0.0};
  poll(reading);
  EXPECT_THAT(events_.lines(), IsEmpty());
  reading[ThermalField::kThrottleEvents].value = 3.0;
  poll(reading);
  poll(reading);
  EXPECT_THAT(events_.lines(), ElementsAre("WARN c7.throttle_counted"));
  EXPECT_EQ(std::get<std::int64_t>(events_.all().at(0).fields.at(0).value), 3);
}

TEST_F(MonitorTest, ShortThrottlesBesideASeenOneAreCounted) {
  ThermalReading reading = reading_of(false);
  std::vector<std::int64_t> counted;
  for (const auto& [count, is_throttled] : {std::pair{0.0, false}, std::pair{3.0, true}, std::pair{4.0, true},
                                            std::pair{6.0, false}, std::pair{6.0, false}}) {
    reading[ThermalField::kThrottleEvents] = {FieldStatus::kValue, count};
    reading[ThermalField::kThrottle].value = is_throttled ? 1.0 : 0.0;
    poll(reading);
  }
  for (const Event& event : events_.all()) {
    if (event.kind == "c7.throttle_counted")
      counted.push_back(std::get<std::int64_t>(event.fields.at(0).value));
  }
  // Two before the one that the second poll saw, and two after the one that the third poll still saw.
  EXPECT_THAT(counted, ElementsAre(2, 2));
}

TEST_F(MonitorTest, AThrottleThatWasSeenIsNotCountedAgain) {
  ThermalReading reading = reading_of(false);
  reading[ThermalField::kThrottleEvents] = {FieldStatus::kValue, 0.0};
  poll(reading);
  reading[ThermalField::kThrottleEvents].value = 1.0;
  reading[ThermalField::kThrottle].value = 1.0;
  poll(reading);
  reading[ThermalField::kThrottle].value = 0.0;
  poll(reading);
  EXPECT_THAT(events_.lines(), ElementsAre("WARN normal>throttled", "WARN throttled>normal"));
}

TEST_F(MonitorTest, ReportHasNoReadingBeforeTheFirst) {
  EXPECT_FALSE(monitor_.report().has_reading);
  clock_.now_ns += 3 * kSecond;
  monitor_.check();
  EXPECT_FALSE(monitor_.report().has_reading);
  poll(reading_of(false));
  EXPECT_TRUE(monitor_.report().has_reading);
}

TEST_F(MonitorTest, ReportMarksOldValuesStale) {
  poll(reading_of(false));
  EXPECT_EQ(monitor_.report().reading[ThermalField::kGpuTemp].status, FieldStatus::kValue);
  clock_.now_ns += 2 * kSecond;
  const ThermalReport report = monitor_.report();
  EXPECT_EQ(report.reading[ThermalField::kGpuTemp].status, FieldStatus::kStale);
  EXPECT_EQ(report.reading[ThermalField::kGpuTemp].value, 60.0);
  EXPECT_EQ(report.reading[ThermalField::kOverCurrentEvents].status, FieldStatus::kUnsupported);
}

}  // namespace
}  // namespace skua
