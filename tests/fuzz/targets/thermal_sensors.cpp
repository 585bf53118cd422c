// The sensor files of a Jetson, with texts that no driver should write: every field is a plausible value, or
// says why there is none. Input: pieces of one byte (which file), one byte (length) and the text.
#include <array>
#include <cmath>

#include "../fuzz.h"
#include "sysfs_tree.h"
#include "telemetry/sensors.h"
#include "telemetry/source.h"

namespace {

using namespace skua;

constexpr std::array kFiles = {
    "/sys/class/thermal/thermal_zone0/temp",
    "/sys/class/thermal/thermal_zone0/type",
    "/sys/class/thermal/thermal_zone1/temp",
    "/sys/class/thermal/thermal_zone1/trip_point_0_temp",
    "/sys/class/thermal/thermal_zone1/trip_point_0_type",
    "/sys/class/thermal/thermal_zone1/trip_point_1_temp",
    "/sys/class/thermal/cooling_device4/cur_state",
    "/sys/class/thermal/cooling_device5/type",
    "/sys/class/thermal/cooling_device5/cur_state",
    "/sys/class/thermal/cooling_device5/stats/total_trans",
};

bool is_plausible(const ThermalFieldInfo& info, double value) {
  if (info.unit == "C") return value >= kLowestPlausibleC && value <= kHighestPlausibleC;
  if (info.field == ThermalField::kThrottle || info.field == ThermalField::kLimitReached)
    return value == 0 || value == 1;
  return std::isfinite(value) && value >= 0;
}

void write_pieces(const test::SysfsTree& tree, std::string_view input) {
  while (input.size() >= 2) {
    const auto file = static_cast<std::uint8_t>(input[0]) % kFiles.size();
    const std::size_t length = std::min<std::size_t>(static_cast<std::uint8_t>(input[1]), input.size() - 2);
    tree.set(kFiles[file], input.substr(2, length));
    input.remove_prefix(2 + length);
  }
}

// What the fixture says, so that one input leaves nothing for the next.
using namespace std::string_view_literals;
constexpr auto kUsual =
    "\x00\x06"
    "52468\n"
    "\x01\x0c"
    "cpu-thermal\n"
    "\x02\x06"
    "51812\n"
    "\x03\x07"
    "104500\n"
    "\x04\x09"
    "critical\n"
    "\x05\x06"
    "99000\n"
    "\x06\x02"
    "0\n"
    "\x07\x13"
    "gpu-throttle-alert\n"
    "\x08\x02"
    "0\n"
    "\x09\x02"
    "4\n"sv;

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const test::SysfsTree tree("jetson_orin_nano_jp6");
  write_pieces(tree, kUsual);
  write_pieces(tree, fuzz::text_of(data, size));
  ThermalSourceOptions options;
  options.source = "jetson_sysfs";
  options.root = tree.root();
  options.nvml_libraries.clear();
  const auto source = open_thermal_source(options);
  if (!source.ok()) {
    fuzz::require_refusal(source.error(), {Reason::kTelemetryUnavailable});
    return 0;
  }
  ThermalReading reading;
  (*source)->read(reading);
  for (const ThermalFieldInfo& info : thermal_field_table()) {
    const FieldReading& found = reading[info.field];
    if (found.status == FieldStatus::kValue)
      fuzz::require(is_plausible(info, found.value), "a plausible value", info.key);
    fuzz::require(found.status != FieldStatus::kOffline || !found.problem.empty(), "offline says why",
                  info.key);
  }
  return 0;
}
