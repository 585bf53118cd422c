// Builds, cache entries and policies, as callers give them.
#include <array>
#include <utility>

#include "fields.h"

namespace skua::python {

namespace nb = nanobind;

void read(nb::handle value, const char* field, AccuracyLimits& into) {
  Fields(value, field, "AccuracyLimits")("relative_l2", into.relative_l2)("mismatched", into.mismatched)(
      "agreement", into.agreement)("relative_error", into.relative_error)("cosine", into.cosine);
}

void read(nb::handle value, const char* field, Tolerance& into) {
  Fields(value, field, "Tolerance")("absolute", into.absolute)("relative", into.relative)(
      "as_set", into.as_set)("max_mismatch_fraction", into.max_mismatch_fraction);
}

void read(nb::handle value, const char* field, GoldenSource& into) {
  Fields(value, field, "GoldenSource")("file", into.file)("origin", into.origin);
}

void read(nb::handle value, const char* field, BuildRoute& into) {
  into = unwrap(build_route_from_string(read_as<std::string>(value, field)));
}

void read(nb::handle value, const char* field, BuildConfig& into) {
  const Fields fields(value, field, "BuildConfig", Accepted::kAnyAlike);
  fields.demand("precision");
  fields("precision", into.precision)("workspace_mb", into.workspace_mb);
  fields("calibration_dataset", into.calibration_dataset)("fp32_source", into.fp32_source);
  fields("accuracy_dataset", into.accuracy_dataset)("accuracy", into.accuracy);
  fields("calibration_algorithm", into.calibration_algorithm)("calibration_cache", into.calibration_cache);
  fields("allow_cpu_ranges", into.allow_cpu_ranges)("optimization_profiles", into.optimization_profiles);
  fields("model_name", into.model_name)("keep_fp32", into.keep_fp32);
  fields("max_output_shapes", into.max_output_shapes)("build_route", into.build_route);
  fields("golden", into.golden)("tolerances", into.tolerances)("input_dtypes", into.input_dtypes);
  fields("output_names", into.output_names);
}

void read(nb::handle value, const char* field, CalibrationProvenance& into) {
  Fields(value, field, "CalibrationProvenance")("dataset_sha256", into.dataset_sha256)(
      "sample_count", into.sample_count)("cache_sha256", into.cache_sha256)("algorithm", into.algorithm)(
      "producer", into.producer);
}

void read(nb::handle value, const char* field, EngineCacheEntry& into) {
  const Fields fields(value, field, "EngineCacheEntry", Accepted::kAnyAlike);
  fields("engine_path", into.engine_path)("model", into.model)("runtime_label", into.runtime_label);
  fields("host", into.host)("precision", into.precision)("engine_sha256", into.engine_sha256);
  fields("size_bytes", into.size_bytes)("device_memory_bytes", into.device_memory_bytes);
  fields("model_sha256", into.model_sha256)("build_config_sha256", into.build_config_sha256);
  fields("calibration", into.calibration)("inputs", into.inputs)("outputs", into.outputs);
}

void read(nb::handle value, const char* field, ExpiryRule& into) {
  constexpr std::array<std::pair<std::string_view, ExpiryRule>, 3> kRules{
      {{"refuse", ExpiryRule::kRefuse}, {"warn", ExpiryRule::kWarn}, {"not_judged", ExpiryRule::kNotJudged}}};
  const auto name = read_as<std::string>(value, field);
  for (const auto& [known, rule] : kRules) {
    if (known == name) {
      into = rule;
      return;
    }
  }
  refuse_field(field, "refuse, warn or not_judged", value);
}

void read(nb::handle value, const char* field, GatePolicy& into) {
  const Fields fields(value, field, "GatePolicy");
  for (const nb::object& key : Fields::items_of(fields.attribute("trusted_keys"), "trusted_keys")) {
    const PublicKey* trusted = nullptr;
    if (!nb::try_cast(key, trusted) || trusted == nullptr)
      refuse_field("trusted_keys", "keys of PublicKey.from_pem", key);
    into.trusted_keys.push_back(*trusted);
  }
  fields("allow_unsigned", into.allow_unsigned)("expiry", into.expiry);
  fields("minimum_release_sequence", into.minimum_release_sequence);
  fields("maximum_release_sequence", into.maximum_release_sequence);
  fields("flight_set_limit_bytes", into.flight_set_limit_bytes);
}

}  // namespace skua::python
