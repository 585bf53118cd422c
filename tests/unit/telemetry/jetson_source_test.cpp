#include "telemetry/jetson_source.h"

#include <gtest/gtest.h>

#include "source_check.h"
#include "sysfs_tree.h"

namespace skua {
namespace {

using test::causes_of;
using test::expect_field;
using test::problem_of;
using test::read_once;
using test::SysfsTree;
using enum ThermalField;

constexpr auto kZones = "/sys/class/thermal/thermal_zone";
constexpr auto kCooling = "/sys/class/thermal/cooling_device";

std::string zone(int index, const char* file) { return kZones + std::to_string(index) + "/" + file; }
std::string cooling(int index, const char* file) { return kCooling + std::to_string(index) + "/" + file; }

struct Nano {
  SysfsTree tree{"jetson_orin_nano_jp6"};
  std::unique_ptr<ThermalSource> source = open_jetson_source(tree.root()).value();
};

TEST(JetsonSource, EveryFieldOfAnOrinNanoWithJetPack6) {
  Nano nano;
  const auto& source = nano.source;
  EXPECT_EQ(source->name(), "jetson_sysfs");
  expect_field(*source, kCpuTemp, "value 52.468");
  expect_field(*source, kGpuTemp, "value 51.812");
  expect_field(*source, kHottestTemp, "value 52.468");
  expect_field(*source, kThrottle, "value 0");
  expect_field(*source, kThrottleEvents, "value 0");
  expect_field(*source, kLimitReached, "value 0");
  expect_field(*source, kPassiveTrip, "value 99");
  expect_field(*source, kCriticalTrip, "value 104.5");
  expect_field(*source, kGpuClock, "value 306");
  expect_field(*source, kGpuClockMax, "value 624.75");
  expect_field(*source, kCpuClock, "value 1113.6");
  expect_field(*source, kOverCurrentEvents, "value 0");
}

TEST(JetsonSource, OriginsAreTheRealFilesInAFormThatAShellExpands) {
  Nano nano;
  const std::string root = nano.tree.root().string();
  const auto& source = *nano.source;
  EXPECT_EQ(source.origin(kCpuTemp), root + "/sys/class/thermal/thermal_zone0/temp (cpu-thermal)");
  EXPECT_EQ(source.origin(kGpuClock), root + "/sys/class/devfreq/17000000.gpu/cur_freq");
  EXPECT_EQ(source.origin(kCpuClock), root + "/sys/devices/system/cpu/cpufreq/policy{0,4}/scaling_cur_freq");
  EXPECT_EQ(source.origin(kThrottle),
            root +
                "/sys/class/thermal/cooling_device{3,4,5,6,7,8,9,10,11}/cur_state (devfreq-17000000.gpu, "
                "cpu-throttle-alert, gpu-throttle-alert, cv0-throttle-alert, cv1-throttle-alert, "
                "cv2-throttle-alert, soc0-throttle-alert, soc1-throttle-alert, soc2-throttle-alert)");
  EXPECT_EQ(source.origin(kOverCurrentEvents),
            root + "/sys/class/hwmon/hwmon2/oc{1,2,3}_event_cnt (soctherm_oc)");
}

// The AGX tree has the same zones in the reverse order.
TEST(JetsonSource, ZonesAreFoundByTypeAndNeverByIndex) {
  const SysfsTree tree("jetson_agx_orin_jp6");
  const auto source = open_jetson_source(tree.root()).value();
  expect_field(*source, kCpuTemp, "value 47.25");
  expect_field(*source, kGpuTemp, "value 43.75");
  expect_field(*source, kHottestTemp, "value 47.25");
  expect_field(*source, kThrottle, "value 0");
  expect_field(*source, kThrottleEvents, "unsupported");  // this kernel keeps no statistics
  expect_field(*source, kGpuClock, "value 1300.5");
  expect_field(*source, kCpuClock, "value 2201.6");
  EXPECT_EQ(source->origin(kThrottleEvents), "");
}

TEST(JetsonSource, NamesOfJetPack5) {
  const SysfsTree tree("jetson_orin_jp5");
  const auto source = open_jetson_source(tree.root()).value();
  expect_field(*source, kCpuTemp, "value 49.125");
  expect_field(*source, kGpuTemp, "value 46.5");
  expect_field(*source, kGpuClock, "value 114.75");
  expect_field(*source, kThrottle, "value 0");
  tree.set(cooling(4, "cur_state"), "3\n");
  expect_field(*source, kThrottle, "value 1");
  EXPECT_EQ(causes_of(*source, read_once(*source)), "17000000.ga10b");
}

// PMIC-Die always says 100 C: with it the hottest zone would never be below.
TEST(JetsonSource, AZoneThatIsNoMeasurementIsNotTheHottest) {
  const SysfsTree tree("jetson_xavier_jp5");
  const auto source = open_jetson_source(tree.root()).value();
  expect_field(*source, kHottestTemp, "value 42");
  expect_field(*source, kGpuClock, "value 114.75");
}

TEST(JetsonSource, ThorsGpuDevfreqDeviceIsNoThrottle) {
  const SysfsTree tree("jetson_thor_jp7");
  const auto source = open_jetson_source(tree.root()).value();
  expect_field(*source, kThrottle, "value 0");  // although devfreq-gpu-gpc-0 stands at 4
  expect_field(*source, kGpuClock, "value 1575");
  expect_field(*source, kOverCurrentEvents, "unsupported");
  tree.set(cooling(3, "cur_state"), "1\n");
  EXPECT_EQ(causes_of(*source, read_once(*source)), "soc012-throttle-alert");
}

TEST(JetsonSource, EachAlertAndTheGpusCapAreAThrottleWithTheirNames) {
  Nano nano;
  for (int device = 0; device < 13; ++device) {
    nano.tree.set(cooling(device, "cur_state"), "1\n");
    const ThermalReading reading = read_once(*nano.source);
    const bool is_heat = device >= 3 && device <= 11;  // not the fan, the CPU's clocks or the hot surface
    EXPECT_EQ(reading[kThrottle].value, is_heat ? 1.0 : 0.0) << device;
    const std::string type = read_sensor_text(nano.tree.path(cooling(device, "type")));
    EXPECT_EQ(causes_of(*nano.source, reading), is_heat ? type : "") << device;
    nano.tree.set(cooling(device, "cur_state"), "0\n");
    expect_field(*nano.source, kThrottle, "value 0");
  }
}

TEST(JetsonSource, OneUnreadableAlertMakesNoUnknownButNotYes) {
  Nano nano;
  nano.tree.set(cooling(5, "cur_state"), "nonsense\n");
  expect_field(*nano.source, kThrottle, "offline");
  EXPECT_EQ(problem_of(*nano.source, kThrottle), "holds no whole number");
  nano.tree.set(cooling(6, "cur_state"), "1\n");
  expect_field(*nano.source, kThrottle, "value 1");
  nano.tree.set(cooling(6, "cur_state"), "0\n");
  nano.tree.set(cooling(5, "cur_state"), "-1\n");  // no state of a cooling device
  expect_field(*nano.source, kThrottle, "offline");
  nano.tree.set(cooling(5, "cur_state"), "0\n");
  expect_field(*nano.source, kThrottle, "value 0");
  EXPECT_EQ(problem_of(*nano.source, kThrottle), "");
}

TEST(JetsonSource, WithoutAlertsTheGpusCapSaysYesAndNeverNo) {
  const SysfsTree tree("alerts_missing");
  const auto source = open_jetson_source(tree.root()).value();
  expect_field(*source, kThrottle, "offline");
  expect_field(*source, kCpuTemp, "value 52.468");
  tree.set(cooling(3, "cur_state"), "2\n");
  expect_field(*source, kThrottle, "value 1");
  tree.remove("/sys/class/thermal/cooling_device3");
  expect_field(*open_jetson_source(tree.root()).value(), kThrottle, "unsupported");
}

// Throttles shorter than a period: the state is 0 in both polls, the kernel counted.
TEST(JetsonSource, AThrottleBetweenTwoPollsIsCounted) {
  Nano nano;
  const auto transitions = cooling(5, "stats/total_trans");  // gpu-throttle-alert, 4 before the start
  expect_field(*nano.source, kThrottleEvents, "value 0");
  nano.tree.set(transitions, "6\n");  // up and down
  expect_field(*nano.source, kThrottle, "value 0");
  expect_field(*nano.source, kThrottleEvents, "value 1");
  nano.tree.set(transitions, "7\n");  // up again, and still there
  expect_field(*nano.source, kThrottleEvents, "value 2");
  nano.tree.set(transitions, "8\n");
  expect_field(*nano.source, kThrottleEvents, "value 2");
  nano.tree.set(cooling(4, "stats/total_trans"), "4\n");  // cpu-throttle-alert, 2 before the start
  expect_field(*nano.source, kThrottleEvents, "value 3");
  nano.tree.set(transitions, "2\n");  // somebody reset the statistics, and another throttle came
  expect_field(*nano.source, kThrottleEvents, "value 4");
}

TEST(JetsonSource, AThrottleThatBeganBeforeTheStartIsNotCounted) {
  const SysfsTree tree("jetson_orin_nano_jp6");
  tree.set(cooling(5, "cur_state"), "1\n");
  tree.set(cooling(5, "stats/total_trans"), "5\n");
  const auto source = open_jetson_source(tree.root()).value();
  tree.set(cooling(5, "stats/total_trans"), "6\n");  // it ends
  expect_field(*source, kThrottleEvents, "value 0");
  tree.set(cooling(5, "stats/total_trans"), "8\n");
  expect_field(*source, kThrottleEvents, "value 1");
}

TEST(JetsonSource, OverCurrentEventsAreCountedFromTheStartAndAreNoThrottle) {
  Nano nano;
  nano.tree.set("/sys/class/hwmon/hwmon2/oc3_event_cnt", "131\n");
  nano.tree.set("/sys/class/hwmon/hwmon2/oc1_event_cnt", "2\n");
  expect_field(*nano.source, kOverCurrentEvents, "value 15");
  expect_field(*nano.source, kThrottle, "value 0");
  nano.tree.remove("/sys/class/hwmon/hwmon2/oc2_event_cnt");
  expect_field(*nano.source, kOverCurrentEvents, "offline");
}

TEST(JetsonSource, AZoneAtItsPassiveTripIsALimitReachedAndNoThrottle) {
  Nano nano;
  nano.tree.set(zone(6, "temp"), "98999\n");  // soc1
  expect_field(*nano.source, kLimitReached, "value 0");
  nano.tree.set(zone(6, "temp"), "99000\n");
  expect_field(*nano.source, kLimitReached, "value 1");
  expect_field(*nano.source, kThrottle, "value 0");
  nano.tree.set(zone(0, "trip_point_1_temp"), "-274000\n");  // the kernel's "not set"
  nano.tree.set(zone(1, "trip_point_1_temp"), "97000\n");
  expect_field(*nano.source, kPassiveTrip, "value 97");
}

TEST(JetsonSource, AMachineThatIsNoJetsonIsRefusedWithWhatWasSought) {
  for (const char* name : {"nothing", "workstation_intel", "workstation_amd"}) {
    const SysfsTree tree(name);
    const auto source = open_jetson_source(tree.root());
    ASSERT_FALSE(source.ok()) << name;
    EXPECT_EQ(source.error().code, ErrorCode::kTelemetryUnavailable);
    EXPECT_NE(source.error().message.find("tj-thermal"), std::string::npos) << source.error().message;
  }
}

}  // namespace
}  // namespace skua
