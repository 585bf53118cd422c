// What `libskua_compiler_onnx_trt_ep.so` exports. The build id is the one compiled in here, not libskua's:
// comparing libskua's with itself would prove nothing.
#include "skua_build_id.h"

#include "inference/module_abi.h"
#include "runtimes/onnxruntime/compile_steps.h"
#include "runtimes/onnxruntime/record_options.h"

namespace {

constexpr skua::CompilerModule kModule = {sizeof(skua::CompilerModule), SKUA_BUILD_ID,
                                          skua::ort::kRuntimeLabel.data(), &skua::ort::compile_onnx};

}  // namespace

extern "C" __attribute__((visibility("default"))) const skua::CompilerModule* skua_compiler_module() {
  return &kModule;
}
