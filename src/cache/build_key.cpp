// The reuse key: docs/formats/build-record.md, "build_config_sha256".
#include <algorithm>

#include "cache/engine_record.h"
#include "cache/json_fields.h"
#include "core/hash.h"
#include "core/json_strict.h"
#include "core/known_runtimes.h"
#include "skua/sidecar.h"

namespace skua {
namespace {

/// A file by its content: a moved file is the same source, an edited one is not.
Result<std::string> digest_key(const std::string& what, const std::filesystem::path& file) {
  const Result<Sha256> digest = Sha256Sidecar::digest_file(file);
  if (digest.ok()) return digest->hex();
  return make_error(
      ErrorCode::kInvalidArgument, digest.error().reason,
      what + " " + file.string() + ": expected a readable file, found: " + digest.error().message,
      digest.error().native_code);
}

Result<Json> golden_key(const std::optional<GoldenSource>& golden) {
  if (!golden.has_value()) return Json(nullptr);
  Json json = Json::object();
  SKUA_ASSIGN_OR_RETURN(json["sha256"], digest_key("golden file", golden->file));
  json["origin"] = golden->origin;
  return json;
}

/// The model name is left out, being part of the file name; of data sets only whether there are some, since
/// their content is compared with what the record says of it.
Result<Json> build_to_key(const BuildConfig& build) {
  std::vector<OptimizationProfile> profiles = build.optimization_profiles;
  std::sort(profiles.begin(), profiles.end(),
            [](const auto& a, const auto& b) { return a.input_name < b.input_name; });
  std::vector<std::string> keep_fp32 = build.keep_fp32;
  std::sort(keep_fp32.begin(), keep_fp32.end());
  Json bounds = Json::object();
  for (const auto& [output, shape] : build.max_output_shapes) bounds[output] = to_json(shape);
  Json tolerances = Json::object();
  for (const auto& [output, tolerance] : build.tolerances) tolerances[output] = to_json(tolerance);

  Json json = Json::object();
  json["precision"] = to_string(build.precision);
  json["workspace_mb"] = build.workspace_mb;
  json["is_calibrated"] = build.calibration_dataset.has_value();
  json["profiles"] =
      list_to_json(profiles, [](const OptimizationProfile& profile) { return to_json(profile); });
  json["keep_fp32"] = keep_fp32;
  json["max_output_shapes"] = std::move(bounds);
  json["build_route"] = to_string(build.build_route);
  SKUA_ASSIGN_OR_RETURN(json["golden"], golden_key(build.golden));
  json["tolerances"] = std::move(tolerances);
  // Left out where not used, so that the keys of engines without them stay what they were.
  for (const auto& [input, dtype] : build.input_dtypes) json["input_dtypes"][input] = to_string(dtype);
  if (!build.output_names.empty()) json["output_names"] = build.output_names;
  if (build.fp32_source) {
    SKUA_ASSIGN_OR_RETURN(json["fp32_source"], digest_key("fp32_source", *build.fp32_source));
  }
  if (build.calibration_algorithm != BuildConfig().calibration_algorithm)
    json["calibration_algorithm"] = build.calibration_algorithm;
  if (build.calibration_cache) {
    SKUA_ASSIGN_OR_RETURN(json["calibration_cache"],
                          digest_key("calibration_cache", *build.calibration_cache));
  }
  if (build.allow_cpu_ranges) json["allow_cpu_ranges"] = true;
  if (build.accuracy_dataset) json["is_judged_by_others"] = true;
  if (build.accuracy != AccuracyLimits()) json["accuracy"] = to_json(build.accuracy);
  return json;
}

/// The options that change the artifact or what it is proven for. Thread counts do not: they are settings of
/// the session that runs it.
Json runtime_to_key(const RuntimeConfig& config) {
  Json json = Json::object();
  json["label"] = config.runtime;
  const auto options = engine_options_of(config.runtime);
  for (const auto& [key, value] : fields_of(config)) {
    if (std::find(options.begin(), options.end(), key) != options.end()) json[key] = value;
  }
  return json;
}

}  // namespace

Result<Sha256> build_key(const BuildConfig& build, const RuntimeConfig& config) {
  Json json = Json::object();
  json["kind"] = "skua.build-key";
  json["schema"] = 1;
  SKUA_ASSIGN_OR_RETURN(json["build"], build_to_key(build));
  json["runtime"] = runtime_to_key(config);
  const std::string text = json.dump(-1, ' ', false, Json::error_handler_t::replace);
  return sha256_of(std::as_bytes(std::span(text)));
}

}  // namespace skua
