// The configuration that an artifact was made for, read back from its manifest or build record.
#pragma once

#include <map>
#include <string>

#include "skua/runtime_config.h"

namespace skua {

/// Defaults, with the runtime `label` and those of `options` that belong to the runtime (set_option_keys_of).
/// InvalidArgumentError for a value that is not allowed.
Result<RuntimeConfig> recorded_config(const std::string& label,
                                      const std::map<std::string, std::string>& options);

}  // namespace skua
