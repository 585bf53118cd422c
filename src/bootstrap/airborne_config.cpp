#include "bootstrap/airborne_config.h"

#include <utility>

#include "bootstrap/config_layers.h"
#include "bootstrap/owned_yaml.h"
#include "core/text.h"

namespace skua {
namespace {

Result<FlightMode> mode_of(const YAML::Node& root, const std::string& file) {
  SKUA_ASSIGN_OR_RETURN(const YamlChild entry, yaml_child(root, "mode", file));
  const YAML::Node& node = entry.value;
  if (!node.IsDefined()) return FlightMode::kLive;
  if (node.IsNull()) return yaml_error(file, entry.key, "mode has no value; expected live or replay");
  SKUA_ASSIGN_OR_RETURN(const std::string mode, yaml_text(node, file, "mode"));
  if (mode == "live") return FlightMode::kLive;
  if (mode == "replay") return FlightMode::kReplay;
  return yaml_error(file, node, "mode is " + quote(mode) + "; expected live or replay");
}

/// In the order of the table. A file without `components` says nothing of consumers.
Result<std::optional<std::vector<std::string>>> consumers_of(const YAML::Node& root,
                                                             const std::string& file) {
  std::optional<std::vector<std::string>> consumers;
  SKUA_ASSIGN_OR_RETURN(const YamlChild components, yaml_child(root, "components", file));
  if (!components.value.IsDefined()) return consumers;
  consumers.emplace();
  for (const RequiredKeys& required : AIRBORNE_REQUIRED_PRE_CONSTRUCTED_KEYS) {
    const std::string slug(required.consumer);
    SKUA_ASSIGN_OR_RETURN(const YamlChild block, yaml_child(components.value, slug, file));
    if (block.value.IsDefined()) consumers->push_back(slug);
  }
  return consumers;
}

Result<AirborneConfig> airborne_config_of(const YAML::Node& root, const std::string& file,
                                          std::span<const std::string> environment) {
  SKUA_ASSIGN_OR_RETURN(ConfigFile read, config_of(root, file));
  SKUA_ASSIGN_OR_RETURN(ConfigFile effective, with_environment(std::move(read), environment));
  AirborneConfig config;
  SKUA_ASSIGN_OR_RETURN(config.mode, mode_of(root, file));
  SKUA_ASSIGN_OR_RETURN(config.consumers, consumers_of(root, file));
  config.has_inference_block = effective.has_block;
  config.inference = std::move(effective.config);
  return config;
}

}  // namespace

Result<AirborneConfig> parse_airborne_config(const std::string& text, const std::string& file,
                                             std::span<const std::string> environment) {
  SKUA_ASSIGN_OR_RETURN(const YAML::Node root, parse_yaml(text, file));
  return airborne_config_of(root, file, environment);
}

Result<AirborneConfig> read_airborne_config(const std::filesystem::path& file,
                                            std::span<const std::string> environment) {
  SKUA_ASSIGN_OR_RETURN(const YAML::Node root, load_owned_yaml(file));
  return airborne_config_of(root, file.string(), environment);
}

}  // namespace skua
