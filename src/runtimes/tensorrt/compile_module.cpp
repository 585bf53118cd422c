// What `libskua_compiler_tensorrt.so` exports. The build id is the one compiled in here, not libskua's:
// comparing libskua's with itself would prove nothing.
#include "skua_build_id.h"

#include "inference/module_abi.h"
#include "runtimes/tensorrt/compile_steps.h"
#include "runtimes/tensorrt/record_options.h"

namespace {

constexpr skua::CompilerModule kModule = {sizeof(skua::CompilerModule), SKUA_BUILD_ID,
                                          skua::tensorrt::kRuntimeLabel.data(),
                                          &skua::tensorrt::compile_tensorrt};

}  // namespace

extern "C" __attribute__((visibility("default"))) const skua::CompilerModule* skua_compiler_module() {
  return &kModule;
}
