#include "bootstrap/set_yaml_network.h"

#include <set>
#include <utility>

#include "core/known_runtimes.h"
#include "core/text.h"
#include "yaml/yaml_fields.h"

namespace skua {
namespace {

constexpr std::int64_t kMaxWorkspaceMb = 1 << 20;
constexpr std::int64_t kMaxCriticality = 1'000'000;

/// Where we are in the file: what every decoder below needs for its paths and messages.
struct Place {
  std::filesystem::path file;
  std::string where;

  std::string file_text() const { return file.string(); }
  std::filesystem::path resolve(const std::string& path) const { return file.parent_path() / path; }
};

std::optional<std::filesystem::path> path_of(YamlFields& fields, std::string_view key, const Place& place) {
  const auto text = fields.text(key);
  if (!text) return std::nullopt;
  if (text->empty()) fields.fail(*fields.node(key), place.where + "." + std::string(key) + " is empty");
  return place.resolve(*text);
}

std::map<std::string, std::filesystem::path> read_sources(YamlFields& fields, const Place& place) {
  std::map<std::string, std::filesystem::path> sources;
  for (const KnownRuntime& runtime : known_runtimes()) {
    const std::string key(runtime.model_key);
    if (sources.count(key) != 0) continue;
    if (auto path = path_of(fields, key, place)) sources.emplace(key, *std::move(path));
  }
  return sources;
}

/// "'onnx' or 'pt'"
std::string model_keys() {
  std::set<std::string_view> keys;
  for (const KnownRuntime& runtime : known_runtimes()) keys.insert(runtime.model_key);
  std::string text;
  for (const std::string_view key : keys) text += (text.empty() ? "" : " or ") + quote(key);
  return text;
}

Result<Shape> shape_of(const YAML::Node& node, const Place& place, const std::string& what) {
  SKUA_ASSIGN_OR_RETURN(const std::string text, yaml_text(node, place.file_text(), what));
  auto shape = Shape::parse(text);
  if (shape.ok()) return shape;
  return yaml_error(place.file_text(), node, what + ": " + shape.error().message);
}

void read_profiles(YamlFields& fields, const Place& place, BuildConfig& build) {
  for (const YAML::Node& node : fields.sequence("profiles")) {
    const std::string where =
        place.where + ".profiles[" + std::to_string(build.optimization_profiles.size()) + "]";
    YamlFields entry(node, place.file_text(), where);
    OptimizationProfile profile;
    entry.require("input");
    profile.input_name = entry.text("input").value_or("");
    for (const auto& [key, shape] :
         {std::pair{"min", &profile.min}, {"opt", &profile.opt}, {"max", &profile.max}}) {
      entry.require(key);
      const auto value = entry.node(key);
      if (!value) continue;
      auto parsed = shape_of(*value, place, where + "." + key);
      if (parsed.ok()) {
        *shape = *parsed;
      } else {
        entry.fail(parsed.error());
      }
    }
    if (const Status status = entry.finish(); !status.ok()) return fields.fail(status.error());
    build.optimization_profiles.push_back(std::move(profile));
  }
}

void read_output_bounds(YamlFields& fields, const Place& place, BuildConfig& build) {
  for (const auto& [output, node] : fields.mapping("max_output_shapes")) {
    auto shape = shape_of(node, place, place.where + ".max_output_shapes." + output);
    if (!shape.ok()) return fields.fail(shape.error());
    build.max_output_shapes.emplace(output, *shape);
  }
}

void read_golden(YamlFields& fields, const Place& place, BuildConfig& build) {
  const auto node = fields.node("golden");
  if (!node) return;
  YamlFields entry(*node, place.file_text(), place.where + ".golden");
  entry.require("file");
  entry.require("origin");
  GoldenSource golden;
  golden.file = path_of(entry, "file", place).value_or("");
  golden.origin = entry.text("origin").value_or("");
  if (const Status status = entry.finish(); !status.ok()) return fields.fail(status.error());
  build.golden = std::move(golden);
}

void read_tolerances(YamlFields& fields, const Place& place, BuildConfig& build) {
  for (const auto& [output, node] : fields.mapping("tolerances")) {
    YamlFields entry(node, place.file_text(), place.where + ".tolerances." + output);
    Tolerance tolerance;
    tolerance.absolute = entry.number("absolute").value_or(tolerance.absolute);
    tolerance.relative = entry.number("relative").value_or(tolerance.relative);
    tolerance.as_set = entry.boolean("as_set").value_or(tolerance.as_set);
    tolerance.max_mismatch_fraction =
        entry.number("max_mismatch_fraction").value_or(tolerance.max_mismatch_fraction);
    if (const Status status = entry.finish(); !status.ok()) return fields.fail(status.error());
    build.tolerances.emplace(output, tolerance);
  }
}

void read_declared_io(YamlFields& fields, const Place& place, BuildConfig& build) {
  for (const auto& [input, node] : fields.mapping("input_dtypes")) {
    const std::string what = place.where + ".input_dtypes." + input;
    auto text = yaml_text(node, place.file_text(), what);
    if (!text.ok()) return fields.fail(text.error());
    const auto dtype = dtype_from_string(*text);
    if (!dtype.ok()) return fields.fail(node, what + ": " + dtype.error().message);
    build.input_dtypes.emplace(input, *dtype);
  }
  build.output_names = fields.texts("output_names").value_or(std::vector<std::string>());
}

void read_precision(YamlFields& fields, BuildConfig& build) {
  fields.require("precision");
  const auto name = fields.text("precision");
  if (!name) return;
  const auto precision = precision_from_string(*name);
  if (precision.ok()) {
    build.precision = *precision;
  } else {
    fields.fail(*fields.node("precision"), precision.error().message);
  }
}

void read_calibration(YamlFields& fields, const Place& place, BuildConfig& build) {
  const auto node = fields.node("calibration");
  if (!node) return;
  YamlFields entry(*node, place.file_text(), place.where + ".calibration");
  entry.require("data_set");
  build.calibration_dataset = path_of(entry, "data_set", place);
  build.fp32_source = path_of(entry, "fp32_source", place);
  // Data that say nothing of the flight would judge themselves, and pass: a set that may fly has other
  // judges.
  if (build.precision == Precision::kInt8) entry.require("judged_by");
  build.accuracy_dataset = path_of(entry, "judged_by", place);
  build.calibration_algorithm = entry.text("algorithm").value_or(build.calibration_algorithm);
  build.calibration_cache = path_of(entry, "cache", place);
  build.allow_cpu_ranges = entry.boolean("allow_cpu_ranges").value_or(build.allow_cpu_ranges);
  if (const Status status = entry.finish(); !status.ok()) fields.fail(status.error());
}

}  // namespace

void read_accuracy(YamlFields& fields, const std::filesystem::path& file, const std::string& where,
                   AccuracyLimits& limits) {
  const auto node = fields.node("accuracy");
  if (!node) return;
  YamlFields entry(*node, file.string(), where.empty() ? "accuracy" : where + ".accuracy");
  limits.relative_l2 = entry.number("relative_l2").value_or(limits.relative_l2);
  limits.mismatched = entry.number("mismatched").value_or(limits.mismatched);
  limits.agreement = entry.number("agreement").value_or(limits.agreement);
  if (const auto bound = entry.number("relative_error")) limits.relative_error = bound;
  if (const auto bound = entry.number("cosine")) limits.cosine = bound;
  if (const Status status = entry.finish(); !status.ok()) return fields.fail(status.error());
  if (const Status status = limits.validate(); !status.ok()) fields.fail(*node, status.error().message);
}

Result<NetworkSpec> network_from_yaml(const YAML::Node& node, const std::filesystem::path& file,
                                      std::size_t index, const AccuracyLimits& defaults) {
  const std::string where = "networks[" + std::to_string(index) + "]";
  const Place place{file, where};
  YamlFields fields(node, file.string(), where);
  NetworkSpec network;
  fields.require("name");
  network.name = fields.text("name").value_or("");
  if (fields.ok() && !is_legal_model_name(network.name)) {
    fields.fail(*fields.node("name"), where + ".name: " + quote(network.name) +
                                          " is no legal model name (a-z, 0-9, _; no double _; at most 64)");
  }
  network.sources = read_sources(fields, place);
  if (network.sources.empty())
    fields.fail(node, where + ": no key names the network's file; expected " + model_keys());
  network.build.model_name = network.name;
  read_precision(fields, network.build);
  network.build.workspace_mb = static_cast<int>(
      fields.integer("workspace_mb", 1, kMaxWorkspaceMb).value_or(network.build.workspace_mb));
  network.build.keep_fp32 = fields.texts("keep_fp32").value_or(std::vector<std::string>());
  read_profiles(fields, place, network.build);
  read_output_bounds(fields, place, network.build);
  read_golden(fields, place, network.build);
  read_tolerances(fields, place, network.build);
  read_declared_io(fields, place, network.build);
  read_calibration(fields, place, network.build);
  network.build.accuracy = defaults;
  read_accuracy(fields, place.file, place.where, network.build.accuracy);
  // A bound of the whole set is for those networks that have such a precision.
  if (!is_judged(network.build.precision) && !fields.node("accuracy")) network.build.accuracy = {};
  const auto criticality = fields.integer("criticality", 0, kMaxCriticality);
  network.criticality = criticality ? static_cast<std::uint64_t>(*criticality) : index;
  SKUA_RETURN_IF_ERROR(fields.finish());
  const Status valid = network.build.validate();
  if (!valid.ok())
    return yaml_error(file.string(), node, where + ": " + valid.error().message, valid.error().reason);
  return network;
}

}  // namespace skua
