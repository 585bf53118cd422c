// From a configuration to a runtime: which runtimes this Skua has, and how to build the configured one. It is
// exactly that one or an error; nothing is ever substituted. Thread-safety: no state.
#pragma once

#include <memory>
#include <span>
#include <string_view>

#include "skua/inference_runtime.h"

namespace skua {

/// One runtime that Skua knows, whether it was built or not. Texts have static storage.
struct RuntimeEntry {
  std::string_view label;       ///< what `RuntimeConfig::runtime` says, e.g. "onnx_trt_ep"
  std::string_view build_flag;  ///< the CMake option, e.g. "BUILD_ONNX_TRT_EP_RUNTIME"
  bool is_built = false;
  std::string_view reason;  ///< why it is not built; empty when it is
};

/// All runtimes, in a fixed order.
std::span<const RuntimeEntry> runtime_registry() noexcept;

/// The entry of a label that is built. RuntimeNotAvailableError: runtime_unknown listing the labels,
/// runtime_not_built naming the flag. Loads nothing.
Result<const RuntimeEntry*> find_built_runtime(std::string_view label);

/// Fills in what `config` leaves to its runtime: the device and arithmetic of pytorch_fp16. What is compiled,
/// recorded and reused goes by the filled-in values. RuntimeNotAvailableError as build_inference_runtime.
/// Idempotent.
Status resolve_defaults(RuntimeConfig& config);

/// Builds the runtime that `environment.config.runtime` names. Ownership: the caller's; what `environment`
/// refers to must outlive it. Errors: those of find_built_runtime, before anything of the strategy is loaded;
/// RuntimeNotAvailableError (module_missing, module_foreign, sdk_missing, sdk_foreign,
/// provider_not_available); InvalidArgumentError for a configuration that is not valid. An airborne runtime
/// comes with its telemetry started; without a sensor it comes all the same, after a WARN. What was built is
/// told once, as `c7.runtime_built`. Cost: opens the runtime's module, once per process; airborne, up to
/// about 100 ms for a slow sensor.
Result<std::unique_ptr<InferenceRuntime>> build_inference_runtime(RuntimeEnvironment environment);

}  // namespace skua
