// What a thermal source says in one poll: a fixed table of fields, each with a status of its own, so that a
// missing or failing sensor never spoils the others. Values only; share them as you would an int.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace skua {

/// The fields, in the order in which they are shown. `reading.cpp` has the name and unit of each.
enum class ThermalField : std::uint8_t {
  kCpuTemp,         ///< degrees C, the hottest CPU sensor
  kGpuTemp,         ///< degrees C
  kHottestTemp,     ///< degrees C, the hottest zone of the machine (Jetson: tj-thermal)
  kThrottle,        ///< 1: heat holds a clock down now; 0: it does not
  kThrottleEvents,  ///< throttles that the kernel counted since this source was opened
  kLimitReached,    ///< 1: a zone is at or above its passive trip point (derived; not the same as throttled)
  kPassiveTrip,     ///< degrees C, the lowest passive trip point of the CPU and GPU zones
  kCriticalTrip,    ///< degrees C, the lowest critical trip point of the CPU and GPU zones
  kGpuClock,        ///< MHz
  kGpuClockMax,     ///< MHz
  kCpuClock,        ///< MHz, the fastest core now
  kOverCurrentEvents,  ///< over-current events that the kernel counted since this source was opened: a signal
                       ///< of power, never of heat
  kCount,
};
inline constexpr std::size_t kThermalFieldCount = static_cast<std::size_t>(ThermalField::kCount);

enum class FieldStatus : std::uint8_t {
  kUnsupported,  ///< this source has no such sensor
  kValue,        ///< read in this poll
  kOffline,      ///< there is a sensor, and it did not give a plausible value in this poll
  kStale,        ///< the value is of an earlier poll (set by the watchdog, never by a source)
};

struct FieldReading {
  FieldStatus status = FieldStatus::kUnsupported;
  double value = 0.0;             ///< only with kValue and kStale
  std::string_view problem = {};  ///< static text: why it is offline, e.g. "not a regular file"; may be empty
};

/// Trivially copyable.
struct ThermalReading {
  std::array<FieldReading, kThermalFieldCount> fields{};
  std::uint32_t throttle_causes = 0;  ///< bit i: ThermalSource::cause(i) holds a clock down now

  FieldReading& operator[](ThermalField field) { return fields[static_cast<std::size_t>(field)]; }
  const FieldReading& operator[](ThermalField field) const { return fields[static_cast<std::size_t>(field)]; }
};

struct ThermalFieldInfo {
  ThermalField field;
  std::string_view key;    ///< in JSON, with its unit: "cpu_temp_c"
  std::string_view label;  ///< for a reader: "CPU temperature"
  std::string_view unit;   ///< "C", "MHz", "" (a count or yes/no)
};

/// One entry a field, in the order of ThermalField.
std::span<const ThermalFieldInfo> thermal_field_table() noexcept;
/// "unsupported", "value", "offline", "stale".
std::string_view to_string(FieldStatus status) noexcept;

}  // namespace skua
