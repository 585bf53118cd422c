#include "telemetry/reading.h"

namespace skua {
namespace {

constexpr std::array<ThermalFieldInfo, kThermalFieldCount> kFields = {{
    {ThermalField::kCpuTemp, "cpu_temp_c", "CPU temperature", "C"},
    {ThermalField::kGpuTemp, "gpu_temp_c", "GPU temperature", "C"},
    {ThermalField::kHottestTemp, "hottest_temp_c", "hottest zone", "C"},
    {ThermalField::kThrottle, "throttle", "thermal throttle", ""},
    {ThermalField::kThrottleEvents, "throttle_events", "throttles counted", ""},
    {ThermalField::kLimitReached, "limit_reached", "passive trip reached", ""},
    {ThermalField::kPassiveTrip, "passive_trip_c", "passive trip", "C"},
    {ThermalField::kCriticalTrip, "critical_trip_c", "critical trip", "C"},
    {ThermalField::kGpuClock, "gpu_clock_mhz", "GPU clock", "MHz"},
    {ThermalField::kGpuClockMax, "gpu_clock_max_mhz", "GPU clock limit", "MHz"},
    {ThermalField::kCpuClock, "cpu_clock_mhz", "CPU clock", "MHz"},
    {ThermalField::kOverCurrentEvents, "over_current_events", "over-current events", ""},
}};

constexpr bool is_in_order() {
  for (std::size_t i = 0; i < kFields.size(); ++i) {
    if (static_cast<std::size_t>(kFields[i].field) != i) return false;
  }
  return true;
}
static_assert(is_in_order());

}  // namespace

std::span<const ThermalFieldInfo> thermal_field_table() noexcept { return kFields; }

std::string_view to_string(FieldStatus status) noexcept {
  switch (status) {
    case FieldStatus::kUnsupported:
      return "unsupported";
    case FieldStatus::kValue:
      return "value";
    case FieldStatus::kOffline:
      return "offline";
    case FieldStatus::kStale:
      break;
  }
  return "stale";
}

}  // namespace skua
