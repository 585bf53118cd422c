// Where thermal readings come from. Each source is a plain class over an injectable root.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "skua/result.h"
#include "telemetry/reading.h"

namespace skua {

/// One way to read this machine's sensors. Not thread-safe: one thread at a time. A source that was opened
/// stays what it is: it never turns into another one when its sensors fail.
class ThermalSource {
 public:
  virtual ~ThermalSource() = default;
  /// As in the configuration: "jetson_sysfs", "nvml", "linux", "replay", "null".
  virtual std::string_view name() const noexcept = 0;
  /// Reads every field, each on its own; a sensor that fails is `offline`, never an old value. Never throws;
  /// allocates nothing after the first call. May block as long as a driver does.
  virtual void read(ThermalReading& reading) noexcept = 0;
  /// The file or the call that a field comes from, e.g. "/sys/class/thermal/thermal_zone1/temp
  /// (gpu-thermal)"; empty where the field is not supported. Does not change after opening.
  virtual std::string_view origin(ThermalField field) const noexcept = 0;
  /// The name of bit `index` of ThermalReading::throttle_causes, e.g. "gpu-throttle-alert"; empty: no such
  /// bit.
  virtual std::string_view cause(std::size_t index) const noexcept = 0;
};

/// The names of what holds a clock down now, in the order of their bits. Allocates.
inline std::vector<std::string_view> causes_of(const ThermalReading& reading, const ThermalSource& source) {
  std::vector<std::string_view> causes;
  for (std::size_t i = 0; i < 32; ++i) {
    if ((reading.throttle_causes >> i & 1U) != 0) causes.push_back(source.cause(i));
  }
  return causes;
}

struct ThermalSourceOptions {
  std::string source = "auto";       ///< as RuntimeConfig::thermal_source
  std::filesystem::path root = "/";  ///< sysfs is sought under it: root/sys/class/thermal, ...
  std::filesystem::path replay;      ///< of source "replay"
  /// The NVML libraries to try, in this order: bare names go to the dynamic linker.
  std::vector<std::string> nvml_libraries = {"libnvidia-ml.so.1", "libnvidia-ml.so",
                                             "/usr/lib/aarch64-linux-gnu/nvidia/libnvidia-ml.so.1"};
};

/// Opens the named source; `auto` takes the first that answers of jetson_sysfs, nvml, linux: one that gives
/// at least one temperature or a throttle state. TelemetryUnavailableError listing what was tried, what each
/// was missing, and the remedy. May block as long as a driver does.
Result<std::unique_ptr<ThermalSource>> open_thermal_source(const ThermalSourceOptions& options);

}  // namespace skua
