#include "bootstrap/config_yaml.h"

#include <utility>

#include "core/text.h"

namespace skua {
namespace {

constexpr const char* kBlock = "components.c7_inference";

/// `c2_vpr`, or `{consumer: c2_vpr, engine: ultravpr}`.
Result<LaneDeclaration> lane_of(const YAML::Node& node, const std::string& file) {
  const std::string where = std::string(kBlock) + ".lanes: a lane";
  LaneDeclaration lane;
  if (!node.IsMap()) {
    SKUA_ASSIGN_OR_RETURN(lane.consumer, yaml_text(node, file, where));
    return lane;
  }
  YamlFields fields(node, file, where);
  fields.require("consumer");
  lane.consumer = fields.text("consumer").value_or("");
  lane.engine = fields.text("engine").value_or("");
  SKUA_RETURN_IF_ERROR(fields.finish());
  return lane;
}

Status read_lanes(YamlFields& fields, const std::string& file, ConfigFile& result) {
  const auto list = fields.node("lanes");
  if (!list) return {};
  for (const YAML::Node& node : fields.sequence("lanes")) {
    SKUA_ASSIGN_OR_RETURN(LaneDeclaration lane, lane_of(node, file));
    const Status added = add_lane(result.config, std::move(lane));
    if (!added.ok()) return yaml_error(file, node, added.error().message, added.error().reason);
  }
  result.sources["lanes"] = yaml_line(file, *list);
  return {};
}

/// An error of `fields` itself is left for its finish().
Status read_scalars(YamlFields& fields, const std::string& file, ConfigFile& result) {
  for (const auto& [key, node] : fields.remaining()) {
    const auto value = fields.text(key);
    if (!value) break;
    const Status set = set_field(result.config, key, *value);
    if (!set.ok()) return yaml_error(file, node, set.error().message, set.error().reason);
    result.sources[key] = yaml_line(file, node);
  }
  return {};
}

}  // namespace

std::string ConfigFile::source_of(std::string_view field) const {
  const auto found = sources.find(field);
  return found == sources.end() ? "default" : found->second;
}

Result<YamlChild> yaml_child(const YAML::Node& node, const std::string& key, const std::string& file) {
  YamlChild found{YAML::Node(YAML::NodeType::Undefined), YAML::Node(YAML::NodeType::Undefined)};
  if (!node.IsDefined() || node.IsNull()) return found;
  if (!node.IsMap()) return yaml_error(file, node, "expected a mapping, such as one with " + quote(key));
  for (const auto& pair : node) {
    if (!pair.first.IsScalar() || pair.first.Scalar() != key) continue;
    if (found.value.IsDefined()) return yaml_error(file, pair.first, quote(key) + " is given twice");
    found.key.reset(pair.first);
    found.value.reset(pair.second);
  }
  return found;
}

std::string lanes_text(const std::vector<LaneDeclaration>& lanes) {
  std::string text;
  for (const LaneDeclaration& lane : lanes) {
    text += (text.empty() ? "" : ", ") + lane.consumer + (lane.engine.empty() ? "" : ":" + lane.engine);
  }
  return text;
}

Status add_lane(RuntimeConfig& config, LaneDeclaration lane) {
  if (config.lanes.size() == kMostLanes) {
    return make_error(ErrorCode::kInvalidArgument, Reason::kInvalidArgument,
                      "lanes: more than " + std::to_string(kMostLanes) + " lanes are declared");
  }
  RuntimeConfig probe;  // the defaults are valid: what is wrong is a lane
  probe.lanes = config.lanes;
  probe.lanes.push_back(std::move(lane));
  SKUA_RETURN_IF_ERROR(probe.validate());
  config.lanes = std::move(probe.lanes);
  return {};
}

Result<ConfigFile> config_of(const YAML::Node& root, const std::string& file) {
  if (!root.IsMap()) return yaml_error(file, root, "expected a mapping with 'components' at the top");
  ConfigFile result;
  SKUA_ASSIGN_OR_RETURN(const YamlChild components, yaml_child(root, "components", file));
  SKUA_ASSIGN_OR_RETURN(const YamlChild child, yaml_child(components.value, "c7_inference", file));
  const YAML::Node& block = child.value;
  result.has_block = block.IsDefined();
  if (!block.IsDefined() || block.IsNull()) return result;
  YamlFields fields(block, file, kBlock);
  SKUA_RETURN_IF_ERROR(read_lanes(fields, file, result));
  SKUA_RETURN_IF_ERROR(read_scalars(fields, file, result));
  SKUA_RETURN_IF_ERROR(fields.finish());
  return result;
}

Result<ConfigFile> parse_config_yaml(const std::string& text, const std::string& file) {
  SKUA_ASSIGN_OR_RETURN(const YAML::Node root, parse_yaml(text, file));
  return config_of(root, file);
}

Result<ConfigFile> read_config_yaml(const std::filesystem::path& file) {
  SKUA_ASSIGN_OR_RETURN(const YAML::Node root, load_yaml(file));
  return config_of(root, file.string());
}

}  // namespace skua
