#include "nvml_standin.h"

#include <cstring>

// Which functions this build has: 0 all; 1 an old library (first names only, no list of supported reasons); 2
// a new one (nvmlDeviceGetTemperatureV alone); 3 one without a required function.
#ifndef NVML_STANDIN_VARIANT
#define NVML_STANDIN_VARIANT 0
#endif

namespace {

skua::test::NvmlStandin g_standin;
int g_device = 0;

struct TemperatureV1 {
  unsigned int version;
  int sensor;
  int temperature;
};

int answer(int code, unsigned int value, unsigned int* into) {
  if (code == 0) *into = value;
  return code;
}

[[maybe_unused]] int answer_bits(int code, unsigned long long value, unsigned long long* into) {
  if (code == 0) *into = value;
  return code;
}

}  // namespace

extern "C" {

skua::test::NvmlStandin* skua_nvml_standin() { return &g_standin; }

#if NVML_STANDIN_VARIANT != 3
int nvmlInit_v2() {
  ++g_standin.init_calls;
  return g_standin.init;
}
#endif
int nvmlShutdown() {
  ++g_standin.shutdown_calls;
  return 0;
}
const char* nvmlErrorString(int code) { return code == 9 ? "Driver Not Loaded" : "stand-in's error"; }
int nvmlDeviceGetCount_v2(unsigned int* count) {
  return answer(g_standin.count_code, g_standin.devices, count);
}
int nvmlDeviceGetHandleByIndex_v2(unsigned int, void** device) {
  *device = &g_device;
  return g_standin.handle;
}
int nvmlDeviceGetName(void*, char* name, unsigned int length) {
  std::strncpy(name, "Stand-in", length);
  return 0;
}
int nvmlDeviceGetTemperatureThreshold(void*, int which, unsigned int* celsius) {
  ++g_standin.threshold_calls;
  return answer(g_standin.threshold, which == 0 ? g_standin.shutdown : g_standin.slowdown, celsius);
}
int nvmlDeviceGetClockInfo(void*, int, unsigned int* mhz) {
  ++g_standin.clock_calls;
  return answer(g_standin.clock, g_standin.mhz, mhz);
}
int nvmlDeviceGetMaxClockInfo(void*, int, unsigned int* mhz) {
  ++g_standin.max_clock_calls;
  return answer(g_standin.max_clock, g_standin.max_mhz, mhz);
}
#if NVML_STANDIN_VARIANT != 2
int nvmlDeviceGetTemperature(void*, int, unsigned int* celsius) {
  ++g_standin.temperature_calls;
  return answer(g_standin.temperature, g_standin.celsius, celsius);
}
#endif
#if NVML_STANDIN_VARIANT != 1
int nvmlDeviceGetTemperatureV(void*, TemperatureV1* into) {
  ++g_standin.temperature_calls;
  if (into->version != (12U | 1U << 24U) || into->sensor != 0) return 25;  // version mismatch
  into->temperature = static_cast<int>(g_standin.celsius);
  return g_standin.temperature;
}
int nvmlDeviceGetSupportedClocksEventReasons(void*, unsigned long long* reasons) {
  return answer_bits(g_standin.supported, g_standin.supported_bits, reasons);
}
int nvmlDeviceGetCurrentClocksEventReasons(void*, unsigned long long* reasons) {
  ++g_standin.reasons_calls;
  return answer_bits(g_standin.reasons, g_standin.reason_bits, reasons);
}
#else
int nvmlDeviceGetCurrentClocksThrottleReasons(void*, unsigned long long* reasons) {
  ++g_standin.reasons_calls;
  return answer_bits(g_standin.reasons, g_standin.reason_bits, reasons);
}
#endif

}  // extern "C"
