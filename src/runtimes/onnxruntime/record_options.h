// The variant of an artifact: which options are recorded at compile and must be the configured ones at load.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "cache/engine_record.h"
#include "skua/runtime_config.h"

namespace skua::ort {

inline constexpr std::string_view kRuntimeLabel = "onnx_trt_ep";

std::map<std::string, std::string> record_options(const RuntimeConfig& config, const BuildConfig& build,
                                                  const std::string& library_version);

/// EngineDeserializeError (runtime_mismatch) naming the option, the expected and the found.
Status check_recorded(const EngineRecord& record, const RuntimeConfig& config,
                      const std::string& library_version);

}  // namespace skua::ort
