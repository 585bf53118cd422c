// The variant of an engine: which options are recorded at compile and must be this host's at load.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "cache/engine_record.h"
#include "skua/runtime_config.h"

namespace skua::tensorrt {

inline constexpr std::string_view kRuntimeLabel = "tensorrt";

/// "cuda:0"; there is one device.
std::string_view device_name() noexcept;
/// Who runs it: "tensorrt", or "sil" for the software-in-the-loop SDK.
std::string_view provider_name() noexcept;
/// What is computed in, for the record and for whoever asks.
std::string arithmetic_of(Precision precision);

/// device, provider and library version. The compile half adds what it has built with.
std::map<std::string, std::string> record_options(const std::string& library_version);

/// EngineDeserializeError (runtime_mismatch) naming the option, the expected and the found.
Status check_recorded(const EngineRecord& record, const std::string& library_version);

}  // namespace skua::tensorrt
