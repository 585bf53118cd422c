// What `libskua_runtime_tensorrt.so` exports. The build id is the one compiled in here, not libskua's:
// comparing libskua's with itself would prove nothing.
#include "skua_build_id.h"

#include "inference/module_abi.h"
#include "runtimes/tensorrt/record_options.h"
#include "runtimes/tensorrt/tensorrt_runtime.h"

namespace {

constexpr skua::RuntimeModule kModule = {
    sizeof(skua::RuntimeModule),          SKUA_BUILD_ID,
    skua::tensorrt::kRuntimeLabel.data(), &skua::tensorrt::create_runtime,
    &skua::tensorrt::probe_sdk,           [](skua::RuntimeConfig&) {}};

}  // namespace

extern "C" __attribute__((visibility("default"))) const skua::RuntimeModule* skua_runtime_module() {
  return &kModule;
}
