#include "telemetry/linux_source.h"

#include <gtest/gtest.h>

#include "source_check.h"
#include "sysfs_tree.h"

namespace skua {
namespace {

using test::causes_of;
using test::expect_field;
using test::read_once;
using test::SysfsTree;
using enum ThermalField;

struct Intel {
  SysfsTree tree{"workstation_intel"};
  std::unique_ptr<ThermalSource> source = open_linux_source(tree.root());
};

TEST(LinuxSource, EveryFieldOfAnIntelWorkstation) {
  Intel intel;
  const auto& source = *intel.source;
  EXPECT_EQ(source.name(), "linux");
  expect_field(*intel.source, kCpuTemp, "value 46");
  expect_field(*intel.source, kGpuTemp, "unsupported");
  expect_field(*intel.source, kHottestTemp, "value 46");  // not the disk's 61.85
  expect_field(*intel.source, kThrottle, "value 0");
  expect_field(*intel.source, kThrottleEvents, "value 0");
  expect_field(*intel.source, kLimitReached, "unsupported");
  expect_field(*intel.source, kPassiveTrip, "unsupported");
  expect_field(*intel.source, kCriticalTrip, "value 100");
  expect_field(*intel.source, kGpuClock, "unsupported");
  expect_field(*intel.source, kCpuClock, "value 3600");
  expect_field(*intel.source, kOverCurrentEvents, "unsupported");
  const std::string root = intel.tree.root().string();
  EXPECT_EQ(source.origin(kCpuTemp), root + "/sys/class/hwmon/hwmon2/temp1_input (coretemp)");
  const std::string cpus = root + "/sys/devices/system/cpu/cpu";
  EXPECT_EQ(source.origin(kThrottleEvents), cpus + "{0,1,2,3}/thermal_throttle/core_throttle_count; " + cpus +
                                                "0/thermal_throttle/package_throttle_count");
}

// The counters say that it happened, and when: between two polls.
TEST(LinuxSource, AThrottleCountThatRoseIsAThrottleInThatPeriod) {
  Intel intel;
  const std::string cpu = "/sys/devices/system/cpu/cpu";
  expect_field(*intel.source, kThrottle, "value 0");  // although there were some before the start
  intel.tree.set(cpu + "2/thermal_throttle/core_throttle_count", "4\n");
  ThermalReading reading = read_once(*intel.source);
  EXPECT_EQ(reading[kThrottle].value, 1.0);
  EXPECT_EQ(reading[kThrottleEvents].value, 4.0);
  EXPECT_EQ(causes_of(*intel.source, reading), "core_throttle_count");
  expect_field(*intel.source, kThrottle, "value 0");
  expect_field(*intel.source, kThrottleEvents, "value 4");
  intel.tree.set(cpu + "0/thermal_throttle/package_throttle_count", "6\n");
  reading = read_once(*intel.source);
  EXPECT_EQ(causes_of(*intel.source, reading), "package_throttle_count");
  intel.tree.remove(cpu + "2/thermal_throttle/core_throttle_count");
  expect_field(*intel.source, kThrottle, "offline");
  expect_field(*intel.source, kThrottleEvents, "offline");
}

TEST(LinuxSource, AProcessorCoolingDeviceAboveZeroIsAThrottle) {
  Intel intel;
  intel.tree.set("/sys/class/thermal/cooling_device8/cur_state",
                 "50\n");  // intel_powerclamp: whoever asked for it
  expect_field(*intel.source, kThrottle, "value 0");
  intel.tree.set("/sys/class/thermal/cooling_device3/cur_state", "1\n");
  EXPECT_EQ(causes_of(*intel.source, read_once(*intel.source)), "Processor");
  expect_field(*intel.source, kThrottle, "value 1");
  expect_field(*intel.source, kThrottleEvents, "value 0");
  intel.tree.set("/sys/class/thermal/cooling_device3/cur_state", "-1\n");
  expect_field(*intel.source, kThrottle, "offline");
}

TEST(LinuxSource, AnAmdWorkstationWithARadeon) {
  const SysfsTree tree("workstation_amd");
  const auto source = open_linux_source(tree.root());
  expect_field(*source, kCpuTemp, "value 58.25");  // Tdie, not Tctl's 68.25
  expect_field(*source, kGpuTemp, "value 51");
  expect_field(*source, kHottestTemp, "value 59");  // the GPU's junction
  expect_field(*source, kCriticalTrip, "value 100");
  expect_field(*source, kGpuClock, "value 808");
  expect_field(*source, kCpuClock, "value 2500");
  expect_field(*source, kThrottle, "value 0");
  expect_field(*source, kThrottleEvents, "unsupported");
  tree.remove("/sys/class/hwmon/hwmon1/temp2_label");
  expect_field(*open_linux_source(tree.root()), kCpuTemp, "value 68.25");
}

TEST(LinuxSource, WithoutCountersAndCoolingDevicesThrottleIsUnsupported) {
  const SysfsTree tree("nothing");
  tree.apply("/sys/class/thermal/thermal_zone0/type = x86_pkg_temp");
  tree.apply("/sys/class/thermal/thermal_zone0/temp = 41000");
  const auto source = open_linux_source(tree.root());
  expect_field(*source, kCpuTemp, "value 41");  // the zone, as there is no chip
  expect_field(*source, kThrottle, "unsupported");
}

TEST(LinuxSource, AChipThatTookAnothersNumberIsNotBelieved) {
  Intel intel;
  expect_field(*intel.source, kCpuTemp, "value 46");
  intel.tree.replace("/sys/class/hwmon/hwmon2/name", "nvme\n");
  intel.tree.replace("/sys/class/hwmon/hwmon2/temp1_input", "30000\n");
  expect_field(*intel.source, kCpuTemp, "offline");
}

}  // namespace
}  // namespace skua
