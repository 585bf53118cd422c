// What `libskua_runtime_pytorch_fp16.so` exports. The build id is the one compiled in here, not libskua's:
// comparing libskua's with itself would prove nothing.
#include "skua_build_id.h"

#include "inference/module_abi.h"
#include "runtimes/pytorch/pytorch_runtime.h"
#include "runtimes/pytorch/record_options.h"
#include "runtimes/pytorch/torch_library.h"

namespace {

constexpr skua::RuntimeModule kModule = {sizeof(skua::RuntimeModule),         SKUA_BUILD_ID,
                                         skua::pytorch::kRuntimeLabel.data(), &skua::pytorch::create_runtime,
                                         &skua::pytorch::probe_sdk,           &skua::pytorch::resolve};

}  // namespace

extern "C" __attribute__((visibility("default"))) const skua::RuntimeModule* skua_runtime_module() {
  return &kModule;
}
