// Reads `components.c7_inference` of the flight stack's configuration file into a RuntimeConfig. Other
// components' blocks are not looked at. Programs use config_layers.h, which puts the environment over it.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "skua/runtime_config.h"
#include "yaml/yaml_fields.h"

namespace skua {

/// The most lanes that a configuration declares: each has memory for every engine it may run.
inline constexpr std::size_t kMostLanes = 64;

struct ConfigFile {
  RuntimeConfig config;
  bool has_block = false;  ///< `components.c7_inference` is there, if with nothing in it
  /// Where each value that is not the default came from: "<file>:<line>", or the environment variable.
  std::map<std::string, std::string, std::less<>> sources;

  /// That, or "default".
  std::string source_of(std::string_view field) const;
};

/// InvalidArgumentError with file, line and column: not YAML, an unknown or repeated key, a value that its
/// own field does not allow. Fields are not compared with each other yet: what contradicts may be put right
/// by the environment. A file without the block gives the defaults.
Result<ConfigFile> read_config_yaml(const std::filesystem::path& file);
/// The same from text; `file` is for messages.
Result<ConfigFile> parse_config_yaml(const std::string& text, const std::string& file);
/// The same from a document's root.
Result<ConfigFile> config_of(const YAML::Node& root, const std::string& file);

struct YamlChild {
  YAML::Node key, value;
};
/// The entry `key` of a mapping that may have any other keys; undefined when absent. Twice is an error: a
/// reader that took one of them would be guessing. A node without a value has no key; anything else that is
/// no mapping is an error.
Result<YamlChild> yaml_child(const YAML::Node& node, const std::string& key, const std::string& file);

/// "c2_vpr, c3_matcher:lightglue": lanes as text, the engine after a colon where there is one.
std::string lanes_text(const std::vector<LaneDeclaration>& lanes);
/// Adds one lane. InvalidArgumentError, naming `lanes` and the lane: a name that is not allowed, or given
/// twice, or too many.
Status add_lane(RuntimeConfig& config, LaneDeclaration lane);

}  // namespace skua
