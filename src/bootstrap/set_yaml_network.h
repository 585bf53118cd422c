// One entry of `networks:` in SET.yaml.
#pragma once

#include <yaml-cpp/yaml.h>

#include <cstddef>
#include <filesystem>
#include <string>

#include "bootstrap/set_yaml.h"

namespace skua {

class YamlFields;

/// `index` is its place in the list; relative paths count from the folder of `file`. Bounds of accuracy that
/// the network does not give are `defaults`.
Result<NetworkSpec> network_from_yaml(const YAML::Node& node, const std::filesystem::path& file,
                                      std::size_t index, const AccuracyLimits& defaults);

/// The key `accuracy` of `fields`, which stand at `where` (empty: the file's top); what it does not give
/// stays as it is. Bounds that are looser than the defaults are refused, at their line.
void read_accuracy(YamlFields& fields, const std::filesystem::path& file, const std::string& where,
                   AccuracyLimits& limits);

}  // namespace skua
