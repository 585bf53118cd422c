// TensorrtRuntime (label tensorrt): the strategy over TensorRT and the CUDA runtime.
#pragma once

#include <memory>

#include "inference/module_abi.h"
#include "runtimes/tensorrt/device_state.h"

namespace skua::tensorrt {

/// RuntimeNotAvailableError: sdk_foreign, provider_not_available.
Result<std::unique_ptr<InferenceRuntime>> create_runtime(RuntimeEnvironment environment);

/// The same, and the state of its device, for tests.
struct ObservedRuntime {
  std::unique_ptr<InferenceRuntime> runtime;
  std::shared_ptr<DeviceState> device;
};
Result<ObservedRuntime> create_observed_runtime(RuntimeEnvironment environment);

/// What the mapped library says of itself. Touches the device only to name it.
Result<SdkInfo> probe_sdk(const RuntimeConfig& config);

}  // namespace skua::tensorrt
