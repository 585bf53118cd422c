// The sensors of an NVIDIA Jetson, from sysfs. Needs no privilege and no library.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "telemetry/sensors.h"

namespace skua {

enum class JetsonZoneKind : std::uint8_t { kCpu, kGpu, kTj, kOther };

struct JetsonZone {
  std::string type;
  JetsonZoneKind kind = JetsonZoneKind::kOther;
  SysfsFile temp;
  std::vector<SysfsFile> passive, critical;  ///< trip points of these types
};

/// A cooling device that heat alone moves.
struct JetsonCooling {
  std::string type;
  bool is_alert = false;  ///< else the devfreq device that caps the GPU's clock
  SysfsFile state;
  std::uint32_t cause = 0;  ///< its bit in ThermalReading::throttle_causes
};

/// The transitions of one alert (Linux, CONFIG_THERMAL_STATISTICS).
struct JetsonTransitions {
  RisingCounter counter;
  bool was_engaged = false;  ///< when the source was opened
};

struct JetsonSensors {
  std::vector<JetsonZone> zones;
  std::vector<JetsonCooling> cooling;
  std::vector<JetsonTransitions> transitions;
  std::vector<RisingCounter> over_current;
  std::vector<SysfsFile> cpu_clocks;                  ///< kHz
  std::optional<SysfsFile> gpu_clock, gpu_clock_max;  ///< Hz
  bool has_unknown_cooling = false;                   ///< a cooling device would not say what it is
  bool is_jetson = false;                             ///< something that only a Jetson has was found
};

/// Finds everything by name, never by index, under root/sys. Missing parts stay empty. Reads each counter
/// once. Allocates; opens files.
JetsonSensors find_jetson_sensors(const std::filesystem::path& root);

/// "jetson_sysfs". Not thread-safe.
class JetsonSource final : public SourceBase {
 public:
  explicit JetsonSource(JetsonSensors sensors);
  void read(ThermalReading& reading) noexcept override;

 private:
  void name_origins();
  void name_throttle_origins();
  void read_zones(ThermalReading& reading) noexcept;
  void read_throttle(ThermalReading& reading) noexcept;
  void read_counters(ThermalReading& reading) noexcept;
  void read_clocks(ThermalReading& reading) noexcept;

  JetsonSensors sensors_;
  bool has_tj_ = false;
};

/// The source, or TelemetryUnavailableError when nothing under root/sys looks like a Jetson.
Result<std::unique_ptr<ThermalSource>> open_jetson_source(const std::filesystem::path& root);

}  // namespace skua
