// PytorchFp16Runtime (label pytorch_fp16): the strategy over libtorch. Sees nothing of libtorch itself.
#pragma once

#include <functional>
#include <memory>

#include "inference/module_abi.h"
#include "inference/strategy.h"
#include "runtimes/pytorch/torch_bridge.h"

namespace skua::pytorch {

/// RuntimeNotAvailableError: sdk_missing, sdk_foreign, module_missing, module_foreign,
/// provider_not_available.
Result<std::unique_ptr<InferenceRuntime>> create_runtime(RuntimeEnvironment environment);

/// The same over an opened library, telling `observer` of every engine it makes resident, on several threads
/// at once; for measuring. `archive` is valid during the call, the engine as long as the runtime holds it.
using EngineObserver =
    std::function<void(const EngineRecord&, std::span<const std::byte> archive, const LoadedEngine&)>;
Result<std::unique_ptr<InferenceRuntime>> create_runtime_over(const RunBridge& bridge,
                                                              RuntimeEnvironment environment,
                                                              EngineObserver observer);

/// What the configured library says of itself. Maps it.
Result<SdkInfo> probe_sdk(const RuntimeConfig& config);

}  // namespace skua::pytorch
