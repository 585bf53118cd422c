// libtorch as it is called without Skua, behind the boundary; to measure against. Includes no header of
// libtorch.
#pragma once

#include "inference/raw_session.h"
#include "runtimes/pytorch/torch_bridge.h"

namespace skua::pytorch {

/// What a raw session is made from: `archive` under `plan`; `engine`, where there is one, is the resident
/// engine whose very module the first variant calls.
Result<std::unique_ptr<RawSession>> open_raw(std::span<const std::byte> archive, const EngineRecord& record,
                                             const RunPlan& plan, const LoadedEngine* engine);

struct BenchBridge {
  RunBridge run;
  Result<std::unique_ptr<RawSession>> (*open_raw)(std::span<const std::byte> archive,
                                                  const EngineRecord& record, const RunPlan& plan,
                                                  const LoadedEngine* engine);
};

using BenchBridgeFunction = const BenchBridge* (*)();
inline constexpr char kBenchBridgeSymbol[] = "skua_torch_bench_bridge";

}  // namespace skua::pytorch
