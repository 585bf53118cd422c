// What the airborne bootstrap reads of the flight stack's configuration file.
#pragma once

#include <filesystem>
#include <span>
#include <string>

#include "skua/airborne_bootstrap.h"

namespace skua {

/// Reads `mode` (live or replay; live where it is left out), which of the four consumers `components` has,
/// and `components.c7_inference` under `environment` (see config_layers.h). A consumer or a block without a
/// value counts as given; the block counts as given by the file alone, whatever the environment sets. Other
/// components and other keys at the top belong to others and are not looked at. InvalidArgumentError with
/// file, line and column, or naming the environment variable. The result is frozen: hand it on as const.
Result<AirborneConfig> read_airborne_config(const std::filesystem::path& file,
                                            std::span<const std::string> environment);
/// The same from text; `file` is for messages.
Result<AirborneConfig> parse_airborne_config(const std::string& text, const std::string& file,
                                             std::span<const std::string> environment);

}  // namespace skua
