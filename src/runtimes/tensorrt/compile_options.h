// Every option of a build, by name and in one place: what the builder is given, what a tool's command line
// says, and what the record holds are all made from it. Numbers of flags are never kept: they change between
// releases.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "skua/build_config.h"

namespace skua::tensorrt {

/// From this release on precision stands in the graph alone: the network is strongly typed, and the flags
/// that asked for a precision are gone.
inline constexpr int kFirstStronglyTypedMajor = 11;

inline constexpr std::uint64_t kMiB = 1U << 20U;

/// Where the ranges of int8 come from.
enum class RangeSource : std::uint8_t {
  kNone,     ///< not int8
  kGraph,    ///< Q/DQ nodes: no calibrator is set
  kCache,    ///< a calibration cache that was judged
  kSamples,  ///< calibrated now
};
/// "none", "graph", "calibration cache", "samples".
std::string_view to_string(RangeSource ranges) noexcept;

struct BuildOptions {
  BuildRoute route = BuildRoute::kBuilder;
  Precision precision = Precision::kFp16;
  RangeSource ranges = RangeSource::kNone;
  int sdk_major = 0;                  ///< of the library that builds: decides which flags there are
  std::string network_name;           ///< stands in the plan: without one its bytes would depend on a counter
  std::uint64_t workspace_bytes = 0;  ///< upper bound of one layer's scratch memory
  std::uint64_t tactic_dram_bytes = 0;  ///< upper bound of what trying one kernel may take
  int optimization_level = 3;
  int avg_timing_iterations = 1;
  int max_aux_streams = 0;             ///< a lane has one stream; TensorRT is to open no others
  std::vector<std::string> keep_fp32;  ///< layers by name, resolved
  /// Of these, what trtexec is to be told of their outputs: "fp32", "fp32+int32".
  std::map<std::string, std::string> kept_outputs;
  std::vector<OptimizationProfile> profiles;

  bool is_strongly_typed() const noexcept { return sdk_major >= kFirstStronglyTypedMajor; }
  /// The builder flag fp16, which lets TensorRT choose it layer by layer.
  bool has_fp16_flag() const noexcept { return precision != Precision::kFp32 && !is_strongly_typed(); }
  /// The same of int8; what has none falls back to fp16 or fp32.
  bool has_int8_flag() const noexcept { return precision == Precision::kInt8 && !is_strongly_typed(); }
  /// Whether types of layers are read back. The inspector shows them only in an engine that was built with
  /// them; where fp32 or fp16 stand in the graph nobody asks.
  bool is_detailed() const noexcept {
    return has_fp16_flag() || precision == Precision::kInt8 || precision == Precision::kMixed;
  }
};

/// What the device has: bounds of the two memory pools.
struct DeviceMemory {
  std::uint64_t total_bytes = 0, free_bytes = 0;
};

/// The request's options, the pools bounded by what the device has; without a device by the request alone.
/// OutOfMemoryError when the workspace asked for is more than is free.
Result<BuildOptions> build_options(const BuildConfig& build, const std::string& model_name, int sdk_major,
                                   const std::optional<DeviceMemory>& device);

/// Names of the builder flags that are set, sorted: "fp16", "obey_precision_constraints". Everything else is
/// off.
std::vector<std::string> flag_names(const BuildOptions& options);

/// By name, for the record.
std::map<std::string, std::string> option_texts(const BuildOptions& options);

}  // namespace skua::tensorrt
