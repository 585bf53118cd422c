// The options in an engine's record against those that are configured: what every runtime's check_record
// does.
#pragma once

#include <string>
#include <string_view>

#include "cache/engine_record.h"

namespace skua {

/// The recorded value; empty when the record has no such option.
std::string option_of(const EngineRecord& record, const std::string& option);

/// EngineDeserializeError (runtime_mismatch) naming the option, the expected and the found, unless they are
/// equal.
Status check_option(const EngineRecord& record, const std::string& option, std::string_view expected,
                    std::string_view found);

}  // namespace skua
