// Opens what only the ground has behind libtorch. Not in the runtime module, which flies: an aircraft has no
// code that could open a compile half.
#pragma once

#include "runtimes/pytorch/torch_bridge.h"
#include "runtimes/pytorch/torch_raw.h"
#include "skua/runtime_config.h"

namespace skua::pytorch {

/// As open_run_bridge (torch_library.h).
Result<const CompileBridge*> open_compile_bridge(const RuntimeConfig& config);
Result<const BenchBridge*> open_bench_bridge(const RuntimeConfig& config);

}  // namespace skua::pytorch
