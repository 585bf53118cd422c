// Every option of a session, as plain key/value pairs, in one place: what is not here is not set, and the
// compile half records what is. ONNX Runtime accepts unknown config keys silently, so keys are held against a
// list of our own.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "runtimes/onnxruntime/ort_handles.h"
#include "runtimes/onnxruntime/ort_library.h"
#include "skua/build_config.h"

namespace skua::ort {

using Pairs = std::vector<std::pair<std::string, std::string>>;

/// Everything that a session is created with.
struct SessionPlan {
  std::string graph_optimization;  ///< "disabled", "basic", "extended", "all"
  int intra_op_threads = 1;
  std::string provider;                     ///< "cpu", "cuda", "tensorrt": exactly one
  Pairs config;                             ///< session config entries
  Pairs provider_options;                   ///< of CUDA or TensorRT; empty for cpu
  std::filesystem::path save_optimized_to;  ///< compile only; empty: not saved
  std::filesystem::path profile_prefix;     ///< compile only; empty: no profiling
};

/// What the provider's options depend on beside the configuration.
struct EngineLimits {
  std::uint64_t workspace_bytes = 0;  ///< upper bound of TensorRT's scratch memory
  std::vector<OptimizationProfile> profiles;
};

/// A session of the run half: the artifact was optimised at compile, so the optimiser is off.
SessionPlan run_plan(const RuntimeConfig& config, const EngineLimits& limits);
/// The session that optimises the source model and saves it as `artifact`.
SessionPlan compile_plan(const RuntimeConfig& config, const EngineLimits& limits, Precision precision,
                         const std::filesystem::path& artifact);
/// The session that computes reference values: the CPU provider, `graph_optimization` as given, nothing
/// saved.
SessionPlan reference_plan(std::string_view graph_optimization);

/// The level that the compile half uses, and that an engine's record must name.
std::string_view graph_optimization_of(std::string_view provider, Precision precision) noexcept;
/// ONNX Runtime's name of a provider: "CPUExecutionProvider", ...
std::string_view provider_name(std::string_view provider) noexcept;
/// workspace_mb, but never more than a quarter of the GPU budget.
std::uint64_t workspace_bytes(const RuntimeConfig& config, int workspace_mb) noexcept;
/// "a:1x3,b:2x2": TensorRT's form of one side of the profiles.
std::string profile_text(std::span<const OptimizationProfile> profiles, Shape OptimizationProfile::*side);

/// Error kInternal for a key that is not on the list of known keys.
Status check_config_keys(const Pairs& config);

/// Makes the options object. A provider that the library does not have is provider_not_available, as
/// `refusal_code`.
Result<SessionOptionsHandle> make_options(const OrtLibrary& library, const SessionPlan& plan,
                                          ErrorCode refusal_code);

}  // namespace skua::ort
