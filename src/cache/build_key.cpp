// The reuse key: docs/formats/build-record.md, "build_config_sha256".
#include <algorithm>

#include "cache/engine_record.h"
#include "cache/json_fields.h"
#include "core/hash.h"
#include "core/json_strict.h"
#include "skua/sidecar.h"

namespace skua {
namespace {

/// The golden file by its content: a moved file is the same source, an edited one is not.
Result<Json> golden_key(const std::optional<GoldenSource>& golden) {
  if (!golden.has_value()) return Json(nullptr);
  const Result<Sha256> digest = Sha256Sidecar::digest_file(golden->file);
  if (!digest.ok()) {
    return make_error(ErrorCode::kInvalidArgument, digest.error().reason,
                      "golden file " + golden->file.string() +
                          ": expected a readable file, found: " + digest.error().message,
                      digest.error().native_code);
  }
  Json json = Json::object();
  json["sha256"] = digest->hex();
  json["origin"] = golden->origin;
  return json;
}

/// The model name is left out, being part of the file name; of the data set only whether there is one, since
/// its content is compared through the record's calibration provenance.
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
  return json;
}

/// The options that change the artifact or what it is proven for. Thread counts do not: they are settings of
/// the session that runs it.
Json runtime_to_key(const RuntimeConfig& config) {
  Json json = Json::object();
  json["label"] = config.runtime;
  if (config.runtime == "onnx_trt_ep") json["execution_provider"] = config.execution_provider;
  if (config.runtime == "pytorch_fp16") {
    json["device"] = config.device;
    json["arithmetic"] = config.arithmetic;
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
