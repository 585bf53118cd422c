#include "bootstrap/config_layers.h"

#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <set>
#include <utility>

#include "core/text.h"

namespace skua {
namespace {

Error invalid(std::string message) {
  return make_error(ErrorCode::kInvalidArgument, Reason::kInvalidArgument, std::move(message));
}

std::string variable_of(std::string_view field) {
  std::string name(kVariablePrefix);
  for (const char letter : field) {
    name += static_cast<char>(std::toupper(static_cast<unsigned char>(letter)));
  }
  return name;
}

/// "lanes" and every scalar field.
std::vector<std::string> field_names() {
  std::vector<std::string> names;
  for (const auto& [name, value] : fields_of({})) names.push_back(name);
  names.emplace_back("lanes");
  return names;
}

Result<std::string> field_of(std::string_view variable) {
  std::vector<std::string> known;
  for (std::string& field : field_names()) {
    known.push_back(variable_of(field));
    if (known.back() == variable) return std::move(field);
  }
  return invalid("the environment variable " + quote(variable) +
                 " is unknown; unset it, or correct it to one of " + join(known));
}

Status set_lanes(RuntimeConfig& config, std::string_view list) {
  config.lanes.clear();
  if (trimmed(list).empty()) return {};
  for (bool is_last = false; !is_last;) {
    const std::size_t comma = list.find(',');
    is_last = comma == std::string_view::npos;
    const std::string_view entry = trimmed(list.substr(0, comma));
    const std::size_t colon = std::min(entry.find(':'), entry.size());
    LaneDeclaration lane{std::string(entry.substr(0, colon)), std::string(entry.substr(colon))};
    if (lane.engine == ":") return invalid("lanes: no engine is named after the colon of " + quote(entry));
    if (!lane.engine.empty()) lane.engine.erase(0, 1);
    SKUA_RETURN_IF_ERROR(add_lane(config, std::move(lane)));
    if (!is_last) list.remove_prefix(comma + 1);
  }
  return {};
}

Status apply(ConfigFile& file, const std::string& variable, std::string_view value) {
  SKUA_ASSIGN_OR_RETURN(const std::string field, field_of(variable));
  Status set = field == "lanes" ? set_lanes(file.config, value) : set_field(file.config, field, value);
  if (!set.ok()) return invalid("environment variable " + variable + ": " + set.error().message);
  file.sources[field] = variable;
  return {};
}

/// " (thermal_source: c.yaml:3; thermal_replay: default)" for the fields that `message` speaks of.
std::string origins(const ConfigFile& file, const std::string& message) {
  std::string text;
  for (const std::string& field : field_names()) {
    if (message.find(field + " is ") == std::string::npos && !message.starts_with(field)) continue;
    text += (text.empty() ? " (" : "; ") + field + ": " + file.source_of(field);
  }
  return text.empty() ? text : text + ")";
}

}  // namespace

std::vector<std::string> process_environment() {
  std::vector<std::string> found;
  for (char** variable = environ; variable != nullptr && *variable != nullptr; ++variable) {
    if (std::string_view(*variable).starts_with(kVariablePrefix)) found.emplace_back(*variable);
  }
  return found;
}

Result<ConfigFile> with_environment(ConfigFile file, std::span<const std::string> environment) {
  std::set<std::string> seen;
  for (const std::string& variable : environment) {
    if (!variable.starts_with(kVariablePrefix)) continue;
    const std::size_t equals = std::min(variable.find('='), variable.size());
    const std::string name = variable.substr(0, equals);
    if (!seen.insert(name).second) {
      return invalid("the environment variable " + quote(name) + " is given twice; keep one");
    }
    const std::string_view value = std::string_view(variable).substr(std::min(equals + 1, variable.size()));
    SKUA_RETURN_IF_ERROR(apply(file, name, value));
  }
  const Status valid = file.config.validate();
  if (!valid.ok()) return invalid(valid.error().message + origins(file, valid.error().message));
  return file;
}

Result<ConfigFile> read_config(const std::filesystem::path& file, std::span<const std::string> environment) {
  ConfigFile read;
  if (!file.empty()) {
    SKUA_ASSIGN_OR_RETURN(read, read_config_yaml(file));
  }
  return with_environment(std::move(read), environment);
}

}  // namespace skua
