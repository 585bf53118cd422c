// PytorchFp16Runtime (label pytorch_fp16): the strategy over libtorch. Sees nothing of libtorch itself.
#pragma once

#include <functional>
#include <memory>

#include "inference/module_abi.h"
#include "inference/strategy.h"

namespace skua::pytorch {

/// RuntimeNotAvailableError: sdk_missing, sdk_foreign, module_missing, module_foreign,
/// provider_not_available.
Result<std::unique_ptr<InferenceRuntime>> create_runtime(RuntimeEnvironment environment);

/// The same, telling `observer` of every engine it makes resident; for measuring.
using EngineObserver = std::function<void(const EngineRecord&, const LoadedEngine&)>;
Result<std::unique_ptr<InferenceRuntime>> create_observed_runtime(RuntimeEnvironment environment,
                                                                  EngineObserver observer);

/// What the configured library says of itself. Maps it.
Result<SdkInfo> probe_sdk(const RuntimeConfig& config);

}  // namespace skua::pytorch
