// ONNX Runtime as its C API is called without Skua: "io_binding" (bound once), "run" (new tensors each call),
// "run_kept" (tensors kept). The yardstick, not a strategy.
#pragma once

#include <memory>

#include "inference/raw_session.h"

namespace skua::ort {

/// RawModule::open. The options are those of the run half; for a source model only the optimiser differs.
Result<std::unique_ptr<RawSession>> open_raw_session(const RuntimeConfig& config, const EngineRecord& record,
                                                     std::span<const std::byte> bytes, RawOrigin origin);

/// RawModule::create_paired.
Result<std::unique_ptr<PairedRuntime>> create_paired(RuntimeEnvironment environment);

}  // namespace skua::ort
