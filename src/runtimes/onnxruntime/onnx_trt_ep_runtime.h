// OnnxTrtEpRuntime (label onnx_trt_ep): the strategy over ONNX Runtime, with exactly the configured execution
// provider.
#pragma once

#include <memory>

#include "inference/module_abi.h"

namespace skua::ort {

/// RuntimeNotAvailableError: sdk_missing, sdk_foreign, provider_not_available.
Result<std::unique_ptr<InferenceRuntime>> create_runtime(RuntimeEnvironment environment);

/// What the configured library says of itself.
Result<SdkInfo> probe_sdk(const RuntimeConfig& config);

}  // namespace skua::ort
