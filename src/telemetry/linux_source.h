// The sensors of an ordinary Linux machine: hwmon, thermal zones, cpufreq, and the throttle counters of x86.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "telemetry/sensors.h"

namespace skua {

struct LabelledFile {
  SysfsFile file;
  std::string label;  ///< of the chip or zone: "coretemp"
};

struct LinuxSensors {
  std::vector<LabelledFile> cpu, gpu, other;  ///< temperatures; `other` counts for the hottest zone only
  std::vector<LabelledFile> critical;         ///< critical limits of `cpu` and `gpu`
  std::vector<SysfsFile> cpu_clocks;          ///< kHz
  std::optional<SysfsFile> gpu_clock;         ///< Hz
  /// x86 (arch/x86/kernel/cpu/mce/therm_throt.c): times a core, or its package, became too hot.
  std::vector<RisingCounter> core_throttles, package_throttles;
  /// Cooling devices of type "Processor": the ACPI driver's passive cooling.
  std::vector<SysfsFile> processors;
  bool has_unknown_cooling = false;  ///< a cooling device would not say what it is
};

/// Finds everything by name under root/sys. Missing parts stay empty. Reads each counter once. Allocates;
/// opens files.
LinuxSensors find_linux_sensors(const std::filesystem::path& root);

/// "linux". Not thread-safe.
class LinuxSource final : public SourceBase {
 public:
  explicit LinuxSource(LinuxSensors sensors);
  void read(ThermalReading& reading) noexcept override;

 private:
  void name_origins();
  void read_temperatures(ThermalReading& reading) noexcept;
  void read_throttle(ThermalReading& reading) noexcept;
  void read_clocks(ThermalReading& reading) noexcept;

  LinuxSensors sensors_;
  std::uint32_t core_cause_ = 0, package_cause_ = 0, processor_cause_ = 0;
};

/// Never an error: a machine without sensors gives a source without fields, which open_thermal_source
/// refuses.
std::unique_ptr<ThermalSource> open_linux_source(const std::filesystem::path& root);

}  // namespace skua
