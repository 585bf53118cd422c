#include "cli/expected_sdk.h"

#include "skua_sdk_paths.h"

namespace skua {

ExpectedSdk expected_sdk(std::string_view label, const RuntimeConfig& config) {
  if (label == "tensorrt") return {"TensorRT", SKUA_TENSORRT_VERSION, SKUA_TENSORRT_LIBRARY};
  ExpectedSdk expected{"libtorch", SKUA_TORCH_VERSION, SKUA_TORCH_LIBRARY};
  std::string configured = config.torch_library.string();
  if (label != "pytorch_fp16") {
    expected = {"ONNX Runtime", SKUA_ONNXRUNTIME_VERSION, SKUA_ONNXRUNTIME_LIBRARY};
    configured = config.onnxruntime_library.string();
  }
  if (!expected.library.empty() && !configured.empty()) expected.library = configured;
  return expected;
}

}  // namespace skua
