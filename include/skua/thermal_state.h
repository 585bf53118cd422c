// The thermal snapshot that C4 reads.
#pragma once

#include <cstdint>
#include <limits>

namespace skua {

/// Trivially copyable, so that a reader gets a whole one. When telemetry is not available the figures are
/// "not measured" and the throttle flag is false: the steady-state path stays.
struct ThermalState {
  float cpu_temp_c = std::numeric_limits<float>::quiet_NaN();  ///< NaN: not measured
  float gpu_temp_c = std::numeric_limits<float>::quiet_NaN();  ///< NaN: not measured
  bool thermal_throttle_active = false;
  std::int32_t measured_clock_mhz = 0;  ///< 0: not measured
  std::int64_t measured_at_ns = 0;      ///< monotonic clock
  bool is_telemetry_available = false;
};

}  // namespace skua
