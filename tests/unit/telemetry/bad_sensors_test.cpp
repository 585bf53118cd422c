// Trees with bad files: what is bad is offline, everything else is read as if nothing were.
#include <gtest/gtest.h>

#include <array>
#include <set>

#include "source_check.h"
#include "sysfs_tree.h"
#include "telemetry/jetson_source.h"

namespace skua {
namespace {

using test::expect_field;
using test::problem_of;
using test::read_once;
using test::SysfsTree;
using test::text_of;
using enum ThermalField;

std::unique_ptr<ThermalSource> open_tree(const SysfsTree& tree) {
  return open_jetson_source(tree.root()).value();
}

// All fields but `offline` and `changed` are as in the whole tree; those are offline.
void expect_only_offline(ThermalSource& source, const std::set<ThermalField>& offline,
                         const std::set<ThermalField>& changed = {}) {
  static const ThermalReading good = read_once(*open_tree(SysfsTree("jetson_orin_nano_jp6")));
  const ThermalReading found = read_once(source);
  for (const ThermalFieldInfo& info : thermal_field_table()) {
    if (changed.contains(info.field)) continue;
    EXPECT_EQ(text_of(found[info.field]),
              offline.contains(info.field) ? "offline" : text_of(good[info.field]))
        << info.key << ": " << source.origin(info.field) << " " << found[info.field].problem;
    EXPECT_EQ(found[info.field].problem.empty(), !offline.contains(info.field)) << info.key;
  }
}

TEST(BadSensors, PoweredDownAndImpossibleTemperaturesAreOfflineAndNeverZero) {
  const SysfsTree tree("zones_powered_down");
  const auto source = open_tree(tree);
  expect_only_offline(*source, {kCpuTemp, kGpuTemp, kHottestTemp});
  EXPECT_EQ(problem_of(*source, kCpuTemp), "holds a number that is not plausible");
  const auto temp = "/sys/class/thermal/thermal_zone0/temp";
  for (const auto& [text, expected] : {std::pair{"-40000\n", "value -40"}, std::pair{"-40001\n", "offline"},
                                       std::pair{"0\n", "value 0"}, std::pair{"150000\n", "value 150"},
                                       std::pair{"150001\n", "offline"}, std::pair{"-44000\n", "offline"}}) {
    tree.set(temp, text);
    expect_field(*source, kCpuTemp, expected);
  }
}

TEST(BadSensors, FifosAndFoldersInThePlaceOfFilesDelayNothing) {
  const SysfsTree tree("fifo_in_place");
  const auto source = open_tree(tree);
  expect_only_offline(*source, {kCpuTemp, kThrottle, kGpuClock});
  EXPECT_EQ(problem_of(*source, kThrottle), "is no regular file");
}

TEST(BadSensors, TenMegabytesOfDigitsAreNoNumberAndNoName) {
  const SysfsTree tree("ten_megabytes");
  const auto source = open_tree(tree);
  expect_field(*source, kGpuTemp, "unsupported");  // its zone has no name that fits
  expect_only_offline(*source, {kCpuTemp, kThrottle}, {kGpuTemp});
}

TEST(BadSensors, FilesThatVanishBetweenTwoReadsAreOfflineUntilTheyAreBack) {
  const SysfsTree tree("jetson_orin_nano_jp6");
  const auto source = open_tree(tree);
  expect_only_offline(*source, {});
  const auto temp = "/sys/class/thermal/thermal_zone0/temp";
  tree.remove(temp);
  tree.remove("/sys/class/devfreq/17000000.gpu/max_freq");
  tree.remove("/sys/class/thermal/cooling_device9/cur_state");
  expect_only_offline(*source, {kCpuTemp, kThrottle, kGpuClockMax});
  tree.set(temp, "60000\n");
  expect_field(*source, kCpuTemp, "value 60");
  tree.replace(temp, "61000\n");
  expect_field(*source, kCpuTemp, "value 61");
}

// The kernel numbers zones anew when a driver is bound again.
TEST(BadSensors, AZoneThatComesBackUnderAnotherNameIsNotBelieved) {
  const SysfsTree tree("jetson_orin_nano_jp6");
  const auto source = open_tree(tree);
  expect_field(*source, kCpuTemp, "value 52.468");
  tree.replace("/sys/class/thermal/thermal_zone0/type", "gpu-thermal\n");
  tree.replace("/sys/class/thermal/thermal_zone0/temp", "20000\n");
  expect_field(*source, kCpuTemp, "offline");
  EXPECT_EQ(problem_of(*source, kCpuTemp), "belongs to another device than at the start");
}

// // It may be an alert, and its state may be 1.
TEST(BadSensors, ACoolingDeviceThatDoesNotSayWhatItIsLeavesNoNo) {
  SysfsTree tree("jetson_orin_nano_jp6");
  tree.apply("!fifo /sys/class/thermal/cooling_device5/type");
  tree.set("/sys/class/thermal/cooling_device5/cur_state", "1\n");
  const auto source = open_tree(tree);
  expect_field(*source, kThrottle, "offline");
  tree.set("/sys/class/thermal/cooling_device6/cur_state", "1\n");
  expect_field(*source, kThrottle, "value 1");
}

// Every file of the tree, one after the other, in every bad form: the poll gives an answer, and never 0 C.
TEST(BadSensors, AnyOneBadFileSpoilsNoOtherField) {
  const SysfsTree tree("jetson_orin_nano_jp6");
  const std::array<std::string, 6> files = {"/sys/class/thermal/thermal_zone1/temp",
                                            "/sys/class/thermal/cooling_device4/cur_state",
                                            "/sys/class/thermal/cooling_device4/stats/total_trans",
                                            "/sys/class/devfreq/17000000.gpu/cur_freq",
                                            "/sys/class/hwmon/hwmon2/oc1_event_cnt",
                                            "/sys/class/devfreq/17000000.gpu/max_freq"};
  const std::array<ThermalField, 6> fields = {kGpuTemp,  kThrottle,          kThrottleEvents,
                                              kGpuClock, kOverCurrentEvents, kGpuClockMax};
  const auto source = open_tree(tree);
  for (std::size_t i = 0; i < files.size(); ++i) {
    const std::string good = read_sensor_text(tree.path(files[i]));
    for (const std::string directive : {"!fifo ", "!folder ", "!remove ", "!digits 100 ", "!digits 0 "}) {
      tree.apply(directive + files[i]);
      expect_only_offline(*source, {fields[i]});
      tree.remove(files[i]);
      tree.set(files[i], good + "\n");
      expect_only_offline(*source, {});
    }
  }
}

}  // namespace
}  // namespace skua
