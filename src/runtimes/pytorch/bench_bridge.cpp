// What `libskua_torch_bench.so` exports.
#include <torch/version.h>

#include "skua_build_id.h"

#include "runtimes/pytorch/torch_engine.h"
#include "runtimes/pytorch/torch_raw.h"

namespace {

constexpr skua::pytorch::BenchBridge kBridge = {
    {sizeof(skua::pytorch::RunBridge), SKUA_BUILD_ID, TORCH_VERSION, &skua::pytorch::torch_facts,
     &skua::pytorch::fix_threads, &skua::pytorch::load_engine},
    &skua::pytorch::open_raw};

}  // namespace

extern "C" __attribute__((visibility("default"))) const skua::pytorch::BenchBridge*
skua_torch_bench_bridge() {
  return &kBridge;
}
