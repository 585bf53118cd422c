// The part of NVML that the nvml source calls, declared here: Skua is compiled without NVIDIA's header.
// Names, numbers and signatures: NVML API Reference Guide (docs.nvidia.com/deploy/nvml-api), stable across
// releases; where a call has two names, the release that brought the second is named.
#pragma once

#include <string>
#include <vector>

#include "skua/result.h"

namespace skua {

namespace nvml {

using Return = int;    // nvmlReturn_t
using Device = void*;  // nvmlDevice_t, an opaque pointer
inline constexpr Return kSuccess = 0, kNotSupported = 3, kFunctionNotFound = 13, kGpuIsLost = 15;
inline constexpr int kTemperatureGpu = 0;                             // nvmlTemperatureSensors_t
inline constexpr int kThresholdShutdown = 0, kThresholdSlowdown = 1;  // nvmlTemperatureThresholds_t
inline constexpr int kClockGraphics = 0;                              // nvmlClockType_t
// Clocks event reasons (before NVML 12.2 "throttle reasons"). HwSlowdown 0x8 alone is no heat: it is also the
// power brake and fast changes of the clock.
inline constexpr unsigned long long kSwThermalSlowdown = 0x20, kHwThermalSlowdown = 0x40;

// nvmlTemperature_v1_t and its version word (size, and 1 in the highest byte).
struct TemperatureV1 {
  unsigned int version;
  int sensor;
  int temperature;  // degrees C
};
inline constexpr unsigned int kTemperatureV1 = sizeof(TemperatureV1) | (1U << 24U);

}  // namespace nvml

/// The functions of one loaded library. The required ones are never null.
struct NvmlApi {
  nvml::Return (*init)() = nullptr;
  nvml::Return (*shutdown)() = nullptr;
  const char* (*error_string)(nvml::Return) = nullptr;
  nvml::Return (*device_count)(unsigned int*) = nullptr;
  nvml::Return (*device_by_index)(unsigned int, nvml::Device*) = nullptr;
  nvml::Return (*device_name)(nvml::Device, char*, unsigned int) = nullptr;

  // Optional: null in a library that lacks them.
  nvml::Return (*temperature)(nvml::Device, int sensor, unsigned int* celsius) = nullptr;
  nvml::Return (*temperature_v)(nvml::Device,
                                nvml::TemperatureV1*) = nullptr;  // in its place from NVML 13 on
  nvml::Return (*temperature_threshold)(nvml::Device, int threshold, unsigned int* celsius) = nullptr;
  nvml::Return (*clock)(nvml::Device, int clock, unsigned int* mhz) = nullptr;
  nvml::Return (*max_clock)(nvml::Device, int clock, unsigned int* mhz) = nullptr;
  nvml::Return (*event_reasons)(nvml::Device, unsigned long long* reasons) = nullptr;
  nvml::Return (*supported_event_reasons)(nvml::Device, unsigned long long* reasons) = nullptr;
  const char* event_reasons_name = "";  ///< the name under which it was found

  std::string library;  ///< as it was asked for
};

/// The first of `libraries` that loads and has every required function. Never unloaded: NVML keeps threads.
/// TelemetryUnavailableError with what each lacked. Allocates; runs the library's constructors.
Result<NvmlApi> load_nvml(const std::vector<std::string>& libraries);

}  // namespace skua
