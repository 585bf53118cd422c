// The JSON form of BuildConfig and RuntimeConfig: every field may be left out when reading, none is when
// writing.
#include <array>
#include <limits>
#include <optional>
#include <utility>

#include "core/config_fields.h"
#include "core/json_strict.h"
#include "core/json_types.h"
#include "core/text.h"

namespace skua {
namespace {

constexpr std::size_t kMostEntries =
    1024;  // inputs, outputs, patterns: far beyond any network, far below a flood

template <typename T, typename Parse>
void read_enumerator(ObjectReader& reader, std::string_view key, Parse parse, T& into) {
  if (reader.optional(key) == nullptr) return;
  const std::string name = reader.text(key, 64);
  if (!reader.ok()) return;
  auto value = parse(name);
  if (value.ok()) {
    into = *value;
    return;
  }
  Error error = value.error();
  error.reason = Reason::kMalformed;
  error.message = reader.path_of(key) + ": " + error.message;
  reader.fail(error);
}

template <typename T, typename Decode>
void read_list(ObjectReader& reader, std::string_view key, Decode decode, std::vector<T>& into) {
  if (reader.optional(key) == nullptr) return;
  std::size_t index = 0;
  for (const Json* element : reader.array(key, kMostEntries)) {
    Result<T> value = decode(*element, reader.path_of(key) + "[" + std::to_string(index++) + "]");
    if (!value.ok()) return reader.fail(value.error());
    into.push_back(*std::move(value));
  }
}

template <typename T, typename Decode>
void read_map(ObjectReader& reader, std::string_view key, Decode decode, std::map<std::string, T>& into) {
  if (reader.optional(key) == nullptr) return;
  for (const auto& [name, element] : reader.object(key).items()) {
    Result<T> value = decode(element, reader.path_of(key) + "." + quote(name));
    if (!value.ok()) return reader.fail(value.error());
    into.emplace(name, *std::move(value));
  }
}

Result<std::string> text_from_json(const Json& json, const std::string& path) {
  if (const auto* text = json.get_ptr<const std::string*>()) return *text;
  return make_error(ErrorCode::kInvalidArgument, Reason::kMalformed, path + " is not text; expected text");
}

Result<DType> dtype_from_json(const Json& json, const std::string& path) {
  SKUA_ASSIGN_OR_RETURN(const std::string name, text_from_json(json, path));
  auto dtype = dtype_from_string(name);
  if (dtype.ok()) return dtype;
  return make_error(ErrorCode::kInvalidArgument, Reason::kMalformed, path + ": " + dtype.error().message);
}

Result<LaneDeclaration> lane_from_json(const Json& json, const std::string& path) {
  ObjectReader reader(json, path);
  LaneDeclaration lane;
  lane.consumer = reader.text("consumer", 64);
  if (reader.optional("engine") != nullptr) lane.engine = reader.text("engine", 64);
  SKUA_RETURN_IF_ERROR(reader.finish());
  return lane;
}

Result<GoldenSource> golden_from_json(const Json& json, const std::string& path) {
  ObjectReader reader(json, path);
  GoldenSource golden;
  golden.file = reader.text("file");
  golden.origin = reader.text("origin");
  SKUA_RETURN_IF_ERROR(reader.finish());
  return golden;
}

void read_optional_number(ObjectReader& reader, std::string_view key, std::optional<double>& into) {
  if (reader.optional(key) != nullptr) into = reader.number(key);
}

void read_optional_path(ObjectReader& reader, std::string_view key,
                        std::optional<std::filesystem::path>& into) {
  if (reader.optional(key) != nullptr) into = reader.text(key);
}

template <typename Map>
Json map_to_json(const Map& map) {
  Json json = Json::object();
  for (const auto& [name, value] : map) json[name] = to_json(value);
  return json;
}

template <typename T>
void read_member(ObjectReader& reader, std::string_view key, T& into) {
  constexpr std::int64_t kMinInt = std::numeric_limits<int>::min(), kMaxInt = std::numeric_limits<int>::max();
  if constexpr (std::is_same_v<T, bool>) {
    into = reader.boolean(key);
  } else if constexpr (std::is_same_v<T, double>) {
    into = reader.number(key);
  } else if constexpr (std::is_same_v<T, std::uint64_t>) {
    into = reader.unsigned_integer(key, std::numeric_limits<std::uint64_t>::max());
  } else if constexpr (std::is_same_v<T, int>) {
    into = static_cast<int>(reader.integer(key, kMinInt, kMaxInt));
  } else {
    into = reader.text(key);
  }
}

Json member_to_json(const std::filesystem::path& value) { return value.string(); }
template <typename T>
Json member_to_json(const T& value) {
  return value;
}

Json optional_to_json(const std::optional<std::filesystem::path>& path) {
  return path ? Json(path->string()) : Json();
}
Json optional_to_json(const std::optional<double>& number) { return number ? Json(*number) : Json(); }

}  // namespace

Json to_json(const AccuracyLimits& limits) {
  return Json::object({{"relative_l2", limits.relative_l2},
                       {"mismatched", limits.mismatched},
                       {"agreement", limits.agreement},
                       {"relative_error", optional_to_json(limits.relative_error)},
                       {"cosine", optional_to_json(limits.cosine)}});
}

Result<AccuracyLimits> accuracy_from_json(const Json& json, const std::string& path) {
  ObjectReader reader(json, path);
  AccuracyLimits limits;
  const std::array fields = {std::pair("relative_l2", &limits.relative_l2),
                             std::pair("mismatched", &limits.mismatched),
                             std::pair("agreement", &limits.agreement)};
  for (const auto& [key, into] : fields) {
    if (reader.optional(key) != nullptr) *into = reader.number(key);
  }
  read_optional_number(reader, "relative_error", limits.relative_error);
  read_optional_number(reader, "cosine", limits.cosine);
  SKUA_RETURN_IF_ERROR(reader.finish());
  return limits;
}

Json to_json(const BuildConfig& config) {
  Json json = Json::object();
  json["precision"] = to_string(config.precision);
  json["workspace_mb"] = config.workspace_mb;
  json["calibration_dataset"] = optional_to_json(config.calibration_dataset);
  json["fp32_source"] = optional_to_json(config.fp32_source);
  json["accuracy_dataset"] = optional_to_json(config.accuracy_dataset);
  json["accuracy"] = to_json(config.accuracy);
  json["calibration_algorithm"] = config.calibration_algorithm;
  json["calibration_cache"] = optional_to_json(config.calibration_cache);
  json["allow_cpu_ranges"] = config.allow_cpu_ranges;
  json["optimization_profiles"] = Json::array();
  for (const auto& profile : config.optimization_profiles)
    json["optimization_profiles"].push_back(to_json(profile));
  json["model_name"] = config.model_name ? Json(*config.model_name) : Json();
  json["keep_fp32"] = config.keep_fp32;
  json["max_output_shapes"] = map_to_json(config.max_output_shapes);
  json["build_route"] = to_string(config.build_route);
  json["golden"] = Json();
  if (config.golden) {
    json["golden"] =
        Json::object({{"file", config.golden->file.string()}, {"origin", config.golden->origin}});
  }
  json["tolerances"] = map_to_json(config.tolerances);
  json["input_dtypes"] = Json::object();
  for (const auto& [input, dtype] : config.input_dtypes) json["input_dtypes"][input] = to_string(dtype);
  json["output_names"] = config.output_names;
  return json;
}

namespace {

void read_accuracy(ObjectReader& reader, AccuracyLimits& into) {
  const Json* const json = reader.optional("accuracy");
  if (json == nullptr) return;
  auto limits = accuracy_from_json(*json, reader.path_of("accuracy"));
  if (limits.ok())
    into = *limits;
  else
    reader.fail(limits.error());
}

void read_golden(ObjectReader& reader, std::optional<GoldenSource>& into) {
  const Json* const json = reader.optional("golden");
  if (json == nullptr) return;
  auto golden = golden_from_json(*json, reader.path_of("golden"));
  if (golden.ok())
    into = *std::move(golden);
  else
    reader.fail(golden.error());
}

}  // namespace

Result<BuildConfig> build_config_from_json(const Json& json, const std::string& path) {
  ObjectReader reader(json, path);
  BuildConfig config;
  read_enumerator(reader, "precision", precision_from_string, config.precision);
  if (reader.optional("workspace_mb") != nullptr) read_member(reader, "workspace_mb", config.workspace_mb);
  read_optional_path(reader, "calibration_dataset", config.calibration_dataset);
  read_optional_path(reader, "fp32_source", config.fp32_source);
  read_optional_path(reader, "accuracy_dataset", config.accuracy_dataset);
  read_accuracy(reader, config.accuracy);
  if (reader.optional("calibration_algorithm") != nullptr)
    config.calibration_algorithm = reader.text("calibration_algorithm", 64);
  read_optional_path(reader, "calibration_cache", config.calibration_cache);
  if (reader.optional("allow_cpu_ranges") != nullptr)
    config.allow_cpu_ranges = reader.boolean("allow_cpu_ranges");
  read_list(reader, "optimization_profiles", profile_from_json, config.optimization_profiles);
  if (reader.optional("model_name") != nullptr) config.model_name = reader.text("model_name");
  read_list(reader, "keep_fp32", text_from_json, config.keep_fp32);
  read_map(reader, "max_output_shapes", shape_from_json, config.max_output_shapes);
  read_enumerator(reader, "build_route", build_route_from_string, config.build_route);
  read_golden(reader, config.golden);
  read_map(reader, "tolerances", tolerance_from_json, config.tolerances);
  read_map(reader, "input_dtypes", dtype_from_json, config.input_dtypes);
  read_list(reader, "output_names", text_from_json, config.output_names);
  SKUA_RETURN_IF_ERROR(reader.finish());
  return config;
}

Json to_json(const RuntimeConfig& config) {
  Json json = Json::object();
  for (const ConfigField& field : config_fields()) {
    json[std::string(field.name)] =
        std::visit([&](auto member) { return member_to_json(config.*member); }, field.member);
  }
  json["lanes"] = Json::array();
  for (const LaneDeclaration& lane : config.lanes) {
    Json declared = Json::object({{"consumer", lane.consumer}});
    if (!lane.engine.empty()) declared["engine"] = lane.engine;
    json["lanes"].push_back(std::move(declared));
  }
  return json;
}

Result<RuntimeConfig> runtime_config_from_json(const Json& json, const std::string& path) {
  ObjectReader reader(json, path);
  RuntimeConfig config;
  for (const ConfigField& field : config_fields()) {
    if (reader.optional(field.name) == nullptr) continue;
    std::visit([&](auto member) { read_member(reader, field.name, config.*member); }, field.member);
  }
  read_list(reader, "lanes", lane_from_json, config.lanes);
  SKUA_RETURN_IF_ERROR(reader.finish());
  return config;
}

}  // namespace skua
