// Reads `components.c7_inference` of the flight stack's configuration file into a RuntimeConfig. Other
// components' blocks are not looked at. Environment overrides come with the Airborne release.
#pragma once

#include <filesystem>
#include <set>
#include <string>

#include "skua/runtime_config.h"

namespace skua {

struct ConfigFile {
  RuntimeConfig config;
  std::set<std::string> given;  ///< keys that the file sets; all others have their default
};

/// InvalidArgumentError with file, line and column: not YAML, an unknown or repeated key, a value out of
/// range. A file without the block gives the defaults.
Result<ConfigFile> read_config_yaml(const std::filesystem::path& file);
/// The same from text; `file` is for messages.
Result<ConfigFile> parse_config_yaml(const std::string& text, const std::string& file);

}  // namespace skua
