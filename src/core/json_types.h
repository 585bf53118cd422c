// The JSON form of Skua's value types, shared by build records, manifests, build requests and `--json`
// output. docs/formats/ specifies it. Decoders are strict (json_strict.h); encode then decode is the
// identity.
#pragma once

#include <string>

#include "core/json_fwd.h"
#include "skua/build_config.h"
#include "skua/engine_cache_entry.h"
#include "skua/host_tuple.h"
#include "skua/runtime_config.h"

namespace skua {

Json to_json(const Shape& shape);
Result<Shape> shape_from_json(const Json& json, const std::string& path);
Json to_json(const TensorSpec& spec);
Result<TensorSpec> tensor_spec_from_json(const Json& json, const std::string& path);
Json to_json(const OptimizationProfile& profile);
Result<OptimizationProfile> profile_from_json(const Json& json, const std::string& path);
Json to_json(const HostTuple& host);
Result<HostTuple> host_from_json(const Json& json, const std::string& path);
Json to_json(const Tolerance& tolerance);
Result<Tolerance> tolerance_from_json(const Json& json, const std::string& path);
Json to_json(const AccuracyLimits& limits);
Result<AccuracyLimits> accuracy_from_json(const Json& json, const std::string& path);
/// Every field is optional when reading (defaults of BuildConfig); unknown fields are refused.
Json to_json(const BuildConfig& config);
Result<BuildConfig> build_config_from_json(const Json& json, const std::string& path);
Json to_json(const RuntimeConfig& config);
Result<RuntimeConfig> runtime_config_from_json(const Json& json, const std::string& path);
Json to_json(const CalibrationProvenance& provenance);
Result<CalibrationProvenance> calibration_from_json(const Json& json, const std::string& path);

}  // namespace skua
