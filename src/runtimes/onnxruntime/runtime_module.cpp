// What `libskua_runtime_onnx_trt_ep.so` exports. The build id is the one compiled in here, not libskua's:
// comparing libskua's with itself would prove nothing.
#include "skua_build_id.h"

#include "inference/module_abi.h"
#include "runtimes/onnxruntime/onnx_trt_ep_runtime.h"
#include "runtimes/onnxruntime/record_options.h"

namespace {

constexpr skua::RuntimeModule kModule = {sizeof(skua::RuntimeModule),     SKUA_BUILD_ID,
                                         skua::ort::kRuntimeLabel.data(), &skua::ort::create_runtime,
                                         &skua::ort::probe_sdk,           [](skua::RuntimeConfig&) {}};

}  // namespace

extern "C" __attribute__((visibility("default"))) const skua::RuntimeModule* skua_runtime_module() {
  return &kModule;
}
