// A stand-in for NVIDIA's management library: tests load it in its place and set its answers here. It shares
// no code with NVML; names and numbers are those of the NVML API reference.
#pragma once

namespace skua::test {

struct NvmlStandin {
  // Answers (nvmlReturn_t; 0 success, 3 not supported, 15 GPU is lost).
  int init = 0, count_code = 0, handle = 0, temperature = 0, threshold = 0, clock = 0, max_clock = 0,
      reasons = 0, supported = 0;
  // Values.
  unsigned int devices = 1, celsius = 61, slowdown = 93, shutdown = 98, mhz = 1410, max_mhz = 2100;
  unsigned long long reason_bits = 0, supported_bits = 0x1ff;
  // Calls made.
  int init_calls = 0, shutdown_calls = 0, temperature_calls = 0, threshold_calls = 0, clock_calls = 0,
      max_clock_calls = 0, reasons_calls = 0;
};

inline constexpr char kNvmlStandinSymbol[] = "skua_nvml_standin";

}  // namespace skua::test
