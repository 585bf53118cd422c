// The host tuple: what an engine is bound to. An engine built for one tuple is refused on every other.
// Thread-safety: values.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "skua/result.h"

namespace skua {

/// What the arithmetic of an engine is allowed to be. kFp32 is for reference artifacts on the ground.
enum class Precision : std::uint8_t { kFp16, kInt8, kMixed, kFp32 };

/// "fp16", "int8", "mixed", "fp32".
std::string_view to_string(Precision precision) noexcept;
/// Reads `to_string`'s form; InvalidArgumentError listing the names for anything else.
Result<Precision> precision_from_string(std::string_view name);

/// The machine. The first three fields travel in the engine's file name; the others are finer facts that the
/// name lacks and that the gate compares afterwards. A text field is empty, and a number 0, where the host
/// has no such thing.
struct HostTuple {
  int sm = 0;                  ///< CUDA compute capability x 10 (87 on Orin); 0: no NVIDIA GPU
  std::string jetpack = "0";   ///< "6.2"; "0": no Jetson
  std::string tensorrt = "0";  ///< major.minor of the installed library; "0": none
  std::string l4t;             ///< "36.4.3"
  std::string module_name;  ///< device-tree model, e.g. "NVIDIA Jetson Orin Nano Engineering Reference ..."
  int sm_count = 0;         ///< streaming multiprocessors: tells an AGX Orin from a Nano, both SM 8.7
  std::string tensorrt_build;  ///< "10.3.0.30"
  std::string cuda_driver;     ///< "12.6"
  std::string cuda_runtime;    ///< "12.6.68"
  std::string cpu_arch;        ///< "x86_64", "aarch64"
  std::string cpu_features;    ///< sorted, space separated instruction-set names that kernels choose by

  friend bool operator==(const HostTuple&, const HostTuple&) = default;
};

/// "sm87_jp6.2_trt10.3": the part that stands in an engine's file name.
std::string tuple_text(const HostTuple& host);

/// One finer fact that differs.
struct HostDifference {
  std::string field, expected, found;
};
/// The finer facts that keep an engine built on `built_on` from running on `here`. `uses_gpu` decides which
/// facts count: GPU engines are bound to module, SM count, L4T, TensorRT build and CUDA; CPU engines to the
/// CPU.
std::vector<HostDifference> finer_differences(const HostTuple& built_on, const HostTuple& here,
                                              bool uses_gpu);

/// Reads this machine. Never fails: what is not there stays empty. Reads files and, for the GPU, asks the
/// CUDA driver library when one is installed. Costs milliseconds; ask once and keep the answer.
HostTuple probe_host();

}  // namespace skua
