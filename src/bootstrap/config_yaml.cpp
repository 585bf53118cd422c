#include "bootstrap/config_yaml.h"

#include "bootstrap/yaml_fields.h"
#include "core/text.h"

namespace skua {
namespace {

constexpr const char* kBlock = "components.c7_inference";

/// The value of `key` in a mapping that may have any other keys; undefined when absent. Twice is an error: a
/// reader that took one of them would be guessing.
Result<YAML::Node> child(const YAML::Node& node, const std::string& key, const std::string& file) {
  YAML::Node found(YAML::NodeType::Undefined);
  if (!node.IsMap()) return found;
  for (const auto& pair : node) {
    if (!pair.first.IsScalar() || pair.first.Scalar() != key) continue;
    if (found.IsDefined()) return yaml_error(file, pair.first, quote(key) + " is given twice");
    found.reset(pair.second);
  }
  return found;
}

Status read_lanes(YamlFields& fields, const std::string& file, ConfigFile& result) {
  const auto consumers = fields.texts("lanes");
  if (!fields.ok() || !consumers) return {};
  result.given.insert("lanes");
  for (const std::string& consumer : *consumers) {
    for (const LaneDeclaration& lane : result.config.lanes) {
      if (lane.consumer != consumer) continue;
      return yaml_error(file, *fields.node("lanes"), "lanes: " + quote(consumer) + " is declared twice");
    }
    result.config.lanes.push_back({consumer});
  }
  return {};
}

Status read_scalars(YamlFields& fields, const std::string& file, ConfigFile& result) {
  for (const auto& [key, node] : fields.remaining()) {
    SKUA_ASSIGN_OR_RETURN(const std::string value, yaml_text(node, file, std::string(kBlock) + "." + key));
    const Status set = set_field(result.config, key, value);
    if (!set.ok()) return yaml_error(file, node, set.error().message, set.error().reason);
    result.given.insert(key);
  }
  return {};
}

Result<ConfigFile> config_of(const YAML::Node& root, const std::string& file) {
  if (!root.IsMap()) return yaml_error(file, root, "expected a mapping with 'components' at the top");
  ConfigFile result;
  SKUA_ASSIGN_OR_RETURN(const YAML::Node components, child(root, "components", file));
  SKUA_ASSIGN_OR_RETURN(const YAML::Node block, child(components, "c7_inference", file));
  if (!block.IsDefined() || block.IsNull()) return result;
  YamlFields fields(block, file, kBlock);
  SKUA_RETURN_IF_ERROR(read_lanes(fields, file, result));
  SKUA_RETURN_IF_ERROR(read_scalars(fields, file, result));
  SKUA_RETURN_IF_ERROR(fields.finish());
  const Status valid = result.config.validate();
  if (!valid.ok()) return yaml_error(file, block, valid.error().message, valid.error().reason);
  return result;
}

}  // namespace

Result<ConfigFile> parse_config_yaml(const std::string& text, const std::string& file) {
  SKUA_ASSIGN_OR_RETURN(const YAML::Node root, parse_yaml(text, file));
  return config_of(root, file);
}

Result<ConfigFile> read_config_yaml(const std::filesystem::path& file) {
  SKUA_ASSIGN_OR_RETURN(const YAML::Node root, load_yaml(file));
  return config_of(root, file.string());
}

}  // namespace skua
