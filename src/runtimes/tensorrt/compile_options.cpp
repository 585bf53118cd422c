#include "runtimes/tensorrt/compile_options.h"

#include <algorithm>

#include "compile/compilation.h"
#include "core/text.h"

namespace skua::tensorrt {
namespace {

/// Of an even size, so that the same machine gives the same plan although a little more or less is free
/// today.
constexpr std::uint64_t kPoolStep = 256 * kMiB;

/// TensorRT's own default is three quarters of the device; of what is not free it would be the operating
/// system that ends the build, not an error.
std::uint64_t tactic_dram(const DeviceMemory& device) {
  const std::uint64_t bound = std::min(device.total_bytes / 4 * 3, device.free_bytes);
  return bound < kPoolStep ? bound : bound / kPoolStep * kPoolStep;
}

}  // namespace

std::string_view to_string(RangeSource ranges) noexcept {
  switch (ranges) {
    case RangeSource::kGraph:
      return "graph";
    case RangeSource::kCache:
      return "calibration cache";
    case RangeSource::kSamples:
      return "samples";
    case RangeSource::kNone:
      break;
  }
  return "none";
}

Result<BuildOptions> build_options(const BuildConfig& build, const std::string& model_name, int sdk_major,
                                   const std::optional<DeviceMemory>& device) {
  BuildOptions options;
  options.route = build.build_route;
  options.precision = build.precision;
  options.sdk_major = sdk_major;
  options.network_name = model_name;
  options.workspace_bytes = static_cast<std::uint64_t>(build.workspace_mb) * kMiB;
  options.tactic_dram_bytes = options.workspace_bytes;
  options.profiles = build.optimization_profiles;
  if (!device) return options;
  options.tactic_dram_bytes = tactic_dram(*device);
  if (options.workspace_bytes <= device->free_bytes) return options;
  return make_error(ErrorCode::kOutOfMemory, Reason::kOutOfMemory,
                    "workspace_mb is " + std::to_string(build.workspace_mb) + ", but the device has " +
                        std::to_string(device->free_bytes / kMiB) +
                        " MiB free; lower workspace_mb, or end other programs");
}

std::vector<std::string> flag_names(const BuildOptions& options) {
  std::vector<std::string> names;
  if (options.has_fp16_flag()) names.emplace_back("fp16");
  if (options.has_int8_flag()) names.emplace_back("int8");
  if (options.has_fp16_flag() && !options.keep_fp32.empty()) names.emplace_back("obey_precision_constraints");
  return names;
}

std::map<std::string, std::string> option_texts(const BuildOptions& options) {
  // trtexec 10.3 has no option for this pool and leaves TensorRT's own default.
  const bool is_dram_set = options.route != BuildRoute::kTrtexec;
  return {
      {"avg_timing_iterations", std::to_string(options.avg_timing_iterations)},
      {"build_route", std::string(to_string(options.route))},
      {"builder_flags", join(flag_names(options))},
      {"builder_optimization_level", std::to_string(options.optimization_level)},
      {"default_device_type", "gpu"},
      {"engine_capability", "standard"},
      {"hardware_compatibility", "none"},
      {"int8_ranges", std::string(to_string(options.ranges))},
      {"keep_fp32_layers", join(options.keep_fp32)},
      {"max_aux_streams", std::to_string(options.max_aux_streams)},
      {"network_name", options.route == BuildRoute::kBuilder ? options.network_name : "the tool's own"},
      {"profiling_verbosity", options.is_detailed() ? "detailed" : "layer_names_only"},
      {"strongly_typed", options.is_strongly_typed() ? "1" : "0"},
      {"tactic_dram_bytes", is_dram_set ? std::to_string(options.tactic_dram_bytes) : "the tool's default"},
      {"workspace_bytes", std::to_string(options.workspace_bytes)}};
}

}  // namespace skua::tensorrt
