// What `libskua_torch_run.so` exports.
#include <torch/version.h>

#include "skua_build_id.h"

#include "runtimes/pytorch/torch_engine.h"

namespace {

constexpr skua::pytorch::RunBridge kBridge = {sizeof(skua::pytorch::RunBridge),
                                              SKUA_BUILD_ID,
                                              TORCH_VERSION,
                                              &skua::pytorch::torch_facts,
                                              &skua::pytorch::fix_threads,
                                              &skua::pytorch::load_engine};

}  // namespace

extern "C" __attribute__((visibility("default"))) const skua::pytorch::RunBridge* skua_torch_run_bridge() {
  return &kBridge;
}
