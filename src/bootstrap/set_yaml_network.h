// One entry of `networks:` in SET.yaml.
#pragma once

#include <yaml-cpp/yaml.h>

#include <cstddef>
#include <filesystem>

#include "bootstrap/set_yaml.h"

namespace skua {

/// `index` is its place in the list; relative paths count from the folder of `file`.
Result<NetworkSpec> network_from_yaml(const YAML::Node& node, const std::filesystem::path& file,
                                      std::size_t index);

}  // namespace skua
