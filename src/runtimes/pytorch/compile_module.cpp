// What `libskua_compiler_pytorch_fp16.so` exports. The build id is the one compiled in here, not libskua's:
// comparing libskua's with itself would prove nothing.
#include "skua_build_id.h"

#include "inference/module_abi.h"
#include "runtimes/pytorch/compile_steps.h"
#include "runtimes/pytorch/torch_library.h"

namespace {

constexpr skua::CompilerModule kModule = {sizeof(skua::CompilerModule), SKUA_BUILD_ID,
                                          skua::pytorch::kRuntimeLabel.data(),
                                          &skua::pytorch::compile_torchscript};

}  // namespace

extern "C" __attribute__((visibility("default"))) const skua::CompilerModule* skua_compiler_module() {
  return &kModule;
}
