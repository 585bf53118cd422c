#include "cli/expected_sdk.h"

#include "skua_sdk_paths.h"

namespace skua {

namespace {

/// The library that is configured stands in for the build's own.
ExpectedSdk configurable(ExpectedSdk expected, const std::filesystem::path& configured) {
  if (!expected.library.empty() && !configured.empty()) expected.library = configured.string();
  return expected;
}

}  // namespace

std::optional<ExpectedSdk> expected_sdk(std::string_view label, const RuntimeConfig& config) {
  if (label == "tensorrt") return ExpectedSdk{"TensorRT", SKUA_TENSORRT_VERSION, SKUA_TENSORRT_LIBRARY};
  if (label == "pytorch_fp16") {
    return configurable({"libtorch", SKUA_TORCH_VERSION, SKUA_TORCH_LIBRARY}, config.torch_library);
  }
  if (label == "onnx_trt_ep") {
    return configurable({"ONNX Runtime", SKUA_ONNXRUNTIME_VERSION, SKUA_ONNXRUNTIME_LIBRARY},
                        config.onnxruntime_library);
  }
  return std::nullopt;
}

}  // namespace skua
