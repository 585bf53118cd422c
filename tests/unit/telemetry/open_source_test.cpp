#include <gtest/gtest.h>

#include "hot_path_counters.h"
#include "source_check.h"
#include "sysfs_tree.h"
#include "telemetry/jetson_source.h"
#include "telemetry/reading_json.h"

namespace skua {
namespace {

using test::open_source;
using test::read_once;
using test::SysfsTree;
using enum ThermalField;

Result<std::unique_ptr<ThermalSource>> open_in(const SysfsTree& tree, const std::string& source,
                                               std::vector<std::string> nvml = {}) {
  ThermalSourceOptions options;
  options.source = source;
  options.root = tree.root();
  options.nvml_libraries = std::move(nvml);
  return open_thermal_source(options);
}

TEST(OpenSource, AutoTakesTheFirstThatAnswers) {
  for (const char* name : {"jetson_orin_nano_jp6", "jetson_agx_orin_jp6", "jetson_orin_jp5",
                           "jetson_xavier_jp5", "jetson_thor_jp7", "alerts_missing", "zones_powered_down"}) {
    const SysfsTree tree(name);
    EXPECT_EQ(open_in(tree, "auto", {SKUA_NVML_STANDIN}).value()->name(), "jetson_sysfs") << name;
  }
  const SysfsTree workstation("workstation_intel");
  EXPECT_EQ(open_in(workstation, "auto", {SKUA_NVML_STANDIN}).value()->name(), "nvml");
  EXPECT_EQ(open_in(workstation, "auto", {SKUA_NVML_STANDIN_BROKEN}).value()->name(), "linux");
  EXPECT_EQ(open_in(workstation, "auto").value()->name(), "linux");
}

TEST(OpenSource, WithoutAnySensorAutoSaysWhatWasSoughtWhere) {
  const SysfsTree tree("nothing");
  const auto source = open_in(tree, "auto", {"libskua-no-such-nvml.so.1"});
  ASSERT_FALSE(source.ok());
  EXPECT_EQ(source.error().code, ErrorCode::kTelemetryUnavailable);
  EXPECT_EQ(source.error().reason, Reason::kTelemetryUnavailable);
  const std::string sys = (tree.root() / "sys").string();
  for (const std::string& part : {"jetson_sysfs: " + sys, std::string("nvml: no NVML library"),
                                  "linux: " + sys + " gives neither", std::string("`null`")}) {
    EXPECT_NE(source.error().message.find(part), std::string::npos) << part << "\n" << source.error().message;
  }
}

TEST(OpenSource, ANamedSourceIsNeverAnotherOne) {
  const SysfsTree workstation("workstation_intel");
  EXPECT_EQ(open_in(workstation, "jetson_sysfs").error().code, ErrorCode::kTelemetryUnavailable);
  EXPECT_EQ(open_in(workstation, "nvml").error().code, ErrorCode::kTelemetryUnavailable);
  EXPECT_EQ(open_in(workstation, "linux").value()->name(), "linux");
  const SysfsTree jetson("jetson_orin_nano_jp6");
  EXPECT_EQ(open_in(jetson, "linux").value()->name(), "linux");
  EXPECT_EQ(open_in(jetson, "replay").error().code, ErrorCode::kTelemetryUnavailable);
  EXPECT_EQ(open_in(jetson, "tegrastats").error().code, ErrorCode::kInvalidArgument);
}

// Sensors that are there and give nothing are not enough to start with.
TEST(OpenSource, AJetsonWhoseSensorsAllFailDoesNotAnswer) {
  const SysfsTree tree("nothing");
  tree.apply("/sys/class/thermal/thermal_zone0/type = tj-thermal");
  tree.apply("/sys/class/thermal/thermal_zone0/temp = -256000");
  const auto source = open_in(tree, "jetson_sysfs");
  ASSERT_FALSE(source.ok());
  EXPECT_NE(source.error().message.find("(tj-thermal) holds a number that is not plausible"),
            std::string::npos)
      << source.error().message;
  tree.set("/sys/class/thermal/thermal_zone0/temp", "30000\n");
  EXPECT_TRUE(open_in(tree, "jetson_sysfs").ok());
}

TEST(OpenSource, NullHasNoFieldAndNeverFails) {
  const SysfsTree tree("nothing");
  const auto source = open_in(tree, "null").value();
  EXPECT_EQ(source->name(), "null");
  for (const ThermalFieldInfo& info : thermal_field_table()) {
    test::expect_field(*source, info.field, "unsupported");
    EXPECT_EQ(source->origin(info.field), "");
  }
  EXPECT_EQ(source->cause(0), "");
}

TEST(OpenSource, EverySupportedFieldHasAnOriginAndNoOther) {
  for (const char* name :
       {"jetson_orin_nano_jp6", "jetson_thor_jp7", "workstation_intel", "workstation_amd"}) {
    const SysfsTree tree(name);
    const auto source = open_in(tree, "auto").value();
    const ThermalReading reading = read_once(*source);
    for (const ThermalFieldInfo& info : thermal_field_table()) {
      EXPECT_EQ(source->origin(info.field).empty(), reading[info.field].status == FieldStatus::kUnsupported)
          << name << " " << info.key;
    }
  }
}

// A control that does allocate, so that a counter that counts nothing shows.
TEST(OpenSource, APollAllocatesNothingAfterTheFirst) {
  const test::TempFolder folder;
  for (const char* name : {"jetson_orin_nano_jp6", "workstation_intel", "fifo_in_place"}) {
    const SysfsTree tree(name);
    const auto sensors = open_in(tree, "auto").value();
    ThermalSourceOptions options;
    options.source = "replay";
    options.replay = folder.write("recording.jsonl", encode_reading(*sensors, read_once(*sensors), 1));
    const auto replay = open_thermal_source(options).value();
    for (ThermalSource* source : {sensors.get(), replay.get()}) {
      ThermalReading reading;
      source->read(reading);
      const auto counts = test::count_hot_path([&] {
        for (int poll = 0; poll < 10; ++poll) source->read(reading);
      });
      EXPECT_EQ(counts.allocations, 0U) << name;
      EXPECT_EQ(counts.locks, 0U) << name;
    }
    const auto control = test::count_hot_path([&] { EXPECT_FALSE(encode_reading(*sensors, {}, 0).empty()); });
    EXPECT_GT(control.allocations, 0U);
    // A file that vanished and came back is opened without the heap, too.
    const std::string temp = "/sys/devices/system/cpu/cpufreq/policy0/scaling_cur_freq";
    tree.replace(temp, "1000000\n");
    const auto again = test::count_hot_path([&] { read_once(*sensors); });
    EXPECT_EQ(again.allocations, 0U) << name;
  }
}

}  // namespace
}  // namespace skua
