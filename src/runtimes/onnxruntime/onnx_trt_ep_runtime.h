// OnnxTrtEpRuntime (label onnx_trt_ep): the strategy over ONNX Runtime, with exactly the configured execution
// provider.
#pragma once

#include <functional>
#include <memory>

#include "inference/module_abi.h"
#include "inference/strategy.h"

namespace skua::ort {

/// RuntimeNotAvailableError: sdk_missing, sdk_foreign, provider_not_available.
Result<std::unique_ptr<InferenceRuntime>> create_runtime(RuntimeEnvironment environment);

/// The same, telling `observer` of every engine it makes resident, on several threads at once; for measuring.
using EngineObserver = std::function<void(const EngineRecord&, const LoadedEngine&)>;
Result<std::unique_ptr<InferenceRuntime>> create_observed_runtime(RuntimeEnvironment environment,
                                                                  EngineObserver observer);

/// What the configured library says of itself.
Result<SdkInfo> probe_sdk(const RuntimeConfig& config);

}  // namespace skua::ort
