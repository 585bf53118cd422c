// What `libskua_torch_compile.so` exports.
#include <torch/version.h>

#include "skua_build_id.h"

#include "runtimes/pytorch/torch_convert.h"
#include "runtimes/pytorch/torch_engine.h"

namespace {

constexpr skua::pytorch::CompileBridge kBridge = {
    {sizeof(skua::pytorch::RunBridge), SKUA_BUILD_ID, TORCH_VERSION, &skua::pytorch::torch_facts,
     &skua::pytorch::fix_threads, &skua::pytorch::load_engine},
    &skua::pytorch::convert,
    &skua::pytorch::open_trial};

}  // namespace

extern "C" __attribute__((visibility("default"))) const skua::pytorch::CompileBridge*
skua_torch_compile_bridge() {
  return &kBridge;
}
