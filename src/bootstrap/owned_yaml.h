// YAML files that decide what flies.
#pragma once

#include <filesystem>

#include "yaml/yaml_fields.h"

namespace skua {

/// As load_yaml, from a file that is read as keys are (owned_file.h): so also file_owner, file_mode,
/// file_links.
Result<YAML::Node> load_owned_yaml(const std::filesystem::path& file);

}  // namespace skua
