#include "flight/flight_settings.h"

#include "bootstrap/owned_yaml.h"
#include "core/text.h"
#include "skua/build_config.h"

namespace skua::flight {
namespace {

constexpr std::size_t kMostCandidates = 100;
constexpr std::size_t kMostInliers = 10000;
constexpr std::size_t kFewestInliers = 5;  // four always agree

/// A number of the block within bounds, both included.
void read_number(YamlFields& fields, const char* key, double least, double most, double& into) {
  const auto value = fields.number(key);
  if (!value) return;
  into = *value;
  if (*value >= least && *value <= most) return;
  fields.fail(*fields.node(key), std::string("flight.") + key + ": expected a number from " +
                                     print_double(least) + " to " + print_double(most) + ", found " +
                                     print_double(*value));
}

void read_count(YamlFields& fields, const char* key, std::size_t least, std::size_t most, std::size_t& into) {
  const auto value = fields.integer(key, static_cast<std::int64_t>(least), static_cast<std::int64_t>(most));
  if (value) into = static_cast<std::size_t>(*value);
}

void read_path(YamlFields& fields, const char* key, const std::filesystem::path& base,
               std::filesystem::path& into) {
  const auto text = fields.text(key);
  if (text && !text->empty()) into = base / *text;  // an absolute one replaces the base
}

void read_name(YamlFields& fields, const char* key, std::string& into) {
  if (auto text = fields.text(key)) into = *std::move(text);
  if (is_legal_model_name(into)) return;
  fields.fail(*fields.node(key),
              std::string("flight.") + key +
                  ": expected a model's logical name, 1 to 64 characters of a-z, 0-9 and _ without a double "
                  "underscore, found " +
                  quote(into));
}

Result<FlightSettings> settings_of(const YAML::Node& block, const std::filesystem::path& file) {
  FlightSettings settings;
  YamlFields fields(block, file.string(), "flight");
  const auto base = file.parent_path();
  read_path(fields, "frames", base, settings.frames);
  read_path(fields, "map", base, settings.map);
  read_number(fields, "rate_hz", 0.1, 100.0, settings.rate_hz);
  read_number(fields, "deadline_ms", 1.0, 60000.0, settings.deadline_ms);
  read_name(fields, "vpr_model", settings.vpr_model);
  read_name(fields, "features_model", settings.features_model);
  read_name(fields, "adhop_model", settings.adhop_model);
  read_count(fields, "candidates", 1, kMostCandidates, settings.candidates);
  read_count(fields, "matches", 1, kMostCandidates, settings.matches);
  read_count(fields, "matches_throttled", 1, kMostCandidates, settings.matches_throttled);
  read_count(fields, "min_inliers", kFewestInliers, kMostInliers, settings.min_inliers);
  read_number(fields, "adhop_below_share", 0.0, 1.0, settings.adhop_below_share);
  read_number(fields, "adhop_min_period_s", 0.001, 3600.0, settings.adhop_min_period_s);
  SKUA_RETURN_IF_ERROR(fields.finish());
  const bool is_ordered =
      settings.matches_throttled <= settings.matches && settings.matches <= settings.candidates;
  if (is_ordered) return settings;
  return yaml_error(file.string(), block,
                    "flight: expected matches_throttled <= matches <= candidates, found " +
                        std::to_string(settings.matches_throttled) + ", " + std::to_string(settings.matches) +
                        ", " + std::to_string(settings.candidates));
}

}  // namespace

Result<FlightSettings> read_flight_settings(const std::filesystem::path& file) {
  SKUA_ASSIGN_OR_RETURN(const YAML::Node root, load_owned_yaml(file));
  if (!root.IsMap())
    return FlightSettings();  // what else is wrong with it is the components' reader's to say
  YAML::Node block(YAML::NodeType::Undefined);
  for (const auto& pair : root) {
    if (!pair.first.IsScalar() || pair.first.Scalar() != "flight") continue;
    if (block.IsDefined()) return yaml_error(file.string(), pair.first, "'flight' is given twice");
    block.reset(pair.second);
  }
  if (!block.IsDefined() || block.IsNull()) return FlightSettings();
  return settings_of(block, file);
}

}  // namespace skua::flight
