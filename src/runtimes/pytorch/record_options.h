// The variant of an engine: which options are recorded at compile and must be the configured ones at load.
#pragma once

#include <map>
#include <string>

#include "runtimes/pytorch/torch_bridge.h"
#include "skua/build_config.h"
#include "skua/runtime_config.h"

namespace skua::pytorch {

/// The arithmetic of a precision on the configured device. The CPU widens unless told otherwise: its own half
/// arithmetic takes 20 to 45 times as long as single.
Arithmetic arithmetic_of(const RuntimeConfig& config, Precision precision);

/// Writes the device and the arithmetic that stand for an empty field, so that records, manifests and reuse
/// keys say what was meant, and another build's defaults make another engine.
void resolve(RuntimeConfig& config);

/// device, arithmetic, graph (frozen or optimized), threads and library version. What compiling finds out of
/// the outputs is added by it.
std::map<std::string, std::string> record_options(const RuntimeConfig& config, Precision precision,
                                                  bool is_optimized, const std::string& library_version);

/// How an engine with these options runs. Requires check_recorded.
RunPlan plan_of(const EngineRecord& record, const RuntimeConfig& config);

/// EngineDeserializeError (runtime_mismatch) naming the option, the expected and the found.
Status check_recorded(const EngineRecord& record, const RuntimeConfig& config,
                      const std::string& library_version);

}  // namespace skua::pytorch
